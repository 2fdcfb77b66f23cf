//! [`walk`]: the frames of one segment, also past the ones that are damaged.

use std::ops::Range;

use wal::parts::core::format::{
    FRAME_ALIGN, FRAME_HEADER_LEN, FrameFault, FrameHeader, HEADER_LEN, Identity, is_blank,
};
use wal::parts::core::{SegmentReader, Unwritten};
use wal::{Error, SegmentId};

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// A stretch of a segment.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// A frame whose header is sound.
    Frame {
        /// Where it begins.
        offset: u64,
        /// Its header.
        header: FrameHeader,
        /// Whether its body is sound, too.
        body: Body,
    },
    /// Bytes in which no frame header is sound, up to the next one that is, or to the last block
    /// that is not zero.
    Damaged(Range<u64>),
    /// As that, and behind the last frame in space that another segment has used: its bytes, most likely.
    UsedBefore(Range<u64>),
}

impl Piece {
    /// The bytes of it that are wrong, if any are.
    pub(crate) fn wrong(&self) -> Option<Range<u64>> {
        match self {
            Self::Frame { offset, header, body: Body::Damaged } => {
                Some(*offset..offset.saturating_add(header.frame_len()))
            }
            Self::Frame { .. } | Self::UsedBefore(_) => None,
            Self::Damaged(range) => Some(range.clone()),
        }
    }
}

/// What a frame's checksum says of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// It is the one that was written.
    Sound,
    /// It is not, or not whole.
    Damaged,
}

/// Gives each piece of the segment before the byte `end` to `each`, in order. Space never written
/// is no piece, where it can be told: `unwritten` is what it reads as.
pub(crate) fn walk(
    (id, segment): (SegmentId, &dyn SegmentReader),
    identity: Identity,
    unwritten: Unwritten,
    end: u64,
    each: &mut dyn FnMut(Piece) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut window = Window { id, segment, end, at: 0, bytes: Vec::new() };
    let mut offset = HEADER_LEN as u64;
    while offset < end {
        let Ok(header) = window.header(identity, offset)? else {
            let (damaged, next) = window.next_header(identity, offset)?;
            if let Some(damaged) = damaged {
                let used_before = next.is_none() && unwritten != Unwritten::Zeros;
                let piece = if used_before { Piece::UsedBefore } else { Piece::Damaged };
                each(piece(damaged))?;
            }
            let Some(next) = next else { return Ok(()) };
            offset = next;
            continue;
        };
        let frame = window.get(offset, header.frame_len())?;
        let matches =
            header.matches(frame.get(FRAME_HEADER_LEN..).unwrap_or(&[]), identity, offset);
        let body = if matches { Body::Sound } else { Body::Damaged };
        each(Piece::Frame { offset, header, body })?;
        offset += header.frame_len();
    }
    Ok(())
}

/// The part of a segment that is in memory.
struct Window<'a> {
    id: SegmentId,
    segment: &'a dyn SegmentReader,
    end: u64,
    at: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// The `len` bytes at `offset`, or as many as there are before the end.
    fn get(&mut self, offset: u64, len: u64) -> anyhow::Result<&[u8]> {
        let len = usize::try_from(len.min(self.end.saturating_sub(offset)))?;
        let there = offset.checked_sub(self.at).map(usize::try_from).transpose()?;
        let from = match there {
            Some(from) if from + len <= self.bytes.len() => from,
            _ => {
                let wanted = len.max(CHUNK).min(usize::try_from(self.end - offset)?);
                self.bytes.resize(wanted, 0);
                let read = self.segment.read_at(offset, &mut self.bytes).map_err(|cause| {
                    let error = Error::reading("reading a segment failed", cause);
                    error.segment(self.id).offset(offset)
                })?;
                self.bytes.truncate(read);
                self.at = offset;
                0
            }
        };
        Ok(&self.bytes[from..(from + len).min(self.bytes.len())])
    }

    fn header(
        &mut self,
        identity: Identity,
        offset: u64,
    ) -> anyhow::Result<Result<FrameHeader, FrameFault>> {
        Ok(FrameHeader::decode(self.get(offset, FRAME_HEADER_LEN as u64)?, identity, offset))
    }

    /// The damage from `offset` on, if it is any, and the sound frame header behind it, if there is
    /// one.
    fn next_header(
        &mut self,
        identity: Identity,
        offset: u64,
    ) -> anyhow::Result<(Option<Range<u64>>, Option<u64>)> {
        let mut written = offset;
        let mut block = offset;
        while block < self.end {
            // Up to the block's end, so that blocks are those of the file.
            let block_end = ((block / 4096 + 1) * 4096).min(self.end);
            if !is_blank(self.get(block, block_end - block)?) {
                for place in (block..block_end).step_by(FRAME_ALIGN) {
                    if place > offset && self.header(identity, place)?.is_ok() {
                        return Ok((Some(offset..place), Some(place)));
                    }
                }
                written = block_end;
            }
            block = block_end;
        }
        Ok(((written > offset).then_some(offset..written), None))
    }
}
