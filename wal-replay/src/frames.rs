//! [`FrameReader`]: the frames of a segment, one after the other, each verified.

use bytes::{Bytes, BytesMut};
use wal_core::Result;
use wal_core::format::{FRAME_ALIGN, FRAME_HEADER_LEN, FrameFault, FrameHeader, HEADER_LEN};

use crate::segment::Segment;

/// Bytes read at a time, unless it is told otherwise.
const CHUNK: u64 = 1 << 20;

/// Reads frames in order from some offset to a limit. Knows the place it is at and nothing of what
/// the frames mean.
#[derive(Debug)]
pub(crate) struct FrameReader {
    offset: u64,
    limit: u64,
    read_ahead: u64,
    chunk: Bytes,
    chunk_at: u64,
    fills: u64,
}

/// A frame whose checksums are right.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) header: FrameHeader,
    pub(crate) offset: u64,
    /// The header's bytes.
    pub(crate) encoded: Bytes,
    /// The body as stored, without padding.
    pub(crate) body: Bytes,
}

/// What is at the reader's place.
#[derive(Debug)]
pub(crate) enum Step {
    /// A frame; the place is behind it now.
    Frame(Frame),
    /// No frame, for this reason; the place has not moved.
    Fault(FrameFault),
    /// The limit.
    Limit,
}

impl FrameReader {
    pub(crate) fn new(offset: u64, limit: u64) -> Self {
        Self { offset, limit, read_ahead: CHUNK, chunk: Bytes::new(), chunk_at: offset, fills: 0 }
    }

    /// Reads so many bytes at a time from here on, or a whole frame where that is more.
    pub(crate) fn set_read_ahead(&mut self, bytes: u64) {
        self.read_ahead = bytes;
    }

    /// How often bytes were read from the segment: a reader that wants to know whether they count asks
    /// after each time.
    pub(crate) fn fills(&self) -> u64 {
        self.fills
    }

    /// Where the next frame is expected.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where it stops.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Goes on there, which is behind the place.
    pub(crate) fn skip_to(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// Reads no further than this.
    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The next frame of `segment`, which is the same one at every call.
    pub(crate) fn step(&mut self, segment: &Segment) -> Result<Step> {
        if self.offset >= self.limit {
            return Ok(Step::Limit);
        }
        let header_len = FRAME_HEADER_LEN as u64;
        let encoded = self.bytes(segment, header_len)?;
        let header = match FrameHeader::decode(&encoded, segment.identity, self.offset) {
            Ok(header) => header,
            Err(fault) => return Ok(Step::Fault(fault)),
        };
        if header.frame_len() > self.limit - self.offset {
            return Ok(Step::Fault(FrameFault::Damaged));
        }
        // Let go of first, so that the chunk's memory can be used again.
        drop(encoded);
        let frame = self.bytes(segment, header.frame_len())?;
        if !header.matches(
            frame.get(FRAME_HEADER_LEN..).unwrap_or(&[]),
            segment.identity,
            self.offset,
        ) {
            return Ok(Step::Fault(FrameFault::Damaged));
        }
        let encoded = frame.slice(..FRAME_HEADER_LEN);
        let body = frame.slice(FRAME_HEADER_LEN..FRAME_HEADER_LEN + header.body_len as usize);
        let frame = Frame { header, offset: self.offset, encoded, body };
        self.offset += header.frame_len();
        Ok(Step::Frame(frame))
    }

    /// Whether the place is at the limit, or behind it.
    pub(crate) fn is_at_limit(&self) -> bool {
        self.offset >= self.limit
    }

    /// The frame at the reader's place, which somebody says there is; `None` where no header of
    /// ours begins there, damage where one does and its body is another.
    pub(crate) fn step_claimed(&mut self, segment: &Segment) -> Result<Option<Frame>> {
        let offset = self.offset;
        if offset < HEADER_LEN as u64 || !offset.is_multiple_of(FRAME_ALIGN as u64) {
            return Ok(None);
        }
        match self.step(segment)? {
            Step::Frame(frame) => return Ok(Some(frame)),
            Step::Limit => return Ok(None),
            Step::Fault(_) => {}
        }
        let encoded = self.bytes(segment, FRAME_HEADER_LEN as u64)?;
        match FrameHeader::decode(&encoded, segment.identity, offset) {
            Ok(header) => Err(segment.corrupt("frame is damaged", offset, header.first_lsn)),
            Err(_) => Ok(None),
        }
    }

    /// The `len` bytes at the reader's place, or as many as there are before the limit.
    fn bytes(&mut self, segment: &Segment, len: u64) -> Result<Bytes> {
        let len = len.min(self.limit - self.offset);
        let from = self.offset - self.chunk_at;
        if from + len > self.chunk.len() as u64 {
            self.fill(segment, len)?;
        }
        let from = usize::try_from(self.offset - self.chunk_at).unwrap_or(usize::MAX);
        let end = from.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(self.chunk.slice(from.min(self.chunk.len())..end.min(self.chunk.len())))
    }

    fn fill(&mut self, segment: &Segment, len: u64) -> Result<()> {
        // At most what the segment really has: a length is never believed before that. Since it was
        // opened, it may have grown.
        let mut size = segment.size;
        if self.offset.saturating_add(len) > size {
            size = segment.size_now()?;
        }
        let there = size.saturating_sub(self.offset);
        let wanted = len.max(self.read_ahead).min(self.limit - self.offset).min(there);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        // The memory of the last chunk, where no record of it is in use any more.
        let mut chunk = match std::mem::take(&mut self.chunk).try_into_mut() {
            Ok(chunk) => chunk,
            Err(_) => BytesMut::new(),
        };
        chunk.resize(wanted, 0);
        let (read, unreadable) = segment.read_before(self.offset, &mut chunk);
        chunk.truncate(read);
        self.chunk = chunk.freeze();
        self.chunk_at = self.offset;
        self.fills += 1;
        match unreadable {
            // What was only read ahead hurts nothing here.
            Some(error) if (read as u64) < len => Err(error),
            _ => Ok(()),
        }
    }
}
