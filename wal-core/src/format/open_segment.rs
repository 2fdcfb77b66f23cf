//! [`OpenSegment`]: the bookkeeping of a segment that is being written.

#![expect(
    clippy::cast_possible_truncation,
    reason = "a body has at most MAX_BODY_LEN bytes, so its length fits"
)]

use crc32c::crc32c_append;

use super::seal::{FIXED_LEN, INDEX_ENTRY_LEN, TRAILER_LEN};
use super::{
    FRAME_HEADER_LEN, FrameHeader, FrameKind, HEADER_LEN, Identity, IndexEntry, Predecessor,
    SEAL_ALIGN, Seal, SegmentHeader, Start, round_up,
};
use crate::{Lsn, Position, TransformId};

/// Frames closer together than this share an index entry, so that an index stays small.
const INDEX_EVERY: u64 = 64 * 1024;

/// A segment that is being written: where its next frame goes, what it holds so far, what its seal
/// will say. Knows nothing of I/O; whoever owns the bytes writes them.
#[derive(Clone, Debug)]
pub struct OpenSegment {
    header: SegmentHeader,
    identity: Identity,
    end: u64,
    durable_end: u64,
    last_lsn: Lsn,
    min_lsn: Lsn,
    records: u64,
    frames: u64,
    digest: u32,
    start: Start,
    index: Vec<IndexEntry>,
}

/// What a frame says besides its records: taken once a flush.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The last durable record.
    pub watermark: Lsn,
    /// Nanoseconds since the Unix epoch.
    pub timestamp: u64,
}

/// The contents of an [`OpenSegment`] at some moment.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    end: u64,
    last_lsn: Lsn,
    min_lsn: Lsn,
    records: u64,
    frames: u64,
    digest: u32,
    start: Start,
    index_len: usize,
}

impl OpenSegment {
    /// The segment behind this header, with no frame in it.
    pub fn new(header: SegmentHeader) -> Self {
        let identity = Identity::of(&header);
        let last_lsn = header.first_lsn.previous();
        let end = HEADER_LEN as u64;
        let start = header.start;
        Self {
            start,
            header,
            identity,
            end,
            durable_end: end,
            last_lsn,
            min_lsn: Lsn::ZERO,
            records: 0,
            frames: 0,
            digest: 0,
            index: Vec::new(),
        }
    }

    /// The segment's header.
    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Where the next frame goes, in bytes.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The last record in or before the segment.
    pub fn last_lsn(&self) -> Lsn {
        self.last_lsn
    }

    /// Records in the segment.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Where the next frame goes, in the log.
    pub fn position(&self) -> Position {
        Position { segment: self.header.id, offset: self.end }
    }

    /// Everything before this byte is durable.
    pub fn durable_end(&self) -> u64 {
        self.durable_end
    }

    /// A sync has returned that was called when the segment ended at `end`.
    pub fn synced(&mut self, end: u64) {
        self.durable_end = self.durable_end.max(end);
    }

    /// The blocks of the segment: no two things of which one vouches for the other share one where that
    /// can be helped.
    fn block(&self) -> u64 {
        SEAL_ALIGN.max(u64::from(self.header.alignment))
    }

    /// How long the segment would be with up to `more` bytes of frames and a seal behind them, in bytes.
    pub fn sealed_len(&self, more: u64) -> u64 {
        let index = self.index.len() as u64 + 1 + more / INDEX_EVERY;
        let seal =
            (FRAME_HEADER_LEN + FIXED_LEN + TRAILER_LEN) as u64 + index * INDEX_ENTRY_LEN as u64;
        let at = round_up(self.end + more + FRAME_HEADER_LEN as u64, self.block());
        round_up(at + seal, SEAL_ALIGN)
    }

    /// What is in the segment now, for [`undo`](Self::undo).
    pub fn mark(&self) -> Mark {
        let &Self { end, last_lsn, min_lsn, records, frames, digest, start, .. } = self;
        let index_len = self.index.len();
        Mark { end, last_lsn, min_lsn, records, frames, digest, start, index_len }
    }

    /// Forgets the frames pushed since the mark was taken: they were not written.
    pub fn undo(&mut self, mark: Mark) {
        let Mark { end, last_lsn, min_lsn, records, frames, digest, start, index_len } = mark;
        self.index.truncate(index_len);
        *self = Self {
            end,
            last_lsn,
            min_lsn,
            records,
            frames,
            digest,
            start,
            header: self.header.clone(),
            identity: self.identity,
            durable_end: self.durable_end,
            index: std::mem::take(&mut self.index),
        };
    }

    /// What the next segment's header will say of this one as it stands, with no seal behind it.
    pub fn as_predecessor(&self) -> Predecessor {
        Predecessor {
            id: self.header.id,
            length: self.end,
            seal_len: 0,
            last_lsn: self.last_lsn,
            identity: self.identity,
            since: self.header.since(),
        }
    }

    /// Finishes the frame of `count` records that `frame` holds, its header blank and its body
    /// padded to eight bytes, as the segment's next frame. `body_len` is without the padding.
    /// `transform` is what the body went through.
    pub fn push_records(
        &mut self,
        frame: &mut [u8],
        body_len: u32,
        count: u32,
        transform: TransformId,
        stamp: Stamp,
    ) {
        let mut header = FrameHeader::new(FrameKind::Records, self.last_lsn.next());
        header.count = count;
        header.body_len = body_len;
        header.transform = transform;
        self.push(frame, header, stamp);
    }

    /// The bytes of a frame that records the log's new start.
    #[must_use = "the frame must be written at the segment's end"]
    pub fn start_frame(&mut self, start: Start, stamp: Stamp) -> Vec<u8> {
        self.start = start;
        self.bodied_frame(FrameKind::Start, &start.encode(), stamp)
    }

    /// Takes into account that a frame already [noted](Self::note) says that the log starts here.
    pub fn note_start(&mut self, start: Start) {
        self.start = start;
    }

    /// Where the log begins, as far as this segment knows.
    pub fn start(&self) -> Start {
        self.start
    }

    /// The bytes of a frame of padding, `len` in all: a multiple of eight, and no less than a frame
    /// header. At that length it only repeats the watermark.
    #[must_use = "the frame must be written at the segment's end"]
    pub fn padding_frame(&mut self, len: usize, stamp: Stamp) -> Vec<u8> {
        self.bodied_frame(FrameKind::Padding, &vec![0; len - FRAME_HEADER_LEN], stamp)
    }

    /// Whether what comes next begins a block.
    pub fn is_at_block(&self) -> bool {
        self.end.is_multiple_of(self.block())
    }

    /// The bytes of a frame of padding that fills the block in which the segment ends, so that what
    /// comes next begins one of its own; `None` where it does.
    #[must_use = "the frame must be written at the segment's end"]
    pub fn block_padding(&mut self, stamp: Stamp) -> Option<Vec<u8>> {
        self.padding_to(self.block(), stamp)
    }

    /// The bytes of a frame of padding up to the segment's alignment; `None` where it ends on that.
    #[must_use = "the frame must be written at the segment's end"]
    pub fn padding_to_alignment(&mut self, stamp: Stamp) -> Option<Vec<u8>> {
        self.padding_to(u64::from(self.header.alignment), stamp)
    }

    fn padding_to(&mut self, border: u64, stamp: Stamp) -> Option<Vec<u8>> {
        if self.end.is_multiple_of(border) {
            return None;
        }
        let end = round_up(self.end + FRAME_HEADER_LEN as u64, border);
        Some(self.padding_frame((end - self.end) as usize, stamp))
    }

    /// The bytes of the segment's seal, with [padding](Self::block_padding) before it where the segment
    /// does not end with a block. What is before these bytes is durable already, as `stamp` says. Who
    /// writes the padding before, and syncs it, has a seal that vouches for the padding, too.
    #[must_use = "the frame must be written at the segment's end"]
    pub fn seal_frame(&mut self, stamp: Stamp) -> Vec<u8> {
        let mut bytes = self.block_padding(stamp).unwrap_or_default();
        let offset = self.end;
        let least = FRAME_HEADER_LEN + FIXED_LEN + self.index.len() * INDEX_ENTRY_LEN + TRAILER_LEN;
        let frame_len = round_up(offset + least as u64, SEAL_ALIGN) - offset;
        let seal = Seal {
            min_lsn: self.min_lsn,
            max_lsn: self.last_lsn,
            records: self.records,
            frames: self.frames,
            digest: self.digest,
            start: self.start,
            index: self.index.clone(),
        };
        let body = seal.encode(offset, frame_len as usize - FRAME_HEADER_LEN);
        bytes.extend(self.bodied_frame(FrameKind::Seal, &body, stamp));
        bytes
    }

    fn bodied_frame(&mut self, kind: FrameKind, body: &[u8], stamp: Stamp) -> Vec<u8> {
        let mut header = FrameHeader::new(kind, self.last_lsn.next());
        header.body_len = body.len() as u32;
        let mut frame = vec![0; FRAME_HEADER_LEN];
        frame.extend_from_slice(body);
        frame.resize(header.frame_len() as usize, 0);
        self.push(&mut frame, header, stamp);
        frame
    }

    fn push(&mut self, frame: &mut [u8], mut header: FrameHeader, stamp: Stamp) {
        header.watermark = stamp.watermark;
        header.timestamp = stamp.timestamp;
        header.unsynced = u32::try_from(self.end - self.durable_end).unwrap_or(u32::MAX);
        header.finish(frame, self.identity, self.end);
        self.note(&header, &frame[..FRAME_HEADER_LEN]);
    }

    /// Takes a frame that already stands at the segment's end into account; `encoded` is its
    /// header's bytes.
    pub fn note(&mut self, header: &FrameHeader, encoded: &[u8]) {
        if header.kind == FrameKind::Records {
            if self.records == 0 {
                self.min_lsn = header.first_lsn;
            }
            if self.index.last().is_none_or(|entry| self.end - entry.offset >= INDEX_EVERY) {
                self.index.push(IndexEntry { lsn: header.first_lsn, offset: self.end });
            }
        }
        self.records += u64::from(header.count);
        self.frames += 1;
        self.digest = crc32c_append(self.digest, &encoded[FRAME_HEADER_LEN - 4..FRAME_HEADER_LEN]);
        self.last_lsn = header.last_lsn();
        self.end += header.frame_len();
    }

    /// The digest over the frames so far, as a seal would carry it.
    pub fn digest(&self) -> u32 {
        self.digest
    }

    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }
}
