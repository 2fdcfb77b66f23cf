//! [`Writer`]: frames into segments, one segment after the other.

use std::io;
use std::sync::Arc;

use wal_core::format::{
    Anchor, FRAME_HEADER_LEN, OpenSegment, Predecessor, SEAL_ALIGN, Stamp, Start,
};
use wal_core::{
    Acknowledgement, CurrentSegment, Env, Epoch, Error, ErrorKind, LogId, Lsn, MadeSegment,
    Position, Result, Resume, SegmentId, SegmentStore,
};

use crate::Options;
use crate::stage::Staged;

mod anchor;
mod frames;
mod segments;

use frames::{
    Limits, Overlaid, TRANSFORMED, Transformed, push_plain, push_transformed, transformed,
};

/// What may be in flight besides frames, in bytes: the padding that fills a segment's last block, which is
/// as large as the alignment, and a seal but for its index.
fn ending(alignment: u32) -> u64 {
    SEAL_ALIGN.max(u64::from(alignment)) + 3 * SEAL_ALIGN
}

/// Knows the segment being written and how to make the next one. Everything here runs under one
/// lock; what is durable is somebody else's to know and comes in with each call.
#[derive(Debug)]
pub(crate) struct Writer {
    store: Arc<dyn SegmentStore>,
    env: Arc<dyn Env>,
    options: Options,
    acknowledges: Acknowledgement,
    log: LogId,
    epoch: Epoch,
    next_segment: SegmentId,
    predecessor: Option<Predecessor>,
    start: Option<Start>,
    last_lsn: Lsn,
    dead: Vec<SegmentId>,
    current: Option<CurrentSegment>,
    /// Bytes of space that the current segment was made with.
    size: u64,
    /// The segment after, made and empty, while the current one still has to end.
    following: Option<MadeSegment>,
    /// The end of what counts in the segment before, where there may be space behind it to give back.
    /// That waits until the next one is durable: till then a segment that is shorter than it was made,
    /// and has no seal, is one that was cut from outside.
    untrimmed: Option<(SegmentId, u64)>,
    /// The last record that the anchor knows to be durable, by this writer.
    noted: Lsn,
    /// There is an anchor, which has its space by that, or the store does not make one for another reason
    /// than space.
    anchored: bool,
    /// Frames as transformed, or a few bytes of a buffer that a padding lies over; kept for its memory.
    outgoing: Vec<u8>,
    /// The frame that `outgoing` holds, made by [`prepare`](Self::prepare).
    prepared: Option<Transformed>,
}

impl Writer {
    pub(crate) fn new(
        store: Arc<dyn SegmentStore>,
        env: Arc<dyn Env>,
        options: Options,
        acknowledges: Acknowledgement,
        resume: Resume,
    ) -> Self {
        let Resume {
            log, epoch, next_segment, last_lsn, predecessor, start, current, dead, ..
        } = resume;
        let segment_size = options.segment_size;
        let untrimmed = match (&current, predecessor) {
            // A former writer made it, and may have died with it prepared and hardly used.
            (None, Some(before)) => Some((before.id, before.length + before.seal_len)),
            _ => None,
        };
        Self {
            store,
            env,
            options,
            acknowledges,
            log,
            epoch,
            next_segment,
            predecessor,
            start,
            last_lsn,
            dead,
            current,
            size: segment_size,
            following: None,
            untrimmed,
            noted: Lsn::ZERO,
            anchored: false,
            outgoing: Vec::new(),
            prepared: None,
        }
    }

    /// The segment being written.
    pub(crate) fn current(&self) -> Option<&CurrentSegment> {
        self.current.as_ref()
    }

    /// Where the log begins, and its newest segment, once it has one.
    pub(crate) fn extent(&self) -> Option<(Start, SegmentId)> {
        let current = self.current.as_ref().map(|current| current.open.header().id);
        let newest = current.or(self.predecessor.map(|predecessor| predecessor.id))?;
        Some((self.start?, newest))
    }

    /// The last record written.
    pub(crate) fn last_lsn(&self) -> Lsn {
        self.last_lsn
    }

    /// How the next segment will know the log before it, with nothing being written.
    pub(crate) fn into_resume(mut self) -> Resume {
        self.abandon_following();
        let mut resume = Resume::fresh(self.log);
        resume.epoch = self.epoch;
        resume.next_segment = self.next_segment;
        resume.last_lsn = self.last_lsn;
        resume.predecessor = self.predecessor;
        resume.start = self.start;
        resume.dead = self.dead;
        resume.current = self.current;
        resume
    }

    /// What the header of the current segment says of bytes in flight. Of the next one it will say
    /// what its first frame needs.
    pub(crate) fn in_flight(&self) -> u64 {
        self.current.as_ref().map_or(u64::MAX, |current| frames_in_flight(&current.open))
    }

    /// Makes of frame number `from` what is stored of it, and says how many bytes that is at the most,
    /// with the padding of a flush. To be called before each [`write`](Self::write) from there: what
    /// a segment has room for, and what may be in flight, counts behind the transform.
    pub(crate) fn prepare(&mut self, staged: &Staged, from: usize) -> Result<u64> {
        let Some(frame) = staged.frames.get(from) else { return Ok(0) };
        self.outgoing.clear();
        self.prepared = None;
        let len = match &self.options.transform {
            None => frame.end() - frame.start,
            Some(transform) => {
                self.prepared =
                    Some(transformed(&**transform, staged, *frame, &mut self.outgoing)?);
                self.outgoing.len()
            }
        };
        Ok(len as u64 + padding_at_most(self.options.alignment))
    }

    /// Whether a first frame of `len` bytes goes into the current segment; if not, it must be ended
    /// first. One that is wider than its header lets be in flight never does.
    pub(crate) fn fits(&self, len: u64) -> bool {
        let Some(current) = &self.current else { return true };
        if len > frames_in_flight(&current.open) {
            return false;
        }
        let empty = current.open.frames() == 0;
        empty || current.open.sealed_len(len) <= self.size.min(self.options.segment_size)
    }

    /// Writes the frames from number `from` on, which was prepared, as many as the current segment
    /// takes and may be in flight beside `unsynced` bytes, and at least one, and says how many; makes
    /// a segment first where there is none.
    ///
    /// After a failure nothing of them is written, and the same calls may be made again.
    pub(crate) fn write(
        &mut self,
        staged: &mut Staged,
        from: usize,
        watermark: Lsn,
        unsynced: u64,
    ) -> Result<usize> {
        if self.current.is_none() {
            let first = self.first_len(staged, from);
            let least = self.least_for(first);
            self.create(self.options.segment_size.max(least), least, first)?;
        }
        self.ensure_anchor(watermark)?;
        let stamp = self.stamp(watermark);
        let Self { current, options, outgoing, prepared, .. } = self;
        let Some(CurrentSegment { open, writer }) = current else {
            return Err(Error::new(ErrorKind::Invalid, "no segment was made"));
        };
        let limits = Limits {
            segment_size: self.size.min(options.segment_size),
            in_flight: frames_in_flight(open).saturating_sub(unsynced),
            alignment: u64::from(options.alignment),
            padding: padding_at_most(options.alignment),
        };
        let before = open.mark();
        let (count, appended) = match &options.transform {
            None => {
                let (count, first, end) = push_plain(open, staged, from, limits, stamp);
                let padding = open.padding_to_alignment(stamp);
                let padding = padding.as_deref().unwrap_or_default();
                let behind = Overlaid::new(&mut staged.buffer, end, padding, outgoing);
                let appended = writer.append(&behind.buffer[first..end + padding.len()]);
                drop(behind);
                (count, appended)
            }
            Some(transform) => {
                let pushed = push_transformed(
                    open,
                    staged,
                    from,
                    limits,
                    stamp,
                    &**transform,
                    outgoing,
                    *prepared,
                );
                let count = match pushed {
                    Ok(count) => count,
                    Err(error) => {
                        open.undo(before);
                        return Err(error);
                    }
                };
                outgoing.extend(open.padding_to_alignment(stamp).unwrap_or_default());
                (count, writer.append(outgoing))
            }
        };
        *prepared = None;
        if outgoing.len() > 2 * TRANSFORMED {
            *outgoing = Vec::new();
        }
        if let Err(cause) = appended {
            let place = Position { segment: open.header().id, offset: writer.end() };
            open.undo(before);
            return Err(Error::io("writing frames failed", cause).at(place));
        }
        self.last_lsn = open.last_lsn();
        Ok(count)
    }

    /// Records that the log begins here from now on: by a frame, which is not synced yet when this
    /// returns, or, where there is no room for one, by the log's anchor, which takes no room. So a
    /// full disk can be pruned.
    pub(crate) fn write_start(&mut self, start: Start, watermark: Lsn) -> Result<()> {
        match self.append_start(start, watermark) {
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                self.anchor_start(start, watermark).map_err(|anchors| match anchors.kind() {
                    // Not for want of space: the log is another writer's.
                    ErrorKind::Fenced => anchors,
                    _ => error,
                })
            }
            result => result,
        }
    }

    fn append_start(&mut self, start: Start, watermark: Lsn) -> Result<()> {
        if self.current.is_none() {
            // As small as can be: this may be what makes room for others.
            let size = self.size_of_start();
            self.create(size, size, 0)?;
        }
        let stamp = self.stamp(watermark);
        let Some(CurrentSegment { open, writer }) = &mut self.current else {
            return Err(Error::new(ErrorKind::Invalid, "no segment was made"));
        };
        let before = open.mark();
        let mut bytes = open.start_frame(start, stamp);
        bytes.extend(open.padding_to_alignment(stamp).unwrap_or_default());
        if let Err(cause) = writer.append(&bytes) {
            let place = Position { segment: open.header().id, offset: writer.end() };
            open.undo(before);
            return Err(Error::io("writing the log's new start failed", cause).at(place));
        }
        self.start = Some(start);
        Ok(())
    }

    /// Fills the block in which the current segment ends, so that its seal gets one of its own. To be
    /// synced before the segment is ended: the seal vouches for it, too. Where there is no room for it,
    /// the segment gets no seal.
    pub(crate) fn fill_block(&mut self, watermark: Lsn) -> Result<()> {
        let stamp = self.stamp(watermark);
        let Some(CurrentSegment { open, writer }) = &mut self.current else { return Ok(()) };
        let before = open.mark();
        let Some(padding) = open.block_padding(stamp) else { return Ok(()) };
        if let Err(cause) = writer.append(&padding) {
            open.undo(before);
            let error = Error::io("filling a segment's last block failed", cause);
            if error.kind() != ErrorKind::StorageFull {
                return Err(error.segment(open.header().id).offset(open.end()));
            }
        }
        Ok(())
    }

    /// Ends the current segment, all of which is durable already, [filled](Self::fill_block) to a
    /// block's end: seals it and gives back the space behind the seal, if there is much of it or the log
    /// ends here too. Then the anchor is told, so that a seal that vanishes is missed: the blocks before
    /// it would look like those of a log that was not closed. A full disk leaves the segment without a
    /// seal, which costs time later and nothing else.
    pub(crate) fn end_segment(&mut self, ending: Ending) -> Result<()> {
        if ending == Ending::OfLog {
            self.abandon_following();
        }
        let Some(CurrentSegment { mut open, mut writer }) = self.current.take() else {
            return if ending == Ending::OfLog { self.note_end() } else { Ok(()) };
        };
        let id = open.header().id;
        let mut predecessor = open.as_predecessor();
        let stamp = self.stamp(open.last_lsn());
        let end = open.end();
        open.synced(end);
        let filled = open.is_at_block();
        let seal = open.seal_frame(stamp);
        let full = || Err(io::ErrorKind::StorageFull.into());
        let written = if filled { writer.append(&seal) } else { full() };
        let len = match written {
            Ok(()) => {
                let synced = writer.syncer().sync();
                synced.map_err(|cause| {
                    // Whatever kind it is, as for every sync. Where it came for want of space and
                    // passed for that, the log would go on from this segment's predecessor.
                    Error::new(ErrorKind::Io, "syncing a seal failed").segment(id).because(cause)
                })?;
                predecessor.seal_len = seal.len() as u64;
                open.end()
            }
            Err(cause) => {
                let error = Error::io("writing a seal failed", cause).segment(id).offset(end);
                if error.kind() != ErrorKind::StorageFull {
                    return Err(error);
                }
                end
            }
        };
        drop(writer);
        self.predecessor = Some(predecessor);
        self.remove_dead(len);
        if ending == Ending::OfLog {
            // The record is the one before this segment, as when it was made: with that the anchor says
            // how much of the segment before counts, should this one vanish. The rest is in the end.
            let before = open.header().first_lsn.previous();
            let last_lsn = before.max(self.noted).max(open.start().lsn.previous());
            let anchor = Anchor::new(self.log, id, last_lsn, open.start());
            self.tell_anchor(anchor.of_newest(open.header().first_lsn, len))?;
        }
        let size = self.size;
        if ending == Ending::OfSegment && size.saturating_sub(len) <= size / 16 {
            return Ok(());
        }
        if predecessor.seal_len == 0 {
            self.untrimmed = Some((id, len));
            return Ok(());
        }
        self.trim(id, len)
    }

    /// Marks the current segment as durable up to `end`.
    pub(crate) fn synced(&mut self, end: u64) {
        if let Some(current) = &mut self.current {
            current.open.synced(end);
        }
        self.remove_dead(end);
    }

    fn stamp(&self, watermark: Lsn) -> Stamp {
        Stamp { watermark, timestamp: self.env.now() }
    }

    /// Bytes of frame number `from`, which was prepared, with the padding of a flush behind it.
    fn first_len(&self, staged: &Staged, from: usize) -> u64 {
        let len = match (&self.prepared, staged.frames.get(from)) {
            (Some(_), _) => self.outgoing.len(),
            (None, Some(frame)) => frame.end() - frame.start,
            (None, None) => 0,
        };
        len as u64 + padding_at_most(self.options.alignment)
    }
}

/// Why a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The next frame does not fit.
    OfSegment,
    /// The log is closed.
    OfLog,
}

/// What the header of this segment lets be in flight, but for what ends the segment.
fn frames_in_flight(open: &OpenSegment) -> u64 {
    open.header().in_flight.saturating_sub(ending(open.header().alignment))
}

/// The most bytes that padding up to the alignment adds.
fn padding_at_most(alignment: u32) -> u64 {
    u64::from(alignment) + FRAME_HEADER_LEN as u64
}
