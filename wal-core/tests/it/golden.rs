//! Golden files: the bytes of version 1, for ever.
//!
//! A test run compares. After a change that is meant to change bytes (a new file; never an old one,
//! once a version is released), `WAL_BLESS=1 cargo test -p wal-core golden` writes them anew.

use std::fs;
use std::path::PathBuf;

use wal_core::format::{
    Anchor, FRAME_HEADER_LEN, FrameFault, FrameHeader, FrameKind, HEADER_LEN, Identity, IndexEntry,
    OpenSegment, Predecessor, SLOT_LEN, Seal, SegmentHeader, Slots, Start, seal_offset,
};
use wal_core::{CodecId, Epoch, Lsn, SegmentId, TransformId, Unwritten};

use crate::fixture::{HandFrame, body_frame, frames, header, records_frame, stamp};

/// A segment that was made and holds nothing: the first of its log.
fn empty() -> Vec<u8> {
    header().encode()
}

/// The segment that FORMAT.md walks through: what recovery leaves behind after a crash, with three
/// records more, and a clean close.
fn worked() -> Vec<u8> {
    let (header, mut open) = successor();
    let mut segment = header.encode();
    // Carried over from the predecessor, before the first sync.
    segment.extend(records_frame(&mut open, &[&b"paid 4711"[..]], stamp(40)));
    segment.extend(open.block_padding(stamp(40)).expect("the block is not full"));
    open.synced(open.end());
    // The watermark once more, now that it has moved.
    segment.extend(open.padding_frame(FRAME_HEADER_LEN, stamp(41)));
    segment.extend(records_frame(&mut open, &[&b"paid 4712"[..], b"", b"void 4711"], stamp(41)));
    open.synced(open.end());
    // To the end of the block, and synced: the seal gets a block of its own, and vouches for this, too.
    segment.extend(open.block_padding(stamp(44)).expect("the block is not full"));
    open.synced(open.end());
    segment.extend(open.seal_frame(stamp(44)));
    segment
}

fn successor() -> (SegmentHeader, OpenSegment) {
    let first = header();
    let (id, epoch) = (SegmentId::new(2), Epoch::new(2));
    let mut header = SegmentHeader::new(first.log, id, epoch, Lsn::new(41), 0xfedc_ba98_7654_3210);
    header.created = 1_700_000_000_000_000_000;
    header.in_flight = 8 << 20;
    header.predecessor = Some(Predecessor {
        id: first.id,
        length: 6144,
        seal_len: 0,
        last_lsn: Lsn::new(40),
        identity: Identity::of(&first),
        since: first.id,
    });
    header.start = Start { segment: first.id, lsn: Lsn::new(31) };
    header.carried = Lsn::new(41);
    (header.clone(), OpenSegment::new(header))
}

/// A segment in space that was used before and was durable before the segment was there.
fn spacious() -> Vec<u8> {
    let (mut header, _) = successor();
    header.space = 128 << 20;
    header.unwritten = Unwritten::Anything;
    header.carried = Lsn::ZERO;
    header.encode()
}

fn long(len: usize) -> Vec<u8> {
    (0..len).map(|at| b'a' + u8::try_from(at % 26).expect("less than 26")).collect()
}

/// One frame of every kind, every size class of a record, and an index of several entries.
fn every_kind() -> Vec<u8> {
    let (mut header, _) = successor();
    header.optional_features = 1;
    header.codec = CodecId(1000);
    header.alignment = 4096;
    header.carried = Lsn::ZERO;
    let mut open = OpenSegment::new(header.clone());
    let mut segment = header.encode();

    segment.extend(records_frame(&mut open, &[&[][..], &long(127), &long(128)], stamp(40)));
    segment.extend(
        open.start_frame(Start { segment: SegmentId::new(2), lsn: Lsn::new(42) }, stamp(40)),
    );
    let fill = 4096 - segment.len() % 4096;
    segment.extend(open.padding_frame(fill, stamp(40)));
    open.synced(open.end());

    let later =
        HandFrame { unsynced: 0, watermark: 43, ..HandFrame::new(0x8a, 44, b"of a later version") };
    let later = later.encode(&header, open.end());
    let read = FrameHeader::decode(&later, Identity::of(&header), open.end());
    open.note(&read.expect("a kind that may be skipped"), &later[..FRAME_HEADER_LEN]);
    segment.extend(later);

    segment.extend(body_frame(&mut open, b"stored otherwise", 2, TransformId(200), stamp(43)));
    for _ in 0..5 {
        segment.extend(records_frame(&mut open, &[long(16384)], stamp(45)));
        open.synced(open.end());
    }
    segment.extend(open.padding_frame(FRAME_HEADER_LEN, stamp(50)));
    segment.extend(open.seal_frame(stamp(50)));
    segment
}

/// The checked-in file of this name, which must be exactly what the code makes.
pub(crate) fn golden(name: &str, made: &[u8]) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("WAL_BLESS").is_some() {
        fs::write(&path, made).expect("the golden file can be written");
    }
    let kept = fs::read(&path).expect("the golden file is checked in");
    assert_eq!(kept.len(), made.len(), "{name} has another length");
    if let Some(at) = kept.iter().zip(made).position(|(kept, made)| kept != made) {
        panic!("{name} differs at byte {at}: {:#04x} kept, {:#04x} made", kept[at], made[at]);
    }
    kept
}

/// The golden file that FORMAT.md shows.
pub(crate) fn worked_file() -> Vec<u8> {
    golden("v1-worked.wal", &worked())
}

#[test]
fn an_empty_segment() {
    let segment = golden("v1-empty.wal", &empty());
    assert_eq!(segment.len(), HEADER_LEN);
    assert_eq!(SegmentHeader::decode(&segment), Ok(header()));
    assert_eq!(frames(&segment, Identity::of(&header())), (vec![], FrameFault::Blank));
}

#[test]
fn a_segment_that_says_what_space_it_has() {
    let header = SegmentHeader::decode(&golden("v1-space.wal", &spacious())).unwrap();
    assert_eq!((header.space, header.unwritten), (128 << 20, Unwritten::Anything));
}

#[test]
fn the_worked_segment() {
    let segment = worked_file();
    let header = SegmentHeader::decode(&segment).unwrap();
    assert_eq!(header, successor().0);
    let (frames, _) = frames(&segment, Identity::of(&header));
    let kinds: Vec<_> = frames.iter().map(|frame| frame.header.kind).collect();
    assert_eq!(
        kinds,
        [
            FrameKind::Records,
            FrameKind::Padding,
            FrameKind::Padding,
            FrameKind::Records,
            FrameKind::Padding,
            FrameKind::Seal
        ]
    );
    assert_eq!(frames[0].records(), [b"paid 4711"]);
    assert_eq!((frames[2].offset, frames[2].header.unsynced), (0x2000, 0));
    assert_eq!(frames[3].records(), [&b"paid 4712"[..], b"", b"void 4711"]);
    assert_eq!(frames[3].header.last_lsn(), Lsn::new(44));
    assert!(frames[4..].iter().all(|frame| frame.header.watermark == Lsn::new(44)));
    assert_eq!((frames[5].offset, frames[5].header.unsynced), (0x3000, 0));
}

#[test]
fn a_segment_of_every_kind_of_frame() {
    let segment = golden("v1-frames.wal", &every_kind());
    let header = SegmentHeader::decode(&segment).unwrap();
    assert_eq!(
        (header.optional_features, header.codec, header.alignment),
        (1, CodecId(1000), 4096)
    );
    let (frames, behind) = frames(&segment, Identity::of(&header));
    assert_eq!(behind, FrameFault::Blank, "the segment ends with its seal");

    let kinds: Vec<_> = frames.iter().map(|frame| frame.header.kind).collect();
    let mut expected = vec![
        FrameKind::Records,
        FrameKind::Start,
        FrameKind::Padding,
        FrameKind::Skippable(0x8a),
        FrameKind::Records,
    ];
    expected.extend([FrameKind::Records; 5]);
    expected.extend([FrameKind::Padding, FrameKind::Padding, FrameKind::Seal]);
    assert_eq!(kinds, expected);
    assert_eq!(frames[0].records(), [&[][..], &long(127), &long(128)]);
    let start = Start::decode(&frames[1].body);
    assert_eq!(start, Some(Start { segment: SegmentId::new(2), lsn: Lsn::new(42) }));
    assert_eq!((frames[2].header.unsynced, frames[3].offset), (376, 8192));
    assert_eq!(frames[3].body, b"of a later version");
    assert_eq!((frames[4].header.transform, frames[4].header.count), (TransformId(200), 2));
    assert_eq!(frames[4].body, b"stored otherwise");
    for (frame, lsn) in frames[5..10].iter().zip(46..) {
        assert_eq!(frame.header.first_lsn, Lsn::new(lsn));
        assert_eq!(frame.records(), [long(16384)]);
    }
    assert_eq!(frames[10].header.body_len, 0);

    let last = frames.last().unwrap();
    let len = segment.len() as u64;
    assert_eq!(seal_offset(&segment[segment.len() - 8..], len), Some(last.offset));
    let seal = Seal::decode(&last.body).unwrap();
    assert_eq!((seal.min_lsn, seal.max_lsn), (Lsn::new(41), Lsn::new(50)));
    assert_eq!((seal.records, seal.frames), (10, 12));
    let entry = |frame: usize| IndexEntry {
        lsn: frames[frame].header.first_lsn,
        offset: frames[frame].offset,
    };
    assert_eq!(seal.index, [entry(0), entry(9)]);
}

/// The file `ANCHOR` after its second writing: the log of the worked segment, as it was once segment 2
/// was durable, with the record carried over and the mark.
#[test]
fn an_anchor_in_its_second_slot() {
    let (header, _) = successor();
    let start = |lsn| Start { segment: SegmentId::FIRST, lsn: Lsn::new(lsn) };
    let first = Anchor::new(header.log, SegmentId::FIRST, Lsn::ZERO, start(1));
    // The mark of the recovery is durable, too.
    let second = Anchor::new(header.log, header.id, Lsn::new(41), start(31));
    let second = second.of_newest(header.first_lsn, 0x2030);
    let (mut slots, mut made) = (Slots::default(), vec![0; 2 * SLOT_LEN]);
    for anchor in [first, second] {
        let (at, slot) = slots.replace(&anchor.encode());
        let at = usize::try_from(at).unwrap();
        made[at..at + SLOT_LEN].copy_from_slice(&slot);
    }
    let kept = golden("v1-anchor", &made);
    let read = |file: &[u8]| Anchor::decode(Slots::decode(file).unwrap().bytes().unwrap());
    assert_eq!(read(&kept), Ok(second));
    assert_eq!(read(&kept[..SLOT_LEN]), Ok(first));
}

/// No bit of a sealed segment is unguarded: flip any, and its header, one of its frames or the
/// seal no longer reads as it did.
#[test]
fn every_flipped_bit_of_a_sealed_segment_is_noticed() {
    let mut segment = worked_file();
    let identity = Identity::of(&SegmentHeader::decode(&segment).unwrap());
    let clean = frames(&segment, identity).0;
    for bit in HEADER_LEN * 8..segment.len() * 8 {
        segment[bit / 8] ^= 1 << (bit % 8);
        let (read, fault) = frames(&segment, identity);
        assert_eq!(fault, FrameFault::Damaged, "bit {bit}");
        assert_eq!(read, clean[..read.len()], "bit {bit}");
        assert!(read.len() < clean.len(), "bit {bit}");
        segment[bit / 8] ^= 1 << (bit % 8);
    }
}

/// Cut anywhere, a segment reads as its first frames, and as nothing that was not written.
#[test]
fn every_truncation_leaves_a_prefix() {
    let segment = worked_file();
    let identity = Identity::of(&SegmentHeader::decode(&segment).unwrap());
    let clean = frames(&segment, identity).0;
    for len in HEADER_LEN..segment.len() {
        let (read, _) = frames(&segment[..len], identity);
        let whole =
            clean.iter().take_while(|frame| frame.offset + frame.header.frame_len() <= len as u64);
        assert!(read.iter().eq(whole), "{len} bytes");
    }
}
