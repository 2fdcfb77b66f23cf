//! The names of segment files.

use wal_core::SegmentId;

/// Digits of a segment's number in its name: as many as the largest number has, so that names sort
/// as numbers do.
const DIGITS: usize = 20;
const SUFFIX: &str = ".wal";
const UNFINISHED: &str = ".new";
const RETIRED: &str = ".old";

/// `00000000000000000007.wal`.
pub(super) fn of(id: SegmentId) -> String {
    format!("{:0DIGITS$}{SUFFIX}", id.get())
}

/// `00000000000000000007.new`: a segment that is being made, and not one yet.
pub(super) fn unfinished(id: SegmentId) -> String {
    format!("{:0DIGITS$}{UNFINISHED}", id.get())
}

/// `00000000000000000007.old`: a segment that is gone, its file kept for another.
pub(super) fn retired(id: SegmentId) -> String {
    format!("{:0DIGITS$}{RETIRED}", id.get())
}

/// Whether a file of this name is that of a segment that is being made, or whose making was
/// interrupted, or that is gone.
pub(super) fn is_spare(name: &str) -> bool {
    let digits = name.strip_suffix(UNFINISHED).or_else(|| name.strip_suffix(RETIRED));
    digits.is_some_and(|digits| parse(&format!("{digits}{SUFFIX}")).is_some())
}

/// The segment that a file of this name is; `None` for any name that [`of`] does not give.
pub(super) fn parse(name: &str) -> Option<SegmentId> {
    let digits = name.strip_suffix(SUFFIX)?;
    let plain = digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(SegmentId::new)).flatten()
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
    fn what_is_being_made_or_is_gone_is_known_as_such_and_is_no_segment() {
        let name = unfinished(SegmentId::new(7));
        assert_eq!(name, "00000000000000000007.new");
        let gone = retired(SegmentId::new(7));
        assert_eq!(gone, "00000000000000000007.old");
        for name in [&name, &gone] {
            assert!(is_spare(name) && parse(name).is_none(), "{name:?}");
        }
        for other in ["7.new", "a.old", ".new", "00000000000000000007.wal", "LOCK"] {
            assert!(!is_spare(other), "{other:?}");
        }
    }

    #[test]
    fn names_sort_as_numbers_do() {
        let numbers = [0, 1, 9, 10, 99, 1 << 40, u64::MAX];
        assert!(numbers.map(|number| of(SegmentId::new(number))).is_sorted());
    }

    #[test]
    fn other_names_are_no_segments() {
        for name in [
            "",
            ".wal",
            "LOCK",
            "1.wal",
            "0000000000000000001.wal",
            "000000000000000000001.wal",
            "00000000000000000001.WAL",
            "00000000000000000001.wal.bak",
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
}
