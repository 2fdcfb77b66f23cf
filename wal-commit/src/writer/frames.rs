//! Staged records as frames: as they are, or through a transform.

use wal_core::format::{FRAME_ALIGN, FRAME_HEADER_LEN, MAX_BODY_LEN, OpenSegment, Stamp};
use wal_core::{Applied, Error, ErrorKind, Result, Transform, TransformId};

use crate::stage::{Staged, StagedFrame};

/// A write takes no further frame where it has so many transformed bytes: they are in memory beside
/// those that they come from.
pub(super) const TRANSFORMED: usize = 1 << 20;

/// What a transform has made of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transformed {
    /// Bytes of the body as it is stored.
    pub(super) stored: usize,
    pub(super) transform: TransformId,
}

/// What one write may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) segment_size: u64,
    /// Bytes that may be in flight beside those that are.
    pub(super) in_flight: u64,
    pub(super) alignment: u64,
    /// Bytes of padding, at the most.
    pub(super) padding: u64,
}

impl Limits {
    /// Whether there is room for `more` bytes behind the frames of this write, which has `len`.
    fn allow(&self, open: &OpenSegment, len: u64, more: u64) -> bool {
        open.sealed_len(more + self.alignment) <= self.segment_size
            && len + more + self.padding <= self.in_flight
    }
}

/// Takes frames as they are staged; says how many, and where in the buffer they begin and end.
pub(super) fn push_plain(
    open: &mut OpenSegment,
    staged: &mut Staged,
    from: usize,
    limits: Limits,
    stamp: Stamp,
) -> (usize, usize, usize) {
    let first = staged.frames[from].start;
    let (mut count, mut end) = (0, first);
    for &frame in &staged.frames[from..] {
        let more = (frame.end() - frame.start) as u64;
        if count > 0 && !limits.allow(open, (end - first) as u64, more) {
            break;
        }
        let bytes = &mut staged.buffer[frame.start..frame.end()];
        push(open, bytes, frame, frame.body_len, TransformId::NONE, stamp);
        end = frame.end();
        count += 1;
    }
    (count, first, end)
}

/// Takes frames as a transform has left them, in `outgoing`, where the first one is already; says how
/// many.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a writer, each borrowed in its own way"
)]
pub(super) fn push_transformed(
    open: &mut OpenSegment,
    staged: &Staged,
    from: usize,
    limits: Limits,
    stamp: Stamp,
    transform: &dyn Transform,
    outgoing: &mut Vec<u8>,
    mut prepared: Option<Transformed>,
) -> Result<usize> {
    let mut count = 0;
    if prepared.is_none() {
        outgoing.clear();
    }
    for &frame in &staged.frames[from..] {
        let (start, made) = match prepared.take() {
            Some(made) => (0, made),
            None if outgoing.len() >= TRANSFORMED => break,
            None => {
                let start = outgoing.len();
                (start, transformed(transform, staged, frame, outgoing)?)
            }
        };
        let more = (outgoing.len() - start) as u64;
        if count > 0 && !limits.allow(open, start as u64, more) {
            outgoing.truncate(start);
            break;
        }
        push(open, &mut outgoing[start..], frame, made.stored, made.transform, stamp);
        count += 1;
    }
    Ok(count)
}

/// Appends a frame to `out`, its header blank, its body as the transform leaves it, and padded.
pub(super) fn transformed(
    transform: &dyn Transform,
    staged: &Staged,
    frame: StagedFrame,
    out: &mut Vec<u8>,
) -> Result<Transformed> {
    let body = &staged.buffer[frame.start + FRAME_HEADER_LEN..][..frame.body_len];
    let start = out.len() + FRAME_HEADER_LEN;
    out.resize(start, 0);
    let transform = match transform.apply(body, out)? {
        Applied::Stored => transform.id(),
        Applied::Skipped => {
            out.truncate(start);
            out.extend_from_slice(body);
            TransformId::NONE
        }
    };
    let stored = out.len() - start;
    if stored > MAX_BODY_LEN {
        let what = "a transform has stored more than a frame can have";
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    out.resize(out.len().next_multiple_of(FRAME_ALIGN), 0);
    Ok(Transformed { stored, transform })
}

pub(super) fn push(
    open: &mut OpenSegment,
    bytes: &mut [u8],
    frame: StagedFrame,
    stored: usize,
    transform: TransformId,
    stamp: Stamp,
) {
    // A body is at most MAX_BODY_LEN, which the options and the transform's caller see to.
    let stored = u32::try_from(stored).unwrap_or(u32::MAX);
    open.push_records(bytes, stored, frame.count, transform, stamp);
}

/// A padding that lies over the frames behind it in a buffer while it is written; what it covers is
/// back when this is dropped. So a padded write is one piece of memory, and no copy of it all.
pub(super) struct Overlaid<'a> {
    pub(super) buffer: &'a mut Vec<u8>,
    at: usize,
    len: usize,
    covered: &'a mut Vec<u8>,
}

impl<'a> Overlaid<'a> {
    pub(super) fn new(
        buffer: &'a mut Vec<u8>,
        at: usize,
        padding: &[u8],
        covered: &'a mut Vec<u8>,
    ) -> Self {
        let (len, end) = (buffer.len(), at + padding.len());
        covered.clear();
        covered.extend_from_slice(&buffer[at..len.min(end)]);
        if end > len {
            // Not twice the buffer: one of many megabytes has no room to spare.
            buffer.reserve_exact(end - len);
            buffer.resize(end, 0);
        }
        buffer[at..end].copy_from_slice(padding);
        Self { buffer, at, len, covered }
    }
}

impl Drop for Overlaid<'_> {
    fn drop(&mut self) {
        self.buffer.truncate(self.len);
        self.buffer[self.at..][..self.covered.len()].copy_from_slice(self.covered);
    }
}
