//! The bookkeeping of a segment that is being written, and of one that is read to be gone on with.

use proptest::prelude::*;
use wal_core::format::{
    FRAME_HEADER_LEN, FrameHeader, FrameKind, HEADER_LEN, Identity, OpenSegment, Predecessor, Start,
};
use wal_core::{Lsn, Position, SegmentId};

use crate::fixture::{frames, header, records_frame, seeded, stamp};

/// What a writer does next.
#[derive(Clone, Debug)]
enum Step {
    Records(Vec<usize>),
    Padding(usize),
    Start,
    Sync,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(0..9000_usize, 1..8).prop_map(Step::Records),
        1 => (0..600_usize).prop_map(|eights| Step::Padding(FRAME_HEADER_LEN + eights * 8)),
        1 => Just(Step::Start),
        2 => Just(Step::Sync),
    ];
    prop::collection::vec(step, 0..30)
}

/// Takes the steps and gives the bytes behind the segment header; `watermark` follows the syncs.
fn take(steps: &[Step], segment: &mut OpenSegment, watermark: &mut u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for step in steps {
        let stamp = stamp(*watermark);
        match step {
            Step::Records(lens) => {
                let records: Vec<_> = lens.iter().map(|len| vec![0xa5; *len]).collect();
                bytes.extend(records_frame(segment, &records, stamp));
            }
            Step::Padding(len) => bytes.extend(segment.padding_frame(*len, stamp)),
            Step::Start => {
                let start = Start { segment: SegmentId::FIRST, lsn: segment.last_lsn().next() };
                bytes.extend(segment.start_frame(start, stamp));
            }
            Step::Sync => {
                segment.synced(segment.end());
                *watermark = segment.last_lsn().get();
            }
        }
    }
    bytes
}

#[test]
fn a_fresh_segment_ends_behind_its_header() {
    let segment = OpenSegment::new(header());
    assert_eq!(segment.header(), &header());
    assert_eq!(segment.end(), HEADER_LEN as u64);
    assert_eq!(segment.position(), Position { segment: SegmentId::FIRST, offset: 4096 });
    assert_eq!((segment.last_lsn(), segment.records(), segment.frames()), (Lsn::ZERO, 0, 0));
    let named = Predecessor {
        id: SegmentId::FIRST,
        length: 4096,
        seal_len: 0,
        last_lsn: Lsn::ZERO,
        identity: Identity::of(&header()),
        since: SegmentId::FIRST,
    };
    assert_eq!(segment.as_predecessor(), named);
}

/// Four GiB without a sync: the window no longer fits its field, and the frame claims nothing
/// rather than something untrue.
#[test]
fn a_window_too_wide_for_its_field_claims_nothing() {
    let mut segment = OpenSegment::new(header());
    let mut huge = FrameHeader::new(FrameKind::Padding, Lsn::FIRST);
    huge.body_len = 1 << 30;
    for _ in 0..3 {
        segment.note(&huge, &[0; FRAME_HEADER_LEN]);
    }
    let identity = Identity::of(segment.header());
    let offset = segment.end();
    let mark = segment.padding_frame(FRAME_HEADER_LEN, stamp(0));
    let read = FrameHeader::decode(&mark, identity, offset).unwrap();
    assert_eq!(u64::from(read.unsynced), 3 * huge.frame_len());

    segment.note(&huge, &[0; FRAME_HEADER_LEN]);
    let offset = segment.end();
    let mark = segment.padding_frame(FRAME_HEADER_LEN, stamp(0));
    let read = FrameHeader::decode(&mark, identity, offset).unwrap();
    assert_eq!(read.unsynced, u32::MAX);
    assert_eq!(read.durable_offset(offset), 0);
}

/// A sync that was called early and returned late takes nothing back.
#[test]
fn a_late_sync_does_not_shrink_what_is_durable() {
    let mut segment = OpenSegment::new(header());
    let early = segment.end();
    let frame = records_frame(&mut segment, &["a"], stamp(0));
    segment.synced(segment.end());
    segment.synced(early);
    let offset = segment.end();
    let mark = segment.padding_frame(FRAME_HEADER_LEN, stamp(1));
    let read = FrameHeader::decode(&mark, Identity::of(&header()), offset).unwrap();
    assert_eq!(read.durable_offset(offset), early + frame.len() as u64);
}

/// A seal whose write failed is taken back like any frame, and the one written later is as good.
#[test]
fn a_seal_taken_back_leaves_the_index_whole() {
    let mut segment = OpenSegment::new(header());
    for _ in 0..3 {
        records_frame(&mut segment, &[vec![1; 70_000]], stamp(0));
    }
    let mark = segment.mark();
    let first = segment.seal_frame(stamp(3));
    segment.undo(mark);
    assert_eq!(segment.seal_frame(stamp(3)), first);
}

proptest! {
    #![proptest_config(seeded(60))]

    /// Who reads the frames of a segment knows what its writer knew, and goes on as the writer
    /// would have.
    #[test]
    fn a_reader_knows_what_the_writer_knew(steps in steps()) {
        let mut writer = OpenSegment::new(header());
        let mut segment = header().encode();
        segment.extend(take(&steps, &mut writer, &mut 0));

        let mut reader = OpenSegment::new(header());
        for frame in frames(&segment, Identity::of(&header())).0 {
            prop_assert_eq!(frame.offset, reader.end());
            let at = usize::try_from(frame.offset).unwrap();
            reader.note(&frame.header, &segment[at..at + FRAME_HEADER_LEN]);
            if frame.header.kind == FrameKind::Start {
                reader.note_start(Start::decode(&frame.body).unwrap());
            }
        }
        prop_assert_eq!(reader.end(), segment.len() as u64);
        prop_assert_eq!(reader.end(), writer.end());
        prop_assert_eq!(reader.last_lsn(), writer.last_lsn());
        prop_assert_eq!(reader.records(), writer.records());
        prop_assert_eq!(reader.frames(), writer.frames());
        prop_assert_eq!(reader.digest(), writer.digest());
        prop_assert_eq!(reader.start(), writer.start());
        prop_assert_eq!(reader.as_predecessor(), writer.as_predecessor());
        reader.synced(reader.end());
        writer.synced(writer.end());
        let last = stamp(writer.last_lsn().get());
        prop_assert_eq!(reader.seal_frame(last), writer.seal_frame(last));
    }

    /// Each frame vouches for exactly what had been synced when it was made: every byte before,
    /// no byte behind, every record through the watermark, none above.
    #[test]
    fn a_frame_vouches_for_what_was_synced(steps in steps()) {
        let mut writer = OpenSegment::new(header());
        let identity = Identity::of(&header());
        let (mut watermark, mut durable_end) = (0, writer.end());
        for step in &steps {
            let offset = writer.end();
            let frame = take(std::slice::from_ref(step), &mut writer, &mut watermark);
            if frame.is_empty() {
                durable_end = writer.end();
                continue;
            }
            let read = FrameHeader::decode(&frame, identity, offset).unwrap();
            prop_assert_eq!(read.durable_offset(offset), durable_end);
            prop_assert!(read.vouches_for(offset, Lsn::MAX, durable_end - 1));
            prop_assert!(!read.vouches_for(offset, Lsn::MAX, durable_end));
            prop_assert!(read.vouches_for(offset, Lsn::new(watermark), u64::MAX));
            prop_assert!(!read.vouches_for(offset, Lsn::new(watermark + 1), u64::MAX));
        }
    }

    /// Frames that were not written leave no trace in those that are written after them.
    #[test]
    fn what_is_taken_back_leaves_no_trace(kept in steps(), undone in steps(), then in steps()) {
        let mut straight = OpenSegment::new(header());
        let mut watermark = 0;
        take(&kept, &mut straight, &mut watermark);
        let mut turned = straight.clone();
        let mark = turned.mark();
        let unsynced: Vec<_> =
            undone.into_iter().filter(|step| !matches!(step, Step::Sync)).collect();
        take(&unsynced, &mut turned, &mut watermark.clone());
        turned.undo(mark);

        let mut other = watermark;
        let bytes = take(&then, &mut straight, &mut watermark);
        prop_assert_eq!(take(&then, &mut turned, &mut other), bytes);
        prop_assert_eq!(turned.seal_frame(stamp(other)), straight.seal_frame(stamp(watermark)));
    }

    /// A segment that is to stay within a size can be sealed within it.
    #[test]
    fn the_sealed_length_is_never_underrated(before in steps(), more in steps()) {
        let mut segment = OpenSegment::new(header());
        let mut watermark = 0;
        take(&before, &mut segment, &mut watermark);
        let mut next = segment.clone();
        let bytes = take(&more, &mut next, &mut watermark).len() as u64;
        let said = segment.sealed_len(bytes);
        let _ = next.seal_frame(stamp(watermark));
        prop_assert!(said >= next.end(), "{} said, {} came", said, next.end());
        // By a block more in the index, and one more of padding.
        prop_assert!(said <= next.end() + 8192, "{} said, {} came", said, next.end());
    }
}
