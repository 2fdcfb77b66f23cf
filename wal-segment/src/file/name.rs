//! The names of the store's files.

use wal_core::SegmentId;

/// Digits of a segment's number in its name: as many as the largest number has, so that names sort
/// as numbers do.
const DIGITS: usize = 20;
const SUFFIX: &str = ".wal";
const SPARE: &str = "spare-";
const TEMPORARY: &str = ".tmp";
/// The number of the first spare that is, or was, an anchor's file. No life makes so many others.
const FIRST_ANCHOR: u64 = 1 << 63;
/// Hexadecimal digits of a CRC.
const CRC_DIGITS: usize = 8;

/// `00000000000000000007.wal`.
pub(super) fn of(id: SegmentId) -> String {
    format!("{:0DIGITS$}{SUFFIX}", id.get())
}

/// The segment that a file of this name is; `None` for any name that [`of`] does not give.
pub(super) fn parse(name: &str) -> Option<SegmentId> {
    let digits = name.strip_suffix(SUFFIX)?;
    let plain = digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(SegmentId::new)).flatten()
}

/// `spare-00c0ffee00c0ffee-7-` and then the CRC of that, and `.tmp`: a file of the store's own that
/// is no segment. The number tells the spares of one life of the store apart, the chance its lives.
///
/// No segment has such a name, and no person gives one: by the name alone the store knows the file
/// for one of its own, and may delete it.
pub(super) fn spare(chance: u64, number: u64) -> String {
    let name = format!("{SPARE}{chance:016x}-{number}-");
    let crc = crc32c::crc32c(name.as_bytes());
    format!("{name}{crc:0CRC_DIGITS$x}{TEMPORARY}")
}

/// As [`spare`], of a file that is to be the store's anchor, or was it. What else has a spare's name may
/// hold the same kind of bytes, as a pair's mark does that never got its name, and must not be taken for
/// an anchor.
pub(super) fn spare_anchor(chance: u64, number: u64) -> String {
    spare(chance, FIRST_ANCHOR | number)
}

/// Whether [`spare`] gives this name.
pub(super) fn is_spare(name: &str) -> bool {
    spare_number(name).is_some()
}

/// Whether [`spare_anchor`] gives this name.
pub(super) fn is_spare_anchor(name: &str) -> bool {
    spare_number(name).is_some_and(|number| number >= FIRST_ANCHOR)
}

fn spare_number(name: &str) -> Option<u64> {
    let (chance, rest) = name.strip_prefix(SPARE)?.split_once('-')?;
    let number = rest.split_once('-')?.0.parse().ok()?;
    let own = spare(u64::from_str_radix(chance, 16).ok()?, number);
    (own == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_the_number_back() {
        for number in [0, 1, 7, 10_u64.pow(19), u64::MAX] {
            let name = of(SegmentId::new(number));
            assert_eq!(name.len(), 24);
            assert_eq!(parse(&name), Some(SegmentId::new(number)));
        }
        assert_eq!(of(SegmentId::new(7)), "00000000000000000007.wal");
    }

    #[test]
    fn names_sort_as_numbers_do() {
        let mut numbers = [u64::MAX, 10, 2, 0, 10_u64.pow(19), 1];
        let mut names = numbers.map(|number| of(SegmentId::new(number)));
        names.sort();
        numbers.sort_unstable();
        assert_eq!(names.map(|name| parse(&name).unwrap().get()), numbers);
    }

    #[test]
    fn other_names_are_no_segments() {
        for name in [
            "",
            ".wal",
            "LOCK",
            "ANCHOR",
            "1.wal",
            "0000000000000000001.wal",
            "000000000000000000001.wal",
            "00000000000000000001.WAL",
            "00000000000000000001.wal.bak",
            "00000000000000000001.new",
            "00000000000000000001",
            "+0000000000000000001.wal",
            "-0000000000000000001.wal",
            " 0000000000000000001.wal",
            "0000000000000000000a.wal",
            "٠٠٠٠٠٠٠٠٠١.wal",
            // One more than there are numbers.
            "18446744073709551616.wal",
        ] {
            assert_eq!(parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_spare_is_known_by_its_name_and_is_no_segment() {
        for (chance, number) in [(0, 0), (0x00c0_ffee_00c0_ffee, 7), (u64::MAX, u64::MAX)] {
            let name = spare(chance, number);
            assert!(is_spare(&name), "{name}");
            assert_eq!(parse(&name), None);
            assert!(is_spare_anchor(&spare_anchor(chance, number)), "{name}");
        }
        assert!(!is_spare_anchor(&spare(7, 7)));
        assert_eq!(spare(0x00c0_ffee_00c0_ffee, 7), "spare-00c0ffee00c0ffee-7-2f0eb967.tmp");
    }

    /// What a person calls a file that is put aside is left alone, however much it looks like ours.
    #[test]
    fn no_other_name_is_a_spares() {
        let own = spare(0x00c0_ffee_00c0_ffee, 7);
        let crc = own.rsplit_once('-').unwrap().1;
        for name in [
            String::new(),
            "00000000000000000001.old".to_owned(),
            "00000000000000000001.new".to_owned(),
            "spare.tmp".to_owned(),
            "spare-1-1-1.tmp".to_owned(),
            "spare-00c0ffee00c0ffee-7-00000000.tmp".to_owned(),
            format!("spare-00c0ffee00c0ffee-8-{crc}"),
            format!("spare-00c0ffee00c0ffef-7-{crc}"),
            format!("spare-c0ffee00c0ffee-7-{crc}"),
            format!("spare-00c0ffee00c0ffee-+7-{crc}"),
            own.to_uppercase(),
            format!("{own}.bak"),
            format!("my-{own}"),
        ] {
            assert!(!is_spare(&name), "{name:?}");
        }
    }
}
