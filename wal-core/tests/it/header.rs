//! The segment header: what is a header, what is not, and which of the two ways of not.

use proptest::prelude::*;
use wal_core::format::{
    FORMAT_VERSION, HEADER_LEN, HeaderFault, Identity, MAGIC, Predecessor, SegmentHeader, Start,
    UNBOUNDED,
};
use wal_core::{CodecId, Epoch, LogId, Lsn, SegmentId, Unwritten};

use crate::fixture::{HEADER_CRC_AT, header, mend, seeded};

/// Makes a good header a bad one.
type Change = fn(&mut SegmentHeader);

/// A header with every field set, as recovery writes it.
fn full() -> SegmentHeader {
    let mut header = SegmentHeader::new(
        header().log,
        SegmentId::new(7),
        Epoch::new(3),
        Lsn::new(100),
        0x0123_4567_89ab_cdef,
    );
    header.optional_features = 0x8000_0001;
    header.created = 1_700_000_000_000_000_000;
    header.codec = CodecId(1000);
    header.alignment = 4096;
    header.in_flight = 8 << 20;
    header.predecessor = Some(Predecessor {
        id: SegmentId::new(5),
        length: 8192,
        seal_len: 4096,
        last_lsn: Lsn::new(99),
        identity: Identity::new(0xdead_beef),
        since: SegmentId::new(3),
    });
    header.start = Start { segment: SegmentId::new(2), lsn: Lsn::new(40) };
    header.carried = Lsn::new(104);
    header.space = 8 << 20;
    header
}

#[test]
fn a_header_comes_back_as_it_was_written() {
    for header in [header(), full()] {
        let bytes = header.encode();
        assert_eq!(bytes.len(), HEADER_LEN);
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
    }
}

#[test]
fn what_lies_behind_a_header_does_not_matter() {
    let mut bytes = full().encode();
    bytes.extend([0xff; 64]);
    assert_eq!(SegmentHeader::decode(&bytes), Ok(full()));
}

#[test]
fn every_flipped_bit_is_damage() {
    let mut bytes = full().encode();
    for bit in 0..HEADER_LEN * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Damaged), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn every_shorter_length_is_damage() {
    let bytes = full().encode();
    for len in 1..HEADER_LEN {
        assert_eq!(SegmentHeader::decode(&bytes[..len]), Err(HeaderFault::Damaged), "{len} bytes");
    }
}

/// A segment that was made and never written, in whole or in part: not damage.
#[test]
fn zeros_are_blank_at_every_length() {
    let zeros = [0; HEADER_LEN + 8];
    for len in 0..zeros.len() {
        assert_eq!(SegmentHeader::decode(&zeros[..len]), Err(HeaderFault::Blank), "{len} bytes");
    }
}

/// A header whose write was cut off after a while, over space that read as zeros.
#[test]
fn a_header_torn_anywhere_is_damage() {
    let whole = full().encode();
    for kept in 1..HEADER_LEN - 1 {
        let mut torn = vec![0; HEADER_LEN];
        torn[..kept].copy_from_slice(&whole[..kept]);
        assert_eq!(SegmentHeader::decode(&torn), Err(HeaderFault::Damaged), "{kept} bytes kept");
    }
}

#[test]
fn another_version_is_named_whatever_else_it_says() {
    for version in [0, FORMAT_VERSION + 1, u32::MAX] {
        let mut bytes = full().encode();
        bytes[8..12].copy_from_slice(&version.to_le_bytes());
        bytes[12..HEADER_CRC_AT].fill(0xa5);
        mend(&mut bytes);
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Version(version)));
    }
}

#[test]
fn features_that_must_be_understood_are_named() {
    // The first is known: space is used again.
    for bit in 1..u32::BITS {
        let mut bytes = full().encode();
        bytes[12..16].copy_from_slice(&(1_u32 << bit).to_le_bytes());
        bytes[40..48].fill(0);
        mend(&mut bytes);
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Features(1 << bit)));
    }
}

#[test]
fn space_that_is_used_again_is_a_feature() {
    let mut header = full();
    header.unwritten = Unwritten::Anything;
    let bytes = header.encode();
    assert_eq!(bytes[12..16], [1, 0, 0, 0]);
    assert_eq!(SegmentHeader::decode(&bytes).unwrap(), header);
}

#[test]
fn features_that_may_be_ignored_are_kept() {
    for bit in 0..u32::BITS {
        let mut bytes = full().encode();
        bytes[16..20].copy_from_slice(&(1_u32 << bit).to_le_bytes());
        mend(&mut bytes);
        let header = SegmentHeader::decode(&bytes).unwrap();
        assert_eq!(header.optional_features, 1 << bit);
        assert_eq!(header.encode(), bytes);
    }
}

/// A transfer in text mode, or through seven bits, changes the magic even where it changes nothing
/// else.
#[test]
fn another_magic_is_damage() {
    for (at, &byte) in MAGIC.iter().enumerate() {
        let mut bytes = full().encode();
        bytes[at] = byte ^ 0x80;
        mend(&mut bytes);
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Damaged), "byte {at}");
    }
}

#[test]
fn fields_that_make_no_sense_together_are_nonsense() {
    let cases: [(&str, Change); 22] = [
        ("no number", |header| header.id = SegmentId::new(0)),
        ("no first record", |header| {
            header.first_lsn = Lsn::ZERO;
            header.carried = Lsn::ZERO;
            header.predecessor = None;
        }),
        ("alignment 0", |header| header.alignment = 0),
        ("alignment 4", |header| header.alignment = 4),
        ("alignment 12", |header| header.alignment = 12),
        ("its own predecessor", |header| chained(header).id = SegmentId::new(7)),
        ("a predecessor behind it", |header| chained(header).id = SegmentId::new(8)),
        ("a predecessor without a number", |header| chained(header).id = SegmentId::new(0)),
        ("a predecessor without a header", |header| chained(header).length = 4095),
        ("a gap after the predecessor", |header| chained(header).last_lsn = Lsn::new(98)),
        ("a record in both", |header| chained(header).last_lsn = Lsn::new(100)),
        ("a seal without an end", |header| chained(header).seal_len = u64::MAX),
        ("a run without a beginning", |header| chained(header).since = SegmentId::new(0)),
        ("a run that begins behind its end", |header| chained(header).since = SegmentId::new(6)),
        ("a start behind it", |header| header.start.segment = SegmentId::new(8)),
        ("a start in no segment", |header| header.start.segment = SegmentId::new(0)),
        ("a start at no record", |header| header.start.lsn = Lsn::ZERO),
        ("carried records before its first", |header| header.carried = Lsn::new(99)),
        ("a number that leaves none", |header| header.id = SegmentId::LAST),
        ("an epoch that leaves none", |header| header.epoch = Epoch::LAST),
        ("carried records that leave no LSN", |header| header.carried = Lsn::LAST),
        ("a start that leaves no LSN", |header| header.start.lsn = Lsn::LAST),
    ];
    for (what, change) in cases {
        let mut header = full();
        change(&mut header);
        assert_eq!(SegmentHeader::decode(&header.encode()), Err(HeaderFault::Nonsense), "{what}");
    }
}

fn chained(header: &mut SegmentHeader) -> &mut Predecessor {
    header.predecessor.as_mut().expect("the full header has one")
}

/// A chain is known from the list of numbers and the runs that headers name; a number that fits is
/// no link yet.
#[test]
fn a_run_goes_on_only_from_one_number_to_the_next() {
    let mut header = full();
    assert_eq!(header.since(), header.id, "5 before 7");
    chained(&mut header).id = SegmentId::new(6);
    assert_eq!(header.since(), SegmentId::new(3));
    header.predecessor = None;
    assert_eq!(header.since(), header.id);
}

/// F12: a log whose header began at 2^64 - 4 took six records, acknowledged four, and was corrupt
/// afterwards: LSNs saturated. No log comes there by counting, and so it is not a header.
#[test]
fn f12_a_header_at_the_end_of_the_numbers_is_refused() {
    for first in [u64::MAX - 3, Lsn::LAST.get()] {
        let mut header = header();
        header.first_lsn = Lsn::new(first);
        header.start.lsn = Lsn::new(1);
        assert_eq!(SegmentHeader::decode(&header.encode()), Err(HeaderFault::Nonsense), "{first}");
    }
    let mut header = header();
    header.first_lsn = Lsn::new(Lsn::LAST.get() - 1);
    assert!(SegmentHeader::decode(&header.encode()).is_ok());
}

/// Space that version 1 leaves empty is free for later features only if it was surely empty.
#[test]
fn reserved_bytes_are_zero() {
    for at in 168..HEADER_CRC_AT {
        let mut bytes = full().encode();
        bytes[at] = 1;
        mend(&mut bytes);
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Nonsense), "byte {at}");
    }
}

prop_compose! {
    fn sensible()(
        log: [u8; 16], epoch in 0..1_u64 << 62, space: u64, salt: u64, created: u64, codec: u32, optional: u32,
        id in 2_u64..1 << 62, first in 1_u64..1 << 61, alignment in 3_u32..31,
        in_flight in prop_oneof![Just(UNBOUNDED), any::<u64>()],
        unwritten in prop_oneof![Just(Unwritten::Zeros), Just(Unwritten::Anything)],
        length in HEADER_LEN as u64.., seal_len: u64, identity: u32, chained: bool, carried in 0..1000_u64,
        before in 1_u64.., since: u64, start in 1_u64..,
    ) -> SegmentHeader {
        let (id, first_lsn) = (SegmentId::new(id), Lsn::new(first));
        let mut header = SegmentHeader::new(LogId(log), id, Epoch::new(epoch), first_lsn, salt);
        header.optional_features = optional;
        header.created = created;
        header.codec = CodecId(codec);
        header.alignment = 1 << alignment;
        header.space = space;
        header.in_flight = in_flight;
        header.unwritten = unwritten;
        let before = before % (id.get() - 1) + 1;
        header.predecessor = chained.then(|| Predecessor {
            id: SegmentId::new(before),
            since: SegmentId::new(since % before + 1),
            length,
            seal_len: seal_len.min(u64::MAX - length),
            last_lsn: first_lsn.previous(),
            identity: Identity::new(identity),
        });
        header.start = Start {
            segment: SegmentId::new(start % id.get() + 1),
            lsn: Lsn::new(start % first + 1),
        };
        header.carried = if carried == 0 { Lsn::ZERO } else { first_lsn.plus(carried - 1) };
        header
    }
}

proptest! {
    #![proptest_config(seeded(500))]

    #[test]
    fn every_sensible_header_comes_back(header in sensible()) {
        prop_assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
    }

    /// Whatever decodes is written back bit for bit: no two encodings of one header, nothing
    /// passed over in silence.
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(
        header in sensible(),
        changes in prop::collection::vec((0..200_usize, any::<u8>()), 0..6),
    ) {
        let mut bytes = header.encode();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        mend(&mut bytes);
        if let Ok(header) = SegmentHeader::decode(&bytes) {
            prop_assert_eq!(header.encode(), bytes);
        }
    }

    #[test]
    fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..HEADER_LEN + 8)) {
        prop_assert!(SegmentHeader::decode(&bytes).is_err());
        bytes.resize(HEADER_LEN, 0);
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..16].fill(0);
        mend(&mut bytes);
        let _ = SegmentHeader::decode(&bytes);
    }
}
