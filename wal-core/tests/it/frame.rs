//! The frame header: what is a frame of this segment at this offset, and what is anything else.

use proptest::prelude::*;
use wal_core::format::{
    FRAME_HEADER_LEN, FrameFault, FrameHeader, FrameKind, HEADER_LEN, Identity, MAX_BODY_LEN,
    OpenSegment, SegmentHeader, Start,
};
use wal_core::{Epoch, Lsn, SegmentId, TransformId};

use crate::fixture::{HandFrame, body_frame, header, records_frame, seeded, stamp, whole_frame};

const AT: u64 = HEADER_LEN as u64;

/// Makes a good frame a bad one.
type Change = fn(&mut HandFrame<'_>);

fn identity() -> Identity {
    Identity::of(&header())
}

/// A frame of three records whose body needs padding.
fn sample() -> Vec<u8> {
    let mut segment = OpenSegment::new(header());
    let frame = records_frame(&mut segment, &[&b"paid 4711"[..], b"", &[0xa5; 130]], stamp(0));
    assert!(!(frame.len() - FRAME_HEADER_LEN - 143).is_multiple_of(8) && frame.len() == 192);
    frame
}

/// A frame of each kind, at the first offset of a segment.
fn one_of_each_kind() -> Vec<(FrameKind, Vec<u8>)> {
    let fresh = || OpenSegment::new(header());
    let start = Start { segment: SegmentId::FIRST, lsn: Lsn::FIRST };
    vec![
        (FrameKind::Records, records_frame(&mut fresh(), &["a", "bc"], stamp(0))),
        (FrameKind::Padding, fresh().padding_frame(256, stamp(0))),
        (FrameKind::Seal, fresh().seal_frame(stamp(0))),
        (FrameKind::Start, fresh().start_frame(start, stamp(0))),
        (FrameKind::Skippable(0x80), HandFrame::new(0x80, 1, b"later").encode(&header(), AT)),
        (FrameKind::Skippable(0xff), HandFrame::new(0xff, 1, b"").encode(&header(), AT)),
    ]
}

#[test]
fn every_kind_of_frame_comes_back() {
    for (kind, frame) in one_of_each_kind() {
        let read = whole_frame(&frame, identity(), AT).unwrap();
        assert_eq!(read.kind, kind);
        assert_eq!(read.frame_len(), frame.len() as u64);
    }
}

/// The code and the document agree on every byte: a frame laid out by hand is the frame the
/// crate writes.
#[test]
fn a_frame_laid_out_by_hand_is_the_same_frame() {
    let mut segment = OpenSegment::new(header());
    let first = body_frame(&mut segment, b"\x02hi\x00", 2, TransformId(200), stamp(0));
    segment.synced(segment.end());
    let second = body_frame(&mut segment, b"\x01x", 1, TransformId::NONE, stamp(2));

    let mut hand = HandFrame::new(1, 1, b"\x02hi\x00");
    hand.transform = 200;
    hand.count = 2;
    hand.unsynced = 0;
    hand.timestamp = stamp(0).timestamp;
    assert_eq!(hand.encode(&header(), AT), first);

    let mut hand = HandFrame::new(1, 3, b"\x01x");
    hand.count = 1;
    hand.unsynced = 0;
    hand.watermark = 2;
    hand.timestamp = stamp(2).timestamp;
    assert_eq!(hand.encode(&header(), AT + first.len() as u64), second);
}

#[test]
fn every_flipped_bit_is_damage() {
    for (kind, mut frame) in one_of_each_kind() {
        for bit in 0..frame.len() * 8 {
            frame[bit / 8] ^= 1 << (bit % 8);
            let fault = whole_frame(&frame, identity(), AT);
            assert_eq!(fault, Err(FrameFault::Damaged), "{kind:?} bit {bit}");
            frame[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn every_shorter_length_is_damage() {
    let frame = sample();
    for len in 1..frame.len() {
        let fault = whole_frame(&frame[..len], identity(), AT);
        assert_eq!(fault, Err(FrameFault::Damaged), "{len} bytes");
    }
}

#[test]
fn zeros_are_blank_at_every_length() {
    for len in 0..=4 * FRAME_HEADER_LEN {
        let fault = FrameHeader::decode(&vec![0; len], identity(), AT);
        assert_eq!(fault, Err(FrameFault::Blank), "{len} bytes");
    }
}

/// A frame torn inside its header, over space that read as zeros.
#[test]
fn a_header_torn_anywhere_is_damage() {
    let whole = sample();
    for kept in 1..FRAME_HEADER_LEN {
        let mut torn = vec![0; whole.len()];
        torn[..kept].copy_from_slice(&whole[..kept]);
        let fault = FrameHeader::decode(&torn, identity(), AT);
        assert_eq!(fault, Err(FrameFault::Damaged), "{kept} bytes kept");
    }
}

/// The body's length alone does not make it the body: bytes too many or too few are not it.
#[test]
fn a_body_of_another_length_does_not_match() {
    let frame = sample();
    let read = FrameHeader::decode(&frame, identity(), AT).unwrap();
    let mut body = frame[FRAME_HEADER_LEN..].to_vec();
    assert!(read.matches(&body, identity(), AT));
    body.extend([0; 8]);
    assert!(!read.matches(&body, identity(), AT));
    assert!(!read.matches(&body[..read.body_len as usize], identity(), AT));
}

/// The checksum covers the padding, and the padding must be zero all the same: otherwise two
/// different files would hold the same log.
#[test]
fn padding_that_is_not_zero_does_not_match() {
    let mut hand = HandFrame::new(1, 1, b"\x02hi\x00\x00\x00\x00\x01");
    hand.count = 1;
    hand.body_len = 3;
    let frame = hand.encode(&header(), AT);
    assert!(FrameHeader::decode(&frame, identity(), AT).is_ok());
    assert_eq!(whole_frame(&frame, identity(), AT), Err(FrameFault::Damaged));
}

/// A write that went to the wrong place, a block that a file system restored elsewhere.
#[test]
fn a_frame_at_another_offset_is_damage() {
    let frame = sample();
    let read = FrameHeader::decode(&frame, identity(), AT).unwrap();
    let near = (AT + 8..AT + (1 << 16)).step_by(8);
    let far = (0..64).map(|bit| AT ^ (1 << bit));
    for offset in near.chain(far).chain([0, u64::MAX]) {
        let fault = FrameHeader::decode(&frame, identity(), offset);
        assert_eq!(fault, Err(FrameFault::Damaged), "offset {offset}");
        assert!(!read.matches(&frame[FRAME_HEADER_LEN..], identity(), offset), "offset {offset}");
    }
}

/// A recycled file, a segment restored under another name, a file of another log.
#[test]
fn a_frame_of_another_identity_is_damage() {
    let mut others = Vec::new();
    for bit in 0..128 {
        let mut other = header();
        other.log.0[bit / 8] ^= 1 << (bit % 8);
        others.push(other);
    }
    for bit in 0..64 {
        let mut other = header();
        other.id = SegmentId::new(other.id.get() ^ 1 << bit);
        others.push(other);
        let mut other = header();
        other.epoch = Epoch::new(other.epoch.get() ^ 1 << bit);
        others.push(other);
        let mut other = header();
        other.salt ^= 1 << bit;
        others.push(other);
    }
    let frame = sample();
    let read = FrameHeader::decode(&frame, identity(), AT).unwrap();
    for other in others {
        let identity = Identity::of(&other);
        let fault = FrameHeader::decode(&frame, identity, AT);
        assert_eq!(fault, Err(FrameFault::Damaged), "{other:?}");
        assert!(!read.matches(&frame[FRAME_HEADER_LEN..], identity, AT), "{other:?}");
    }
}

/// What is no part of the identity does not change it, so a header may be read without it.
#[test]
fn an_identity_is_of_log_segment_epoch_and_salt_alone() {
    let mut other = header();
    other.created += 1;
    other.alignment = 4096;
    other.optional_features = 1;
    assert_eq!(Identity::of(&other), identity());
    assert_eq!(Identity::new(identity().get()), identity());
}

#[test]
fn unknown_kinds_are_named_or_skipped() {
    for kind in 1..=u8::MAX {
        let read =
            whole_frame(&HandFrame::new(kind, 5, b"body").encode(&header(), AT), identity(), AT);
        match kind {
            1 => assert_eq!(read, Err(FrameFault::Nonsense), "records without a count"),
            2 => assert_eq!(read.unwrap().kind, FrameKind::Padding),
            3 => assert_eq!(read.unwrap().kind, FrameKind::Seal),
            4 => assert_eq!(read.unwrap().kind, FrameKind::Start),
            5..0x80 => assert_eq!(read, Err(FrameFault::Kind(kind))),
            0x80.. => {
                let read = read.unwrap();
                assert_eq!(read.kind, FrameKind::Skippable(kind));
                assert_eq!(read.frame_len(), 56);
                assert_eq!(read.last_lsn(), Lsn::new(4));
            }
            0 => unreachable!("zero is no kind"),
        }
    }
}

#[test]
fn a_kind_of_zero_is_damage_whatever_its_checksum() {
    let frame = HandFrame::new(0, 5, b"body").encode(&header(), AT);
    assert_eq!(FrameHeader::decode(&frame, identity(), AT), Err(FrameFault::Damaged));
}

/// A flag changes what a frame means, so even a frame that may be skipped must not be when it
/// carries one.
#[test]
fn flags_are_named_whatever_the_kind() {
    for kind in [1, 2, 5, 0x80] {
        for bit in 0..16 {
            let mut hand = HandFrame::new(kind, 5, b"body");
            hand.flags = 1 << bit;
            let fault = FrameHeader::decode(&hand.encode(&header(), AT), identity(), AT);
            assert_eq!(fault, Err(FrameFault::Flags(1 << bit)));
        }
    }
}

#[test]
fn fields_that_make_no_sense_together_are_nonsense() {
    let good = || {
        let mut hand = HandFrame::new(1, 5, b"\x01x");
        hand.count = 1;
        hand
    };
    assert!(whole_frame(&good().encode(&header(), AT), identity(), AT).is_ok());
    let cases: [(&str, Change); 7] = [
        ("records without a count", |hand| hand.count = 0),
        ("records without a body", |hand| hand.body_len = 0),
        ("a count without records", |hand| hand.kind = 2),
        ("a count in a skippable kind", |hand| hand.kind = 0x80),
        ("no first record", |hand| hand.first_lsn = 0),
        ("more records than numbers", |hand| hand.first_lsn = u64::MAX),
        ("a body over the limit", |hand| {
            hand.body_len = u32::try_from(MAX_BODY_LEN).unwrap() + 1;
        }),
    ];
    for (what, change) in cases {
        let mut hand = good();
        change(&mut hand);
        let fault = FrameHeader::decode(&hand.encode(&header(), AT), identity(), AT);
        assert_eq!(fault, Err(FrameFault::Nonsense), "{what}");
    }
}

#[test]
fn a_frame_without_a_body_repeats_the_watermark() {
    let mut segment = OpenSegment::new(header());
    let first = records_frame(&mut segment, &["a", "b"], stamp(0));
    segment.synced(segment.end());
    let offset = segment.end();
    let mark = segment.padding_frame(FRAME_HEADER_LEN, stamp(2));
    assert_eq!(mark.len(), FRAME_HEADER_LEN);
    let read = whole_frame(&mark, identity(), offset).unwrap();
    assert_eq!((read.watermark, read.unsynced), (Lsn::new(2), 0));
    assert!(read.vouches_for(offset, Lsn::new(2), AT));
    assert!(read.vouches_for(offset, Lsn::MAX, AT + first.len() as u64 - 1));
    assert!(!read.vouches_for(offset, Lsn::new(3), offset));
}

#[test]
fn a_frame_that_claims_nothing_vouches_for_its_watermark_alone() {
    let mut hand = HandFrame::new(2, 5, b"");
    hand.watermark = 3;
    let read = whole_frame(&hand.encode(&header(), 1 << 40), identity(), 1 << 40).unwrap();
    assert_eq!(read.unsynced, u32::MAX);
    assert_eq!(read.durable_offset(1 << 40), 0);
    assert!(read.vouches_for(1 << 40, Lsn::new(3), AT));
    assert!(!read.vouches_for(1 << 40, Lsn::new(4), 0));
}

/// Hostile numbers: a window wider than the segment, at the end of all numbers.
#[test]
fn a_window_wider_than_the_segment_vouches_for_no_byte() {
    let mut hand = HandFrame::new(2, u64::MAX, b"");
    hand.unsynced = u32::MAX - 1;
    let read = whole_frame(&hand.encode(&header(), AT), identity(), AT).unwrap();
    assert_eq!(read.durable_offset(AT), 0);
    assert!(!read.vouches_for(AT, Lsn::FIRST, 0));
    assert_eq!(read.last_lsn(), Lsn::new(u64::MAX - 1));
}

proptest! {
    #![proptest_config(seeded(2000))]

    #[test]
    fn no_bytes_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        seed: u32,
        offset: u64,
    ) {
        prop_assert!(whole_frame(&bytes, Identity::new(seed), offset).is_err());
        prop_assert!(FrameHeader::decode(&bytes, Identity::new(seed), offset).is_err());
    }

    /// With both checksums right, and every field as hostile as it can be, all that may be asked
    /// of a header has an answer.
    #[test]
    fn no_fields_panic(
        kind: u8, transform: u8, flags in prop_oneof![4 => Just(0_u16), 1 => any::<u16>()],
        count in prop_oneof![Just(0_u32), any::<u32>()], unsynced: u32, body_len: u32,
        first_lsn: u64, watermark: u64, timestamp: u64, offset: u64, asked: u64,
    ) {
        let hand = HandFrame {
            body_len, kind, transform, flags, count, unsynced, first_lsn, watermark, timestamp,
            body: b"sixteen byte body",
        };
        let frame = hand.encode(&header(), offset);
        if let Ok(read) = FrameHeader::decode(&frame, identity(), offset) {
            prop_assert!(read.frame_len() >= FRAME_HEADER_LEN as u64);
            prop_assert!(read.last_lsn() >= read.first_lsn.previous());
            prop_assert!(read.durable_offset(offset) <= offset);
            let _ = read.vouches_for(offset, Lsn::new(asked), asked);
            let matches = read.matches(&frame[FRAME_HEADER_LEN..], identity(), offset);
            prop_assert!(!matches || (17..=24).contains(&body_len));
        }
    }

    /// A header names its segment: two segments of one log, and a frame of either, never mix.
    #[test]
    fn frames_of_two_segments_never_mix(
        salts in any::<(u64, u64)>().prop_filter("distinct", |(a, b)| a != b),
        record in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let of = |salt| {
            let log = header().log;
            SegmentHeader::new(log, SegmentId::FIRST, Epoch::new(1), Lsn::FIRST, salt)
        };
        let (one, other) = (of(salts.0), of(salts.1));
        prop_assume!(Identity::of(&one) != Identity::of(&other));
        let frame = records_frame(&mut OpenSegment::new(one), &[record], stamp(0));
        let fault = whole_frame(&frame, Identity::of(&other), AT);
        prop_assert_eq!(fault, Err(FrameFault::Damaged));
    }
}
