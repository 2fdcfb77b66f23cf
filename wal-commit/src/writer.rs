//! [`Writer`]: frames into segments, one segment after the other.

use std::io;
use std::sync::Arc;

use wal_core::format::{
    Anchor, FRAME_ALIGN, FRAME_HEADER_LEN, HEADER_LEN, MAX_BODY_LEN, OpenSegment, Predecessor,
    SEAL_ALIGN, SegmentHeader, Stamp, Start, UNBOUNDED, round_up,
};
use wal_core::{
    Acknowledgement, Applied, CurrentSegment, Env, Epoch, Error, ErrorKind, Fenced, LogId, Lsn,
    MadeSegment, Position, Result, Resume, SegmentId, SegmentSpace, SegmentStore, Transform,
    TransformId, abandon, make_segment,
};

use crate::Options;
use crate::stage::{Staged, StagedFrame};

/// A write takes no further frame where it has so many transformed bytes: they are in memory beside
/// those that they come from.
const TRANSFORMED: usize = 1 << 20;

/// Space that is worth a segment, in bytes, where the disk has not as much as the settings say.
const WORTHWHILE: u64 = 64 << 10;

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

/// What a transform has made of a frame.
#[derive(Clone, Copy, Debug)]
struct Transformed {
    /// Bytes of the body as it is stored.
    stored: usize,
    transform: TransformId,
}

/// What one write may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    segment_size: u64,
    /// Bytes that may be in flight beside those that are.
    in_flight: u64,
    alignment: u64,
    /// Bytes of padding, at the most.
    padding: u64,
}

impl Limits {
    /// Whether there is room for `more` bytes behind the frames of this write, which has `len`.
    fn allow(&self, open: &OpenSegment, len: u64, more: u64) -> bool {
        open.sealed_len(more + self.alignment) <= self.segment_size
            && len + more + self.padding <= self.in_flight
    }
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

    /// Records in the anchor alone that the log begins here. It is durable when this returns. Every
    /// header that is written later says the same.
    fn anchor_start(&mut self, start: Start, watermark: Lsn) -> Result<()> {
        // What the anchor names is durable: the header of the newest segment, and all before that.
        let Some(anchor) = self.anchor_of(watermark.max(start.lsn.previous()), start) else {
            return Err(Error::new(ErrorKind::Invalid, "the log has no segment"));
        };
        let written = self.store.write_anchor(&anchor.encode());
        written.map_err(|cause| Error::io("writing the log's anchor failed", cause))?;
        self.noted = anchor.last_lsn;
        if let Some(current) = &mut self.current {
            current.open.note_start(start);
        }
        self.start = Some(start);
        Ok(())
    }

    /// Tells the anchor, which takes no room for it, how far the log is durable: on a full disk. The next
    /// open finds nothing in doubt of that, and so needs no room to carry it over, where there may be
    /// none: not even the newest segment alone is a dead end then. Where it fails, what the anchor said
    /// before stays true; not so where the writer's place was taken.
    pub(crate) fn note_durable(&mut self, durable: Lsn) -> Result<()> {
        let (Some((start, _)), true) = (self.extent(), durable > self.noted) else {
            return Ok(());
        };
        match self.anchor_of(durable, start) {
            Some(anchor) => self.tell_anchor(anchor),
            None => Ok(()),
        }
    }

    /// What the anchor is told of a log that is durable through this record and begins here; `None` where
    /// it has no segment.
    ///
    /// Where no segment is being written, the anchor may know more of the newest one than this writer: of
    /// a log that was closed, that its seal was durable, without which a seal that vanishes would not be
    /// missed. That stays true until something follows that segment, and so is said again.
    fn anchor_of(&self, durable: Lsn, start: Start) -> Option<Anchor> {
        let (_, newest) = self.extent()?;
        if let Some(current) = &self.current {
            let (first, end) = (current.open.header().first_lsn, current.open.durable_end());
            return Some(Anchor::new(self.log, newest, durable, start).of_newest(first, end));
        }
        let known = self.store.read_anchor().ok().flatten();
        let known = known.and_then(|bytes| Anchor::decode(&bytes).ok());
        let known = known.filter(|known| known.log == self.log);
        // What is vouched for of the segment before the next one; its seal may be in a cache alone.
        let vouched = self.predecessor.map(|before| (before.id, before.length));
        let (newest, last_lsn) = known.map_or((newest, durable), |known| {
            (newest.max(known.newest), durable.max(known.last_lsn))
        });
        let ends = [known.map(|known| (known.newest, known.durable_end)), vouched];
        let of_newest = ends.into_iter().flatten().filter(|&(id, _)| id == newest);
        let end = of_newest.map(|(_, end)| end).max().unwrap_or(0);
        let first_lsn = known.map_or(Lsn::ZERO, |known| known.knows_of(newest).0);
        Some(Anchor::new(self.log, newest, last_lsn, start).of_newest(first_lsn, end))
    }

    /// Makes the segment that takes over from the current one, so that where there is no room for it
    /// the current one goes on: what frees room has to be written somewhere. Its first frame will be
    /// of so many bytes.
    pub(crate) fn make_following(&mut self, first: u64) -> Result<()> {
        let least = self.least_for(first);
        if self.following.as_ref().is_some_and(|following| following.size >= least) {
            return Ok(());
        }
        self.abandon_following();
        self.following = Some(self.make(self.options.segment_size.max(least), least)?);
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

    /// Tells the anchor how far a log goes that was opened and closed and not written to. Its last writer may
    /// have ended before it did: by a kill, or without power between a seal and what it tells the anchor.
    /// What is lost of the file behind the close would take with its records all that knows of them. What
    /// the anchor reads as is no reason not to: that may be in a cache alone.
    fn note_end(&mut self) -> Result<()> {
        self.note_durable(self.last_lsn)
    }

    /// Gives back the space of a segment behind `len`. Where that fails the segment keeps it, and
    /// nothing is lost; not so where the writer's place was taken.
    fn trim(&mut self, id: SegmentId, len: u64) -> Result<()> {
        match self.store.trim(id, len) {
            Err(cause) if Fenced::is_source_of(&cause) => {
                Err(Error::io("trimming a segment failed", cause).segment(id))
            }
            Err(_) => {
                self.untrimmed = Some((id, len));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Gives back the space of the segment before, now that the current one is durable.
    fn trim_predecessor(&mut self) -> Result<()> {
        let Some((id, len)) = self.untrimmed.take() else { return Ok(()) };
        let has = self.store.open(id).and_then(|reader| reader.size());
        if has.is_ok_and(|size| size > round_up(len, HEADER_LEN as u64)) {
            let trimmed = self.trim(id, len);
            // Once; then it is the next open's.
            self.untrimmed = None;
            return trimmed;
        }
        Ok(())
    }

    /// Makes the next segment, its header durable, with this much space or, where there is not so
    /// much, as little as `least`. It lets `in_flight` bytes be in flight, if that is more than the
    /// settings say.
    ///
    /// The order: the header is durable; then the anchor says so; then what the header makes obsolete
    /// goes. A crash before the anchor leaves the one before, which is true as well, so a renewal that
    /// fails does no harm. It costs a small durable write a segment.
    fn create(&mut self, wanted: u64, least: u64, in_flight: u64) -> Result<()> {
        let made = match self.following.take() {
            Some(following) if following.size >= least => following,
            other => {
                self.following = other;
                self.abandon_following();
                self.make(wanted, least)?
            }
        };
        let MadeSegment { id, size, mut writer } = made;
        let open = OpenSegment::new(self.header(id, size, writer.space(), in_flight));
        let (start, first_lsn) = (open.start(), open.header().first_lsn);
        let place = |error: Error| error.segment(id);
        if let Err(cause) = writer.append(&open.header().encode()) {
            self.abandon(MadeSegment { id, size, writer });
            return Err(place(Error::io("writing a segment header failed", cause)));
        }
        let synced = writer.syncer().sync();
        synced.map_err(|cause| {
            if Fenced::is_source_of(&cause) {
                return place(Error::io("syncing a segment header failed", cause));
            }
            // Not "storage full": after a sync failed, nothing may be tried again.
            place(Error::new(ErrorKind::Io, "syncing a segment header failed").because(cause))
        })?;
        self.start = Some(start);
        self.current = Some(CurrentSegment { open, writer });
        self.size = size;
        let anchor = Anchor::new(self.log, id, self.last_lsn, start);
        self.tell_anchor(anchor.of_newest(first_lsn, HEADER_LEN as u64))?;
        self.trim_predecessor()
    }

    fn header(
        &self,
        id: SegmentId,
        size: u64,
        space: SegmentSpace,
        in_flight: u64,
    ) -> SegmentHeader {
        let mut header =
            SegmentHeader::new(self.log, id, self.epoch, self.last_lsn.next(), self.env.random());
        header.created = self.env.now();
        header.codec = self.options.codec;
        header.alignment = self.options.alignment;
        header.unwritten = space.unwritten;
        header.space = space.durable_len;
        header.in_flight = if self.acknowledges == Acknowledgement::Written {
            UNBOUNDED
        } else {
            let frames = self.options.in_flight().max(in_flight);
            frames.max(seal_in_flight(size)) + ending(self.options.alignment)
        };
        header.predecessor = self.predecessor;
        header.start = self.start.unwrap_or(header.start);
        header
    }

    /// Tells the anchor of what is durable. Where that fails, what it said before stays true; not so
    /// where the writer's place was taken.
    fn tell_anchor(&mut self, anchor: Anchor) -> Result<()> {
        match self.store.write_anchor(&anchor.encode()) {
            Err(cause) if Fenced::is_source_of(&cause) => {
                Err(Error::io("writing the log's anchor failed", cause))
            }
            Err(_) => Ok(()),
            Ok(()) => {
                self.noted = anchor.last_lsn;
                self.anchored = true;
                Ok(())
            }
        }
    }

    /// No record is written before the log has an anchor, or it is not for want of space that it has none.
    /// An anchor takes space when it is made and none later, and is what a full disk is pruned by before the
    /// log is opened: records without one, in doubt after a kill, would be in a log that can then neither
    /// be opened nor pruned.
    fn ensure_anchor(&mut self, durable: Lsn) -> Result<()> {
        if self.anchored {
            return Ok(());
        }
        let found = self.store.read_anchor();
        if !found.is_ok_and(|found| found.is_none()) {
            self.anchored = true;
            return Ok(());
        }
        let start = self.current.as_ref().map(|current| current.open.start());
        let Some(anchor) = start.and_then(|start| self.anchor_of(durable, start)) else {
            return Ok(());
        };
        let written = self.store.write_anchor(&anchor.encode());
        match written.map_err(|cause| Error::io("making the log's anchor failed", cause)) {
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::Fenced) => {
                Err(error)
            }
            written => {
                self.anchored = true;
                if written.is_ok() {
                    self.noted = anchor.last_lsn;
                }
                Ok(())
            }
        }
    }

    /// The space that a segment takes at the least with a first frame of `first` bytes.
    fn least_for(&self, first: u64) -> u64 {
        let mut header = SegmentHeader::new(self.log, self.next_segment, self.epoch, Lsn::FIRST, 0);
        header.alignment = self.options.alignment;
        let least = OpenSegment::new(header).sealed_len(first);
        least.max(self.options.segment_size.min(WORTHWHILE))
    }

    /// The space of a segment that is made for nothing but a start.
    fn size_of_start(&self) -> u64 {
        (HEADER_LEN as u64 + 3 * u64::from(self.options.alignment.max(4096)))
            .min(self.options.segment_size)
    }

    /// Makes an empty segment. Its number is spent only where something is there of it then.
    fn make(&mut self, wanted: u64, least: u64) -> Result<MadeSegment> {
        let id = self.next_segment;
        let made = make_segment(&*self.store, &mut self.next_segment, wanted, least);
        made.map_err(|cause| {
            let error = if is_passing(&cause) {
                let what = "making a segment failed for want of file handles or memory";
                Error::new(ErrorKind::StorageFull, what).because(cause)
            } else {
                Error::io("making a segment failed", cause)
            };
            error.segment(id)
        })
    }

    fn abandon_following(&mut self) {
        if let Some(following) = self.following.take() {
            self.abandon(following);
        }
    }

    /// Gives back a segment that this writer made and did not sync. No other is ever removed by its
    /// number: what cannot be made because the number is taken is somebody else's.
    fn abandon(&mut self, made: MadeSegment) {
        let id = made.id;
        if abandon(&*self.store, made).is_err() {
            self.dead.push(id);
        }
    }

    /// Removes what is dead, once something durable stands behind the segment's header: a header
    /// alone that rots reads as one that never came to be, and what the dead say would be needed.
    fn remove_dead(&mut self, durable_end: u64) {
        // Dead wherever they lie: what cannot go now may go with the segment after.
        let vouched = !self.dead.is_empty() && durable_end > HEADER_LEN as u64;
        if !vouched {
            return;
        }
        if self.store.remove(&self.dead).is_ok() {
            self.dead.clear();
        } else if let Ok(there) = self.store.list() {
            // One that cannot go does not keep the others.
            self.dead.retain(|id| there.binary_search(id).is_ok());
        }
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

/// The most bytes of a seal's index, for a segment of this size: an entry every 64 KiB. It is written when
/// nothing else is in flight.
fn seal_in_flight(size: u64) -> u64 {
    size / 4096
}

/// The most bytes that padding up to the alignment adds.
fn padding_at_most(alignment: u32) -> u64 {
    u64::from(alignment) + FRAME_HEADER_LEN as u64
}

/// Takes frames as they are staged; says how many, and where in the buffer they begin and end.
fn push_plain(
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
fn push_transformed(
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
fn transformed(
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

fn push(
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
struct Overlaid<'a> {
    buffer: &'a mut Vec<u8>,
    at: usize,
    len: usize,
    covered: &'a mut Vec<u8>,
}

impl<'a> Overlaid<'a> {
    fn new(buffer: &'a mut Vec<u8>, at: usize, padding: &[u8], covered: &'a mut Vec<u8>) -> Self {
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

/// Whether the system lacks what others will give back: file handles of the process, of the system, or
/// memory. Nothing was made and nothing is lost, so it is like no space, and tried again.
fn is_passing(cause: &io::Error) -> bool {
    const HANDLES: [i32; 2] = if cfg!(windows) { [4, 4] } else { [23, 24] };
    cause.kind() == io::ErrorKind::OutOfMemory
        || cause.raw_os_error().is_some_and(|code| HANDLES.contains(&code))
}
