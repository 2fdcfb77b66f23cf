//! The decoders of the format.

use std::ops::Range;

use wal::parts::core::format::{
    FRAME_HEADER_LEN, FrameFault, FrameHeader, FrameKind, HEADER_LEN, HeaderFault, Identity,
    MAX_BODY_LEN, Records, Seal, SegmentHeader, Start, push_record, seal_offset,
};
use wal::{Lsn, Position, SegmentId};

use crate::input::Input;
use crate::mend::{self, Padding};

/// The first block of a segment. What decodes is, encoded again, the same block.
pub fn segment_header(bytes: &[u8]) {
    segment_header_by(bytes, SegmentHeader::decode);
}

pub(crate) fn segment_header_by(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<SegmentHeader, HeaderFault>,
) {
    let mut input = Input::new(bytes);
    let mode = input.byte();
    let mut block = input.rest().to_vec();
    if !mode.is_multiple_of(4) {
        block.resize(HEADER_LEN, 0);
    }
    match mode % 4 {
        1 => mend::header(&mut block),
        2 => mend::header_crc(&mut block),
        _ => {}
    }
    match decode(&block) {
        Ok(header) => {
            let same = header.encode() == block[..HEADER_LEN];
            assert!(same, "decoded {header:?}, and encoded another");
        }
        Err(fault) => {
            let mended = mode % 4 == 1;
            assert!(
                !mended || fault == HeaderFault::Nonsense,
                "{fault:?}, and the checksum is right"
            );
        }
    }
}

/// A frame. What decodes makes sense, and its body is checked whole.
pub fn frame(bytes: &[u8]) {
    frame_by(bytes, FrameHeader::decode);
}

pub(crate) fn frame_by(
    bytes: &[u8],
    decode: impl Fn(&[u8], Identity, u64) -> Result<FrameHeader, FrameFault>,
) {
    let mut input = Input::new(bytes);
    let (mode, seed, at) = (input.byte(), input.u32(), input.u64());
    let (identity, offset) = (Identity::new(seed), at);
    let mut frame = input.rest().to_vec();
    let mended = !mode.is_multiple_of(3) && frame.len() >= FRAME_HEADER_LEN;
    if mended {
        let padding = if mode % 3 == 1 { Padding::Zeroed } else { Padding::Kept };
        mend::frame(&mut frame, identity, offset, padding);
    }
    let header = match decode(&frame, identity, offset) {
        Ok(header) => header,
        Err(fault) => {
            // A kind of zero is where nothing was written.
            let damaged = matches!(fault, FrameFault::Blank | FrameFault::Damaged);
            assert!(!mended || !damaged || frame[4] == 0, "{fault:?}, and the checksum is right");
            return;
        }
    };
    assert!(header.body_len as usize <= MAX_BODY_LEN);
    assert!(header.first_lsn >= Lsn::FIRST);
    assert_eq!(header.count > 0, header.kind == FrameKind::Records, "{header:?}");
    assert_eq!(header.last_lsn().since(header.first_lsn.previous()), u64::from(header.count));
    assert!(header.durable_offset(offset) <= offset);
    assert!(header.vouches_for(offset, header.watermark, u64::MAX));
    assert!(header.frame_len() >= FRAME_HEADER_LEN as u64 + u64::from(header.body_len));
    let there = header.padded_body_len() <= (frame.len() - FRAME_HEADER_LEN) as u64;
    let end = if there { header.frame_len() } else { frame.len() as u64 };
    let body = &frame[FRAME_HEADER_LEN..usize::try_from(end).unwrap_or(frame.len())];
    let sound = header.matches(body, identity, offset);
    let zeros = body.iter().skip(header.body_len as usize).all(|&byte| byte == 0);
    let right = mend::body_crc(body, identity, offset) == header.body_crc;
    assert_eq!(sound, there && zeros && right, "whole {there}, padded {zeros}, checksum {right}");
    let elsewhere = decode(&frame, identity, offset ^ 8);
    assert!(elsewhere.is_err(), "a frame is sound at an offset that it was not written for");
}

/// The body of a records frame. The records lie in it one behind the other, and encode to it.
pub fn records(bytes: &[u8]) {
    records_by(bytes, Records::new);
}

pub(crate) fn records_by<'a, W>(bytes: &'a [u8], walk: impl Fn(&'a [u8], u32) -> W)
where
    W: Iterator<Item = Option<Range<usize>>>,
{
    let mut input = Input::new(bytes);
    let count = if input.byte().is_multiple_of(2) { u32::from(input.byte()) } else { input.u32() };
    let body = input.rest();
    let mut again = Vec::new();
    let mut found = 0_u32;
    let mut records = walk(body, count);
    for record in records.by_ref() {
        let Some(range) = record else {
            assert!(records.next().is_none(), "a walk goes on behind its last item");
            return;
        };
        push_record(&mut again, &body[range.clone()]);
        assert_eq!(again.len(), range.end, "records overlap, or leave a gap");
        found += 1;
    }
    assert_eq!(found, count);
    assert!(again == body, "the records of a body encode to another body");
}

/// The body of a seal, and the end of a segment. A seek never leads behind the record it is for.
pub fn seal(bytes: &[u8]) {
    seal_by(bytes, Seal::seek);
}

pub(crate) fn seal_by(bytes: &[u8], seek: impl Fn(&Seal, Lsn) -> Option<u64>) {
    let mut input = Input::new(bytes);
    let (len, lsn) = (input.u64(), Lsn::new(input.u64()));
    let body = input.rest();
    if let Some(offset) = seal_offset(body, len) {
        assert!(offset >= HEADER_LEN as u64 && offset < len);
    }
    let Some(seal) = Seal::decode(body) else { return };
    assert!(seal.index.len() <= body.len() / 16, "an index larger than its bytes");
    let lead = seal.index.iter().rfind(|entry| entry.lsn <= lsn).map(|entry| entry.offset);
    assert_eq!(seek(&seal, lsn), lead, "a seek to {lsn}");
    assert!(format!("{seal:?}").len() < 1000, "debug output shows contents");
}

/// A log's start. What decodes is, encoded again, the same bytes.
pub fn start(bytes: &[u8]) {
    start_by(bytes, Start::decode);
}

pub(crate) fn start_by(bytes: &[u8], decode: impl Fn(&[u8]) -> Option<Start>) {
    let Some(start) = decode(bytes) else { return };
    assert_eq!(start.encode(), bytes);
    assert!(start.segment >= SegmentId::FIRST && start.lsn >= Lsn::FIRST);
    let position = Position { segment: start.segment, offset: start.lsn.get() };
    assert!(!position.to_string().is_empty());
}
