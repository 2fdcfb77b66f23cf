//! [`Stage`]: records that have their LSN and their order, and nothing else yet.

use wal_core::format::{FRAME_ALIGN, FRAME_HEADER_LEN, HEADER_LEN, prefix_len, push_record};
use wal_core::{Error, Lsn};

/// The frames that the next flush will write, laid out as they will lie on disk but for their
/// headers, which are blank until the flush knows where they go.
#[derive(Debug)]
pub(crate) struct Stage {
    staged: Staged,
    frame_size: usize,
    /// Why nothing more is taken.
    closed: Option<Error>,
    /// Whether the log is being truncated: nothing is taken for that long.
    being_cut: bool,
}

/// What a flush takes from the stage.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    pub(crate) buffer: Vec<u8>,
    pub(crate) frames: Vec<StagedFrame>,
    /// The last record staged, here or before.
    pub(crate) last_lsn: Lsn,
}

/// A frame in the buffer of a [`Staged`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct StagedFrame {
    /// Where its blank header starts; a multiple of eight.
    pub(crate) start: usize,
    /// Bytes of the body, without padding.
    pub(crate) body_len: usize,
    /// Records in the body.
    pub(crate) count: u32,
}

impl Staged {
    /// Forgets the frames, and keeps the memory where it is not more than this many bytes.
    pub(crate) fn clear(&mut self, most: usize) {
        if self.buffer.len() > most {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        self.frames.clear();
    }
}

impl StagedFrame {
    /// Where the frame ends, padding included.
    pub(crate) fn end(&self) -> usize {
        (self.start + FRAME_HEADER_LEN + self.body_len).next_multiple_of(FRAME_ALIGN)
    }
}

impl Stage {
    pub(crate) fn new(last_lsn: Lsn, frame_size: usize) -> Self {
        let staged = Staged { last_lsn, ..Staged::default() };
        Self { staged, frame_size, closed: None, being_cut: false }
    }

    /// Stages one record and gives it its LSN.
    #[inline]
    pub(crate) fn push(&mut self, record: &[u8]) -> Lsn {
        self.make_room(prefix_len(record.len()) + record.len());
        self.push_to_frame(record)
    }

    /// Stages records that stay in one frame, `len` bytes in all with their prefixes.
    pub(crate) fn push_batch(&mut self, records: &[&[u8]], len: usize) -> Lsn {
        // At once, and with what a padding takes: a large buffer that grows is there twice meanwhile.
        self.staged.buffer.reserve(len + 3 * HEADER_LEN);
        self.make_room(len);
        for record in records {
            self.push_to_frame(record);
        }
        self.last_lsn()
    }

    /// Bytes that wait for a flush.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.staged.buffer.len()
    }

    /// The last record staged.
    pub(crate) fn last_lsn(&self) -> Lsn {
        self.staged.last_lsn
    }

    /// Why nothing more is taken, if so.
    #[inline]
    pub(crate) fn closed(&self) -> Option<&Error> {
        self.closed.as_ref()
    }

    /// Takes no more records; the first reason stays.
    pub(crate) fn close(&mut self, why: Error) {
        self.closed.get_or_insert(why);
    }

    /// Whether the log is being truncated. What is appended meanwhile waits, or is refused.
    #[inline]
    pub(crate) fn is_being_cut(&self) -> bool {
        self.being_cut
    }

    /// A truncation begins, or has ended.
    pub(crate) fn set_being_cut(&mut self, being_cut: bool) {
        self.being_cut = being_cut;
    }

    /// Starts again behind `last_lsn`, with nothing staged.
    pub(crate) fn reset(&mut self, last_lsn: Lsn) {
        self.staged = Staged { last_lsn, ..Staged::default() };
    }

    /// Hands out what is staged and goes on with `spare`, whose memory it reuses.
    pub(crate) fn take(&mut self, mut spare: Staged) -> Staged {
        debug_assert!(spare.buffer.is_empty() && spare.frames.is_empty());
        spare.last_lsn = self.staged.last_lsn;
        self.pad();
        std::mem::replace(&mut self.staged, spare)
    }

    /// Opens a new frame where `len` more bytes would make the last one too large.
    #[inline]
    fn make_room(&mut self, len: usize) {
        let fits = |frame: &StagedFrame| frame.body_len + len <= self.frame_size;
        if self.staged.frames.last().is_some_and(fits) {
            return;
        }
        self.pad();
        let start = self.staged.buffer.len();
        self.staged.buffer.resize(start + FRAME_HEADER_LEN, 0);
        self.staged.frames.push(StagedFrame { start, body_len: 0, count: 0 });
    }

    #[inline]
    fn push_to_frame(&mut self, record: &[u8]) -> Lsn {
        let Staged { buffer, frames, last_lsn } = &mut self.staged;
        push_record(buffer, record);
        if let Some(frame) = frames.last_mut() {
            frame.body_len = buffer.len() - frame.start - FRAME_HEADER_LEN;
            frame.count += 1;
        }
        *last_lsn = last_lsn.next();
        *last_lsn
    }

    fn pad(&mut self) {
        let buffer = &mut self.staged.buffer;
        buffer.resize(buffer.len().next_multiple_of(FRAME_ALIGN), 0);
    }
}
