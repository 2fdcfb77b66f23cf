//! [`walk`]: the frames of one segment, also past the ones that are damaged.

use std::ops::Range;

use wal::parts::core::format::{
    FRAME_ALIGN, FRAME_HEADER_LEN, FrameFault, FrameHeader, HEADER_LEN, Identity, is_blank,
};
use wal::parts::core::{SegmentReader, Unwritten, medium_failed};
use wal::{Error, SegmentId};

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;
/// Bytes that a medium loses at a time.
const BLOCK: usize = 4096;
/// Blocks of a segment that cannot be read and are passed: a failing disk takes seconds for each of them.
const MOST_BAD: usize = 64;

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
    /// A block that the medium does not give; what it is a part of is told as damaged.
    Unreadable(Range<u64>),
    /// As damaged bytes, and behind the last frame in space that another segment has used: its bytes, most likely.
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
            Self::Damaged(range) | Self::Unreadable(range) => Some(range.clone()),
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
    let mut window =
        Window { id, segment, end, at: 0, bytes: Vec::new(), bad: Vec::new(), told: 0 };
    let mut offset = HEADER_LEN as u64;
    while offset < end {
        let header = window.header(identity, offset)?;
        window.tell_bad(each)?;
        let Ok(header) = header else {
            let (damaged, next) = window.next_header(identity, offset)?;
            window.tell_bad(each)?;
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
        window.tell_bad(each)?;
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
    /// Blocks that cannot be read, in order; the first `told` of them were given out.
    bad: Vec<Range<u64>>,
    told: usize,
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
                let read = self.read(offset)?;
                self.bytes.truncate(read);
                self.at = offset;
                0
            }
        };
        Ok(&self.bytes[from..(from + len).min(self.bytes.len())])
    }

    /// Fills the window from `offset` on, and what the medium does not give of it with bytes that are neither
    /// zeros nor a frame.
    fn read(&mut self, offset: u64) -> Result<usize, Error> {
        let Self { id, segment, ref mut bytes, ref mut bad, .. } = *self;
        let failed = |at: u64, cause| {
            Error::reading("reading a segment failed", cause).segment(id).offset(at)
        };
        match segment.read_at(offset, bytes) {
            Ok(read) => return Ok(read),
            Err(cause) if !medium_failed(&cause) => return Err(failed(offset, cause)),
            Err(_) => {}
        }
        let mut read = 0;
        while read < bytes.len() {
            let at = offset + read as u64;
            let into_block = usize::try_from(at % BLOCK as u64).unwrap_or_default();
            let len = (BLOCK - into_block).min(bytes.len() - read);
            let part = &mut bytes[read..read + len];
            read += match segment.read_at(at, part) {
                Ok(0) => break,
                Ok(count) => count,
                Err(cause) => {
                    let block = at - into_block as u64..at + len as u64;
                    let known = bad.iter().any(|known| known.start == block.start);
                    if !medium_failed(&cause) || (!known && bad.len() == MOST_BAD) {
                        return Err(failed(block.start, cause));
                    }
                    part.fill(0xff);
                    if !known {
                        bad.push(block);
                    }
                    len
                }
            };
        }
        Ok(read)
    }

    fn tell_bad(
        &mut self,
        each: &mut dyn FnMut(Piece) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for bad in self.bad.iter().skip(self.told) {
            each(Piece::Unreadable(bad.clone()))?;
        }
        self.told = self.bad.len();
        Ok(())
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use wal::parts::core::SegmentStore;
    use wal::parts::core::format::SegmentHeader;
    use wal::parts::segment::MemoryStore;
    use wal::{Lsn, Strategy, Wal};

    use super::*;

    /// The bytes of a segment, on a medium that does not give one block.
    #[derive(Debug)]
    struct Worn {
        bytes: Vec<u8>,
        block: Range<usize>,
    }

    impl SegmentReader for Worn {
        fn size(&self) -> io::Result<u64> {
            Ok(self.bytes.len() as u64)
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let from = usize::try_from(offset).unwrap().min(self.bytes.len());
            let end = (from + buffer.len()).min(self.bytes.len());
            if from < self.block.end && end > self.block.start {
                return Err(io::Error::other("Input/output error"));
            }
            buffer[..end - from].copy_from_slice(&self.bytes[from..end]);
            Ok(end - from)
        }
    }

    /// Up to 1 MiB of sound frames was not shown, for one sector among them that could not be read.
    #[test]
    fn a_block_that_cannot_be_read_hides_no_other_frame() {
        let store = Arc::new(MemoryStore::new());
        let builder = Wal::with_store(store.clone()).strategy(Strategy::Sync);
        let (wal, _) = builder.segment_size(64 * 1024).open().unwrap();
        for n in 0..40_u8 {
            wal.append_durable([n; 1000]).unwrap();
        }
        wal.close().unwrap();
        let id = SegmentId::FIRST;
        let sound = store.open(id).unwrap();
        let mut bytes = vec![0; usize::try_from(sound.size().unwrap()).unwrap()];
        sound.read_at(0, &mut bytes).unwrap();
        let identity = Identity::of(&SegmentHeader::decode(&bytes[..HEADER_LEN]).unwrap());
        let block = 3 * BLOCK..4 * BLOCK;
        let end = bytes.len() as u64;
        let worn = Worn { bytes, block: block.clone() };
        let (mut shown, mut unreadable) = (Vec::new(), Vec::new());
        walk((id, &worn), identity, Unwritten::Zeros, end, &mut |piece| {
            match piece {
                Piece::Frame { offset, header, body } => {
                    let range = offset..offset + header.frame_len();
                    let hit = range.start < block.end as u64 && range.end > block.start as u64;
                    assert_eq!(body == Body::Damaged, hit, "{range:?}");
                    shown.push(header.first_lsn);
                }
                Piece::Unreadable(range) => unreadable.push((range.start, range.end)),
                Piece::Damaged(_) => {}
                Piece::UsedBefore(range) => panic!("{range:?}"),
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(unreadable, [(block.start as u64, block.end as u64)]);
        assert_eq!(shown.first(), Some(&Lsn::FIRST));
        let all = shown.iter().filter(|lsn| lsn.get() <= 40).count();
        assert!((36..40).contains(&all), "{all}");
    }
}
