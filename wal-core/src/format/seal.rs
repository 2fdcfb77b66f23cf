//! [`Seal`]: the last frame of a segment that ended as it should.

#![expect(
    clippy::cast_possible_truncation,
    reason = "a body has at most MAX_BODY_LEN bytes, so its length fits"
)]

use super::{START_LEN, Start, put, u32_at, u64_at};
use crate::Lsn;

/// A seal begins and ends on a multiple of this many bytes, or of the segment's alignment where that is
/// more. So a block that is lost never takes records along with what vouches for them, and giving back
/// the space behind the seal never rewrites a block that holds any.
pub const SEAL_ALIGN: u64 = 4096;

/// The most bytes that a segment may be made with. The index of a seal has an entry every 64 KiB, and the
/// frame that holds it a body of at most [`MAX_BODY_LEN`](super::MAX_BODY_LEN): a seal of 4 TiB would not
/// fit, and one frame may go beyond the size.
pub const MAX_SEGMENT_SIZE: u64 = 2 << 40;

/// Bytes of a seal's body before its index.
pub(super) const FIXED_LEN: usize = 56;
/// Bytes of an index entry.
pub(super) const INDEX_ENTRY_LEN: usize = 16;
/// The body's last bytes: the offset of the seal frame, so that it is found from the file's end.
pub(super) const TRAILER_LEN: usize = 8;

/// The segment as a whole: what it holds, where, and a digest over all of it.
///
/// With it, opening a log costs the same whatever its size, and a seek is a binary search.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seal {
    /// The first record in the segment, or [`Lsn::ZERO`] where there is none.
    pub min_lsn: Lsn,
    /// The last record in or before the segment.
    pub max_lsn: Lsn,
    /// Records in the segment.
    pub records: u64,
    /// Frames before the seal, of every kind.
    pub frames: u64,
    /// CRC32C over the header checksums of all frames, in order: no frame can be missing, doubled
    /// or out of place.
    pub digest: u32,
    /// Where the log began when the segment ended, so that opening needs no frame before the seal.
    pub start: Start,
    /// Some of the frames that hold records, in order; the first such frame is always among them.
    pub index: Vec<IndexEntry>,
}

/// Where a frame lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The frame's first record.
    pub lsn: Lsn,
    /// The frame's offset in the segment.
    pub offset: u64,
}

impl Seal {
    /// The seal's body, for a frame at `offset`; as long as it must be for the frame to end on
    /// [`SEAL_ALIGN`].
    pub(super) fn encode(&self, offset: u64, body_len: usize) -> Vec<u8> {
        let Self { min_lsn, max_lsn, records, frames, digest, start, index } = self;
        let mut body = vec![0; body_len];
        put(&mut body, 0, &min_lsn.get().to_le_bytes());
        put(&mut body, 8, &max_lsn.get().to_le_bytes());
        put(&mut body, 16, &records.to_le_bytes());
        put(&mut body, 24, &frames.to_le_bytes());
        put(&mut body, 32, &digest.to_le_bytes());
        put(&mut body, 36, &(index.len() as u32).to_le_bytes());
        put(&mut body, 40, &start.encode());
        for (number, IndexEntry { lsn, offset }) in index.iter().enumerate() {
            let at = FIXED_LEN + number * INDEX_ENTRY_LEN;
            put(&mut body, at, &lsn.get().to_le_bytes());
            put(&mut body, at + 8, &offset.to_le_bytes());
        }
        put(&mut body, body_len - TRAILER_LEN, &offset.to_le_bytes());
        body
    }

    /// Reads a seal's body; `None` where it is none, which a matching checksum rules out.
    pub fn decode(body: &[u8]) -> Option<Self> {
        if body.len() < FIXED_LEN + TRAILER_LEN {
            return None;
        }
        let count = u32_at(body, 36) as usize;
        let entries = body.get(FIXED_LEN..body.len() - TRAILER_LEN)?;
        let entries = entries.get(..count.checked_mul(INDEX_ENTRY_LEN)?)?;
        let index: Vec<_> = entries
            .chunks_exact(INDEX_ENTRY_LEN)
            .map(|entry| IndexEntry { lsn: Lsn::new(u64_at(entry, 0)), offset: u64_at(entry, 8) })
            .collect();
        let grows =
            |pair: &[IndexEntry]| pair[0].lsn < pair[1].lsn && pair[0].offset < pair[1].offset;
        let seal = Self {
            min_lsn: Lsn::new(u64_at(body, 0)),
            max_lsn: Lsn::new(u64_at(body, 8)),
            records: u64_at(body, 16),
            frames: u64_at(body, 24),
            digest: u32_at(body, 32),
            start: Start::decode(&body[40..40 + START_LEN])?,
            index,
        };
        seal.index.windows(2).all(grows).then_some(seal)
    }

    /// The offset of a frame at or before the one that holds `lsn`; `None` where no record of the
    /// segment is that early.
    pub fn seek(&self, lsn: Lsn) -> Option<u64> {
        let behind = self.index.partition_point(|entry| entry.lsn <= lsn);
        Some(self.index.get(behind.checked_sub(1)?)?.offset)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal")
            .field("min_lsn", &self.min_lsn)
            .field("max_lsn", &self.max_lsn)
            .field("records", &self.records)
            .field("frames", &self.frames)
            .field("digest", &self.digest)
            .field("start", &self.start)
            .field("index_entries", &self.index.len())
            .finish()
    }
}

/// Where the seal frame of a segment begins, if its last bytes are the end of one: the candidate
/// that [`FrameHeader::decode`](super::FrameHeader::decode) then confirms or not.
pub fn seal_offset(last_bytes: &[u8], segment_len: u64) -> Option<u64> {
    let trailer = last_bytes.len().checked_sub(TRAILER_LEN)?;
    let offset = u64_at(last_bytes, trailer);
    let least = (super::FRAME_HEADER_LEN + FIXED_LEN + TRAILER_LEN) as u64;
    let fits = offset >= super::HEADER_LEN as u64
        && offset.is_multiple_of(SEAL_ALIGN)
        && segment_len.checked_sub(offset).is_some_and(|room| room >= least);
    (segment_len.is_multiple_of(SEAL_ALIGN) && fits).then_some(offset)
}
