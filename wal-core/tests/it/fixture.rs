//! Segments with fixed contents, frames laid out by hand, and a reader of whole segments.

use crc32c::{crc32c, crc32c_append};
use proptest::test_runner::{Config, RngSeed};
use wal_core::format::{
    FRAME_HEADER_LEN, FrameFault, FrameHeader, FrameKind, HEADER_LEN, Identity, OpenSegment,
    Records, SegmentHeader, Stamp, push_record, round_up,
};
use wal_core::{Epoch, LogId, Lsn, SegmentId, TransformId};

/// Where the checksum of a segment header lies.
pub(crate) const HEADER_CRC_AT: usize = HEADER_LEN - 4;

/// The first segment of a log whose every identifying field has bits set.
pub(crate) fn header() -> SegmentHeader {
    let log = LogId(*b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff");
    let salt = 0x0123_4567_89ab_cdef;
    let mut header = SegmentHeader::new(log, SegmentId::FIRST, Epoch::new(1), Lsn::FIRST, salt);
    header.created = 1_700_000_000_000_000_000;
    header
}

/// A stamp some seconds after the header was made.
pub(crate) fn stamp(watermark: u64) -> Stamp {
    let timestamp = 1_700_000_000_000_000_000 + (watermark + 1) * 1_000_000_000;
    Stamp { watermark: Lsn::new(watermark), timestamp }
}

/// A frame of these records, as the next of `segment`.
pub(crate) fn records_frame<R: AsRef<[u8]>>(
    segment: &mut OpenSegment,
    records: &[R],
    stamp: Stamp,
) -> Vec<u8> {
    let mut body = Vec::new();
    for record in records {
        push_record(&mut body, record.as_ref());
    }
    body_frame(segment, &body, records.len(), TransformId::NONE, stamp)
}

/// A records frame of this stored body, as the next of `segment`.
pub(crate) fn body_frame(
    segment: &mut OpenSegment,
    body: &[u8],
    count: usize,
    transform: TransformId,
    stamp: Stamp,
) -> Vec<u8> {
    let mut frame = vec![0; FRAME_HEADER_LEN];
    frame.extend_from_slice(body);
    frame.resize(FRAME_HEADER_LEN + padded(body.len()), 0);
    let len = u32::try_from(body.len()).expect("a test's body is small");
    let count = u32::try_from(count).expect("a test's records are few");
    segment.push_records(&mut frame, len, count, transform, stamp);
    frame
}

fn padded(len: usize) -> usize {
    usize::try_from(round_up(len as u64, 8)).expect("a test's body is small")
}

/// A frame laid out field by field as FORMAT.md says, without any code of the crate: what a writer
/// of another version, or a hostile one, could make.
#[derive(Clone, Debug)]
pub(crate) struct HandFrame<'a> {
    pub(crate) body_len: u32,
    pub(crate) kind: u8,
    pub(crate) transform: u8,
    pub(crate) flags: u16,
    pub(crate) count: u32,
    pub(crate) unsynced: u32,
    pub(crate) first_lsn: u64,
    pub(crate) watermark: u64,
    pub(crate) timestamp: u64,
    pub(crate) body: &'a [u8],
}

impl<'a> HandFrame<'a> {
    pub(crate) fn new(kind: u8, first_lsn: u64, body: &'a [u8]) -> Self {
        Self {
            body_len: u32::try_from(body.len()).expect("a test's body is small"),
            kind,
            transform: 0,
            flags: 0,
            count: 0,
            unsynced: u32::MAX,
            first_lsn,
            watermark: 0,
            timestamp: 0,
            body,
        }
    }

    /// The bytes of the frame at `offset` of the segment with this header.
    pub(crate) fn encode(&self, segment: &SegmentHeader, offset: u64) -> Vec<u8> {
        let mut name = segment.log.0.to_vec();
        name.extend(segment.id.get().to_le_bytes());
        name.extend(segment.epoch.get().to_le_bytes());
        name.extend(segment.salt.to_le_bytes());
        let seed = crc32c_append(crc32c(&name), &offset.to_le_bytes());

        let mut body = self.body.to_vec();
        body.resize(padded(body.len()), 0);
        let mut frame = Vec::new();
        frame.extend(self.body_len.to_le_bytes());
        frame.extend([self.kind, self.transform]);
        frame.extend(self.flags.to_le_bytes());
        frame.extend(self.count.to_le_bytes());
        frame.extend(self.unsynced.to_le_bytes());
        frame.extend(self.first_lsn.to_le_bytes());
        frame.extend(self.watermark.to_le_bytes());
        frame.extend(self.timestamp.to_le_bytes());
        frame.extend(crc32c_append(seed, &body).to_le_bytes());
        frame.extend(crc32c_append(seed, &frame).to_le_bytes());
        frame.extend(body);
        frame
    }
}

/// Makes the checksum of a segment header right again after a test has changed it.
pub(crate) fn mend(header: &mut [u8]) {
    let crc = crc32c(&header[..HEADER_CRC_AT]);
    header[HEADER_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
}

/// The header of the frame at the start of `bytes`, which lie at `offset` of their segment, where
/// header and body are both whole.
pub(crate) fn whole_frame(
    bytes: &[u8],
    identity: Identity,
    offset: u64,
) -> Result<FrameHeader, FrameFault> {
    let header = FrameHeader::decode(bytes, identity, offset)?;
    let end = usize::try_from(header.frame_len()).expect("two GiB at most");
    let body = bytes.get(FRAME_HEADER_LEN..end).ok_or(FrameFault::Damaged)?;
    if header.matches(body, identity, offset) { Ok(header) } else { Err(FrameFault::Damaged) }
}

/// A frame as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadFrame {
    pub(crate) offset: u64,
    pub(crate) header: FrameHeader,
    pub(crate) body: Vec<u8>,
}

impl ReadFrame {
    /// The frame's records; the body is as many as the header counts.
    pub(crate) fn records(&self) -> Vec<&[u8]> {
        assert_eq!(self.header.kind, FrameKind::Records);
        Records::new(&self.body, self.header.count)
            .map(|range| &self.body[range.expect("the body is as many records as counted")])
            .collect()
    }
}

/// All frames of a segment up to the first place where there is none, and what is there instead.
pub(crate) fn frames(segment: &[u8], identity: Identity) -> (Vec<ReadFrame>, FrameFault) {
    let mut at = HEADER_LEN;
    let mut frames = Vec::new();
    loop {
        let bytes = segment.get(at..).unwrap_or_default();
        match whole_frame(bytes, identity, at as u64) {
            Ok(header) => {
                let body = bytes[FRAME_HEADER_LEN..][..header.body_len as usize].to_vec();
                frames.push(ReadFrame { offset: at as u64, header, body });
                at += FRAME_HEADER_LEN + padded(header.body_len as usize);
            }
            Err(fault) => return (frames, fault),
        }
    }
}

/// Random cases from a fixed seed, so that a failure comes back; `PROPTEST_RNG_SEED` sets another.
pub(crate) fn seeded(cases: u32) -> Config {
    let mut config = Config { cases, failure_persistence: None, ..Config::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(0x5ea1);
    }
    config
}
