//! The body of a records frame.

use proptest::prelude::*;
use wal_core::format::{MAX_PREFIX_LEN, RecordWalk, Records, prefix_len, push_record};

use crate::fixture::seeded;

fn body_of<R: AsRef<[u8]>>(records: &[R]) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        push_record(&mut body, record.as_ref());
    }
    body
}

/// The records of a body; `None` where it is not exactly `count` of them.
fn split(body: &[u8], count: u32) -> Option<Vec<&[u8]>> {
    let all: Option<Vec<_>> = Records::new(body, count).collect();
    Some(all?.into_iter().map(|range| &body[range]).collect())
}

#[test]
fn every_length_comes_back() {
    let edges = [0x3fff, 0x4000, 0x4001, 0x1f_ffff, 0x20_0000, 0x20_0001];
    for len in (0..=300).chain(edges) {
        let record: Vec<u8> = (0..=250).cycle().take(len).collect();
        let body = body_of(&[record.as_slice()]);
        assert_eq!(body.len(), prefix_len(len) + len, "{len} bytes");
        assert_eq!(split(&body, 1), Some(vec![record.as_slice()]), "{len} bytes");
    }
}

#[test]
fn many_records_come_back_in_order() {
    let records: Vec<_> = (0..300).map(|len| vec![0xa5; len]).collect();
    let body = body_of(&records);
    let read = split(&body, 300).unwrap();
    assert!(read.iter().eq(records.iter()));
}

/// The lengths where the prefix grows by a byte, given by hand.
#[test]
fn the_prefix_is_leb128() {
    let cases: [(usize, &[u8]); 10] = [
        (0, b"\x00"),
        (1, b"\x01"),
        (0x7f, b"\x7f"),
        (0x80, b"\x80\x01"),
        (300, b"\xac\x02"),
        (0x3fff, b"\xff\x7f"),
        (0x4000, b"\x80\x80\x01"),
        (0x1f_ffff, b"\xff\xff\x7f"),
        (0x20_0000, b"\x80\x80\x80\x01"),
        (0x20_0001, b"\x81\x80\x80\x01"),
    ];
    for (len, prefix) in cases {
        let body = body_of(&[vec![0; len]]);
        assert_eq!(&body[..prefix.len()], prefix, "{len} bytes");
        assert_eq!(prefix_len(len), prefix.len(), "{len} bytes");
    }
    assert_eq!(prefix_len(0xfff_ffff), 4);
    assert_eq!(prefix_len(0x1000_0000), MAX_PREFIX_LEN);
    assert_eq!(prefix_len(0xffff_ffff), MAX_PREFIX_LEN);
}

/// One length, one encoding: a longer form of the same length is refused.
#[test]
fn a_prefix_longer_than_it_need_be_is_refused() {
    let padded = [&b"\x80\x00"[..], b"\x81\x00x", b"\x80\x80\x00", b"\x80\x80\x80\x80\x00"];
    for body in padded {
        assert_eq!(split(body, 1), None, "{body:x?}");
    }
}

/// A length of more than 32 bits is refused, not cut to 32.
#[test]
fn a_prefix_of_more_than_32_bits_is_refused() {
    // Cut to 32 bits, these would be an empty record and one of a byte.
    assert_eq!(split(b"\x80\x80\x80\x80\x10", 1), None);
    assert_eq!(split(b"\x81\x80\x80\x80\x10x", 1), None);
    assert_eq!(split(b"\x81\x80\x80\x80\x80\x01x", 1), None, "a sixth byte");
}

#[test]
fn a_record_that_is_cut_short_is_refused() {
    let body = body_of(&[[7; 200]]);
    for len in 0..body.len() {
        assert_eq!(split(&body[..len], 1), None, "{len} bytes");
    }
    assert_eq!(split(b"\xff\xff\xff\xff\x0f", 1), None, "a length of 4 GiB");
}

#[test]
fn another_count_is_refused() {
    let body = body_of(&["a", "", "bc"]);
    assert!(split(&body, 3).is_some());
    for count in [0, 1, 2, 4, u32::MAX] {
        assert_eq!(split(&body, count), None, "count {count}");
    }
    assert_eq!(split(b"", 0), Some(vec![]));
    assert_eq!(split(b"", 1), None);
}

/// The fault is the last item, and comes once.
#[test]
fn nothing_follows_a_fault() {
    let mut records = Records::new(b"\x01a\x05b", 7);
    assert_eq!(records.next(), Some(Some(1..2)));
    assert_eq!(records.next(), Some(None));
    assert_eq!(records.next(), None);
    assert_eq!(records.next(), None);
}

/// A walk over a body that is kept elsewhere, against the iterator.
#[test]
fn a_walk_finds_what_the_iterator_finds() {
    for (body, count) in
        [(&b"\x01a\x00\x02bc"[..], 3), (b"\x01a\x05b", 7), (b"\x00\x00", 1), (b"", 0)]
    {
        let mut walk = RecordWalk::new(count);
        let walked: Vec<_> = std::iter::from_fn(|| walk.next(body)).collect();
        assert!(Records::new(body, count).eq(walked), "{body:x?}");
    }
}

proptest! {
    #![proptest_config(seeded(2000))]

    #[test]
    fn records_come_back(records in prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..300), 0..40,
    )) {
        let body = body_of(&records);
        let count = u32::try_from(records.len()).unwrap();
        let read = split(&body, count).unwrap();
        prop_assert!(read.iter().eq(records.iter()));
        prop_assert_eq!(split(&body, count + 1), None);
    }

    /// Any bytes and any count: no panic, no endless loop, every range inside the body; and what
    /// does split is what would be written for it.
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..64), count: u32) {
        for count in [count, count % 16] {
            prop_assert!(Records::new(&body, count).count() <= body.len() + 1);
            if let Some(records) = split(&body, count) {
                prop_assert_eq!(body_of(&records), body.clone());
            }
        }
    }
}
