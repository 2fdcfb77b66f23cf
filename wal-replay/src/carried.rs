//! [`Carried`]: the records that a fresh segment takes over from the one before it.

use bytes::Bytes;
use wal_core::format::{FRAME_ALIGN, FRAME_HEADER_LEN, FrameKind, OpenSegment, Stamp, round_up};
use wal_core::{Error, Lsn, Result, SegmentWriter, TransformId};

use crate::frames::{FrameReader, Step};
use crate::scan::Scan;
use crate::segment::Segment;

/// Bytes of frames that are gathered before they are written, or one frame where that is more.
const PIECE: usize = 1 << 20;

/// The records that a fresh segment takes over: the same ones, under the same LSNs.
#[derive(Debug)]
pub(crate) enum Carried<'a> {
    /// None, or what a truncation keeps of the frame that it cuts.
    Frame(Option<CarriedFrame>),
    /// All from this place in a segment on. They are read as they are written, a piece at a time, so
    /// that a log with much in doubt needs no more memory than one with little.
    Doubtful(&'a Segment, &'a Scan),
}

/// A frame that is carried over.
#[derive(Clone, Debug)]
pub(crate) struct CarriedFrame {
    pub(crate) body: Bytes,
    pub(crate) transform: TransformId,
    pub(crate) count: u32,
    pub(crate) timestamp: u64,
}

impl CarriedFrame {
    fn len(&self) -> u64 {
        FRAME_HEADER_LEN as u64 + round_up(self.body.len() as u64, FRAME_ALIGN as u64)
    }

    /// Adds the frame's bytes to `bytes`, as the next one of `open`.
    fn push(&self, open: &mut OpenSegment, bytes: &mut Vec<u8>, watermark: Lsn) {
        let start = bytes.len();
        bytes.resize(start + FRAME_HEADER_LEN, 0);
        bytes.extend_from_slice(&self.body);
        bytes.resize(bytes.len().next_multiple_of(FRAME_ALIGN), 0);
        let stamp = Stamp { watermark, timestamp: self.timestamp };
        let body_len = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
        open.push_records(&mut bytes[start..], body_len, self.count, self.transform, stamp);
    }
}

impl Carried<'_> {
    /// How many records there are.
    pub(crate) fn records(&self) -> u64 {
        match self {
            Self::Frame(frame) => frame.as_ref().map_or(0, |frame| u64::from(frame.count)),
            Self::Doubtful(_, tail) => tail.last_lsn.since(tail.doubt_lsn),
        }
    }

    /// How many bytes their frames take up.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Frame(frame) => frame.as_ref().map_or(0, CarriedFrame::len),
            Self::Doubtful(..) if self.records() == 0 => 0,
            Self::Doubtful(_, tail) => tail.doubt_bytes,
        }
    }

    /// How many bytes the padding between their pieces takes up at the most. Two pieces in a row are longer
    /// together than [`PIECE`], or they were one; so there are fewer borders than halves of that in all.
    pub(crate) fn padding_len(&self, alignment: u64) -> u64 {
        match self {
            Self::Doubtful(..) if alignment > FRAME_ALIGN as u64 => {
                2 * self.len() / PIECE as u64 * (alignment + FRAME_HEADER_LEN as u64)
            }
            _ => 0,
        }
    }

    /// Writes their frames. What was durable when they were written is what was when this began. The
    /// bytes that are not written yet when this returns, less than a piece, are left in `bytes`.
    ///
    /// Each piece ends on the segment's alignment: the frames may come from a segment that had another one,
    /// and a store that writes past the cache takes whole blocks only.
    pub(crate) fn write(
        &self,
        open: &mut OpenSegment,
        writer: &mut dyn SegmentWriter,
        bytes: &mut Vec<u8>,
    ) -> Result<()> {
        let watermark = open.last_lsn();
        let (segment, tail) = match self {
            Self::Frame(frame) => {
                if let Some(frame) = frame {
                    frame.push(open, bytes, watermark);
                }
                return Ok(());
            }
            Self::Doubtful(segment, tail) => (segment, tail),
        };
        let mut frames = FrameReader::new(tail.doubt, tail.end);
        while open.last_lsn() < tail.last_lsn {
            let offset = frames.offset();
            let Step::Frame(frame) = frames.step(segment)? else {
                let what = "frame is damaged, and it was sound a moment ago";
                return Err(segment.corrupt(what, offset, open.last_lsn().next()));
            };
            if frame.header.kind != FrameKind::Records {
                continue;
            }
            let carried = CarriedFrame {
                body: frame.body,
                transform: frame.header.transform,
                count: frame.header.count,
                timestamp: frame.header.timestamp,
            };
            if !bytes.is_empty() && bytes.len() as u64 + carried.len() > PIECE as u64 {
                let stamp = Stamp { watermark, timestamp: 0 };
                bytes.extend(open.padding_to_alignment(stamp).unwrap_or_default());
                append(writer, bytes)?;
            }
            carried.push(open, bytes, watermark);
        }
        Ok(())
    }
}

/// Writes these bytes and forgets them.
pub(crate) fn append(writer: &mut dyn SegmentWriter, bytes: &mut Vec<u8>) -> Result<()> {
    let written = writer.append(bytes);
    bytes.clear();
    written.map_err(|cause| Error::io("carrying records over failed", cause))
}
