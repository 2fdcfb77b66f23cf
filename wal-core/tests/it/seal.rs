//! The seal: found from the file's end, right about the segment, useful for a seek.

use proptest::prelude::*;
use wal_core::Lsn;
use wal_core::format::{
    FRAME_HEADER_LEN, FrameKind, HEADER_LEN, Identity, IndexEntry, OpenSegment, SEAL_ALIGN, Seal,
    seal_offset,
};

use crate::fixture::{ReadFrame, frames, header, records_frame, seeded, stamp};

/// A sealed segment: one frame for each of these, of records of so many bytes.
fn sealed(frames: &[Vec<usize>]) -> Vec<u8> {
    let mut segment = OpenSegment::new(header());
    let mut bytes = header().encode();
    for lens in frames {
        let records: Vec<_> = lens.iter().map(|len| vec![7; *len]).collect();
        let stamp = stamp(segment.last_lsn().get());
        bytes.extend(records_frame(&mut segment, &records, stamp));
        segment.synced(segment.end());
    }
    let last = stamp(segment.last_lsn().get());
    bytes.extend(segment.seal_frame(last));
    assert_eq!(segment.end(), bytes.len() as u64);
    bytes
}

/// The frames before the seal, and the seal, as a reader finds it: from the last bytes.
fn read(segment: &[u8]) -> (Vec<ReadFrame>, Seal) {
    let (mut frames, _) = frames(segment, Identity::of(&header()));
    let last = frames.pop().expect("the seal at least");
    assert_eq!(last.header.kind, FrameKind::Seal);
    let len = segment.len() as u64;
    assert_eq!(seal_offset(&segment[segment.len() - 8..], len), Some(last.offset));
    (frames, Seal::decode(&last.body).expect("a seal's body"))
}

#[test]
fn the_seal_of_an_empty_segment_says_so() {
    let segment = sealed(&[]);
    assert_eq!(segment.len() as u64, HEADER_LEN as u64 + SEAL_ALIGN);
    let (_, seal) = read(&segment);
    assert_eq!((seal.min_lsn, seal.max_lsn), (Lsn::ZERO, Lsn::ZERO));
    assert_eq!((seal.records, seal.frames, seal.digest), (0, 0, 0));
    assert_eq!(seal.start, header().start);
    assert_eq!(seal.index, []);
    assert_eq!(seal.seek(Lsn::FIRST), None);
    assert_eq!(seal.seek(Lsn::MAX), None);
}

/// Whatever room is left in the last block of the frames, the seal begins a block of its own and ends on
/// one: so a block that is lost does not take frames along with what vouches for them. Padding leads to
/// it, over the next block where less than a frame header is left.
#[test]
fn a_seal_has_blocks_of_its_own() {
    for record in 3800..3800 + 4096 {
        let segment = sealed(&[vec![record]]);
        assert!((segment.len() as u64).is_multiple_of(SEAL_ALIGN), "a record of {record} bytes");
        let (frames, seal) = read(&segment);
        let end = frames[0].offset + frames[0].header.frame_len();
        let filled = end.is_multiple_of(SEAL_ALIGN);
        let begins = if filled { end } else { (end + 48).next_multiple_of(SEAL_ALIGN) };
        assert_eq!(segment.len() as u64, begins + SEAL_ALIGN, "a record of {record} bytes");
        assert_eq!(seal.frames, if filled { 1 } else { 2 });
        assert_eq!(frames.len() as u64, seal.frames);
        assert!(frames[1..].iter().all(|frame| frame.header.kind == FrameKind::Padding));
        assert_eq!(seal.index, [IndexEntry { lsn: Lsn::FIRST, offset: 4096 }]);
    }
}

#[test]
fn a_frame_that_holds_no_records_is_not_in_the_index() {
    let mut segment = OpenSegment::new(header());
    let mut bytes = header().encode();
    bytes.extend(segment.padding_frame(4096, stamp(0)));
    bytes.extend(records_frame(&mut segment, &["a", "b"], stamp(0)));
    bytes.extend(segment.padding_frame(100_000, stamp(0)));
    bytes.extend(segment.seal_frame(stamp(2)));
    let (_, seal) = read(&bytes);
    assert_eq!((seal.min_lsn, seal.max_lsn), (Lsn::FIRST, Lsn::new(2)));
    // And the padding before the seal.
    assert_eq!((seal.records, seal.frames), (2, 4));
    assert_eq!(seal.index, [IndexEntry { lsn: Lsn::FIRST, offset: 8192 }]);
}

/// The digest is over what the frames say, in order: the same frames otherwise arranged are
/// another segment.
#[test]
fn the_digest_tells_frames_missing_doubled_or_swapped() {
    let segment = sealed(&[vec![1], vec![2, 2], vec![1], vec![2, 2], vec![900]]);
    let (frames, seal) = read(&segment);
    assert_eq!(frames.len(), 6, "with the padding before the seal");
    let digest = |order: &[usize]| {
        let mut open = OpenSegment::new(header());
        for &number in order {
            let at = usize::try_from(frames[number].offset).unwrap();
            open.note(&frames[number].header, &segment[at..at + FRAME_HEADER_LEN]);
        }
        open.digest()
    };
    let order: Vec<_> = (0..frames.len()).collect();
    assert_eq!(digest(&order), seal.digest);
    for one in 0..frames.len() {
        let mut missing = order.clone();
        missing.remove(one);
        assert_ne!(digest(&missing), seal.digest, "frame {one} missing");
        let mut doubled = order.clone();
        doubled.insert(one, one);
        assert_ne!(digest(&doubled), seal.digest, "frame {one} doubled");
        for other in 0..one {
            let mut swapped = order.clone();
            swapped.swap(one, other);
            assert_ne!(digest(&swapped), seal.digest, "frames {one} and {other} swapped");
        }
    }
}

#[test]
fn a_body_that_is_no_seal_is_refused() {
    let segment = sealed(&[vec![70_000], vec![70_000]]);
    let (all, _) = frames(&segment, Identity::of(&header()));
    let body = all.last().unwrap().body.clone();
    assert_eq!(Seal::decode(&body).unwrap().index.len(), 2);
    for len in 0..56 + 2 * 16 + 8 {
        assert_eq!(Seal::decode(&body[..len]), None, "{len} bytes");
    }
    for count in [u32::MAX, 1 << 28, 300] {
        let mut lying = body.clone();
        lying[36..40].copy_from_slice(&count.to_le_bytes());
        assert_eq!(Seal::decode(&lying), None, "an index of {count}");
    }
    let mut nowhere = body.clone();
    nowhere[40..48].fill(0);
    assert_eq!(Seal::decode(&nowhere), None, "a start in no segment");
    let mut unordered = body.clone();
    unordered[72..80].copy_from_slice(&1_u64.to_le_bytes());
    assert_eq!(Seal::decode(&unordered), None, "the same record twice");
    let mut unordered = body;
    unordered[80..88].copy_from_slice(&4096_u64.to_le_bytes());
    assert_eq!(Seal::decode(&unordered), None, "the same offset twice");
}

#[test]
fn what_cannot_be_a_seal_offset_is_none() {
    let trailer = |offset: u64| offset.to_le_bytes();
    assert_eq!(seal_offset(&trailer(4096), 8192), Some(4096));
    assert_eq!(seal_offset(&trailer(8192), 16384), Some(8192));
    assert_eq!(seal_offset(&trailer(8192), 8192), None, "at the end");
    assert_eq!(seal_offset(&trailer(8192 - 112), 8192), None, "in the block of another frame");
    assert_eq!(seal_offset(&trailer(4088), 8192), None, "in the segment's header");
    assert_eq!(seal_offset(&trailer(0), 8192), None, "blank space");
    assert_eq!(seal_offset(&trailer(4100), 8192), None, "between two frames");
    assert_eq!(seal_offset(&trailer(4096), 8200), None, "a length no seal ends on");
    assert_eq!(seal_offset(&trailer(u64::MAX - 7), 8192), None, "the end of all numbers");
    assert_eq!(seal_offset(&trailer(4096)[..7], 8192), None, "no whole trailer");
    assert_eq!(seal_offset(&[], 0), None);
}

#[test]
fn debug_shows_the_size_of_the_index_and_not_the_index() {
    let (_, seal) = read(&sealed(&[vec![70_000], vec![70_000]]));
    let shown = format!("{seal:?}");
    assert!(shown.contains("index_entries: 2") && !shown.contains("offset"), "{shown}");
}

proptest! {
    #![proptest_config(seeded(60))]

    /// The seal against what a walk over the frames finds.
    #[test]
    fn the_seal_is_right_about_its_segment(
        lens in prop::collection::vec(prop::collection::vec(0..20_000_usize, 1..6), 1..25),
    ) {
        let segment = sealed(&lens);
        prop_assert!((segment.len() as u64).is_multiple_of(SEAL_ALIGN));
        let (mut frames, seal) = read(&segment);
        let records: usize = lens.iter().map(Vec::len).sum();
        prop_assert_eq!(seal.records, records as u64);
        prop_assert_eq!(seal.frames, frames.len() as u64);
        frames.retain(|frame| frame.header.kind == FrameKind::Records);
        prop_assert_eq!(frames.len(), lens.len());
        prop_assert_eq!((seal.min_lsn, seal.max_lsn), (Lsn::FIRST, Lsn::new(records as u64)));

        let place = |frame: &ReadFrame| {
            IndexEntry { lsn: frame.header.first_lsn, offset: frame.offset }
        };
        let all: Vec<_> = frames.iter().map(place).collect();
        prop_assert_eq!(seal.index[0], all[0]);
        prop_assert!(seal.index.iter().all(|entry| all.contains(entry)));
        for lsn in 0..=records as u64 + 2 {
            let lsn = Lsn::new(lsn);
            let model = seal.index.iter().rev().find(|entry| entry.lsn <= lsn);
            prop_assert_eq!(seal.seek(lsn), model.map(|entry| entry.offset));
        }
        // Close enough that a seek reads little: no two frames in a row between entries start
        // more than 64 KiB apart from the entry that leads to them.
        for frame in &frames {
            let led_to = seal.seek(frame.header.first_lsn).unwrap();
            prop_assert!(led_to <= frame.offset && frame.offset - led_to < 64 * 1024);
        }
    }

    #[test]
    fn no_bytes_panic(
        mut body in prop::collection::vec(any::<u8>(), 0..300),
        count in 0..20_u32,
        len: u64,
        asked: u64,
    ) {
        let _ = seal_offset(&body, len);
        let _ = seal_offset(&body, len & !(SEAL_ALIGN - 1));
        if let Some(field) = body.get_mut(36..40) {
            field.copy_from_slice(&count.to_le_bytes());
        }
        if let Some(seal) = Seal::decode(&body) {
            let _ = seal.seek(Lsn::new(asked));
        }
    }
}
