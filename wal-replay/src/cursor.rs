//! [`Cursor`]: the entries of a log, in order, from any LSN on.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use wal_core::format::{FrameFault, FrameKind, HEADER_LEN, RecordWalk, Records, Seal};
use wal_core::{Entry, Error, ErrorKind, Lsn, Position, Result, SegmentStore, TransformId};

use crate::chain::{Chain, follows};
use crate::frames::{Frame, FrameReader, Step};
use crate::moved::{changed, follower, gone, was_cut};
use crate::probe::{frame_behind, probe};
use crate::scan::{if_readable, judge, seal_at, sealed_end};
use crate::segment::{BLOCK, Segment};
use crate::transforms::Transforms;
use crate::verify::is_unreadable;

mod changes;

/// How far a [`Cursor`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Until {
    /// Through this record, which is known to be written; anything that is not there is damage.
    Lsn(Lsn),
    /// To the end of the log as it lies there: a torn tail ends it, damage is an error.
    End,
}

/// Walks over a log's entries, across segments, every frame verified on the way. Reads beside a
/// writer, and holds one segment open at a time.
///
/// What a writer does to the log meanwhile is no damage, and does not end the entries early:
///
/// - Where a segment is pruned before it has been read to its end, the cursor reads on in it or says
///   [`NotFound`](ErrorKind::NotFound).
/// - Where the log is cut, or a writer that opens it carries its last records over, the cursor goes on
///   with what is in force by then, or says [`Changed`](ErrorKind::Changed): look again. Of a log
///   that another process cuts it may still give what it had read from the store before.
///
/// After an error it ends.
pub struct Cursor {
    store: Arc<dyn SegmentStore>,
    transforms: Transforms,
    /// Segments still to come.
    rest: VecDeque<wal_core::SegmentId>,
    next: Lsn,
    until: Until,
    /// The last record that surely counts, of a damaged log.
    bound: Lsn,
    /// Whether it reads on where nothing pointed to when it was made.
    moved: bool,
    cuts: Option<Cuts>,
    place: Option<Place>,
    frame: Option<OpenFrame>,
}

/// What counts the cuts of a log of this process, and how many of them are accounted for.
struct Cuts {
    count: Arc<AtomicU64>,
    seen: u64,
}

impl Cuts {
    #[inline]
    fn is_seen(&self) -> bool {
        self.count.load(Ordering::SeqCst) == self.seen
    }
}

/// The segment that is being read.
struct Place {
    segment: Segment,
    frames: FrameReader,
    /// The header of the segment after, where there is one; it bounds this one.
    successor: Option<Segment>,
}

/// The frame that is being read.
struct OpenFrame {
    body: Bytes,
    walk: RecordWalk,
    /// The record that the walk comes to next.
    lsn: Lsn,
    position: Position,
    timestamp: u64,
}

impl Cursor {
    /// A cursor over the log of `chain` that begins with the record `from`.
    ///
    /// A record before the log's start is [`NotFound`](ErrorKind::NotFound): it was pruned. One
    /// behind the log's end gives no entries.
    pub fn new(
        store: Arc<dyn SegmentStore>,
        transforms: Transforms,
        chain: &Chain,
        from: Lsn,
        until: Until,
    ) -> Result<Self> {
        let from = from.max(Lsn::FIRST);
        if from < chain.start.lsn {
            return Err(Error::new(ErrorKind::NotFound, "the record was pruned").lsn(from));
        }
        let at = chain.find_past_damage(&*store, from)?;
        let mut cursor = Self {
            transforms,
            rest: chain.segments[at..].iter().copied().collect(),
            next: from,
            until,
            bound: chain.until,
            ..Self::empty(store)
        };
        if let Some(id) = cursor.rest.pop_front() {
            let segment = Segment::open_sound(&*cursor.store, id)?;
            chain.check_start(&segment.header)?;
            cursor.enter(segment)?;
            cursor.seek(from)?;
        }
        Ok(cursor)
    }

    /// A cursor over the log of `chain` that begins with the first record of the frame at
    /// `position`, as an [`Entry`] names it. Costs one frame, however long the log is.
    ///
    /// - [`NotFound`](ErrorKind::NotFound): the segment is no part of the log, being pruned, cut off
    ///   or never written, or it ends before that.
    /// - [`Invalid`](ErrorKind::Invalid): no frame with records begins there. One whose header is
    ///   damaged looks the same; [`verify`](crate::verify()) tells.
    /// - [`Corrupt`](ErrorKind::Corrupt): one does, and its body is damaged.
    pub fn at(
        store: Arc<dyn SegmentStore>,
        transforms: Transforms,
        chain: &Chain,
        position: Position,
        until: Until,
    ) -> Result<Self> {
        let gone = |what| Error::new(ErrorKind::NotFound, what).at(position);
        let Ok(at) = chain.segments.binary_search(&position.segment) else {
            return Err(gone("the segment is no part of the log"));
        };
        let mut cursor = Self {
            transforms,
            rest: chain.segments[at + 1..].iter().copied().collect(),
            until,
            bound: chain.until,
            ..Self::empty(store)
        };
        let segment = Segment::open_sound(&*cursor.store, position.segment)?;
        chain.check_start(&segment.header)?;
        cursor.enter(segment)?;
        let Some(place) = &mut cursor.place else { return Ok(cursor) };
        place.frames = FrameReader::new(position.offset, place.frames.limit());
        if place.frames.is_at_limit() {
            return Err(gone("the segment ends before that position"));
        }
        let frame = match place.frames.step_claimed(&place.segment)? {
            Some(frame) if frame.header.kind == FrameKind::Records => frame,
            _ => {
                let what = "no frame with records begins at that position";
                return Err(Error::new(ErrorKind::Invalid, what).at(position));
            }
        };
        cursor.next = frame.header.first_lsn;
        cursor.frame = Some(cursor.open(&frame)?);
        Ok(cursor)
    }

    /// Reads so many bytes at a time, 1 MiB by default, in the segment that it begins in: few, where
    /// one record is wanted.
    pub fn read_ahead(mut self, bytes: u64) -> Self {
        if let Some(place) = &mut self.place {
            place.frames.set_read_ahead(bytes);
        }
        self
    }

    /// A cursor over no log at all.
    pub fn empty(store: Arc<dyn SegmentStore>) -> Self {
        Self {
            store,
            transforms: Transforms::default(),
            rest: VecDeque::new(),
            next: Lsn::FIRST,
            until: Until::End,
            bound: Lsn::MAX,
            moved: false,
            cuts: None,
            place: None,
            frame: None,
        }
    }

    /// Looks at the log again before each entry where `count` has changed, which the log counts up
    /// before and after it cuts anything, and which was `seen` before the cursor was made: so no entry is
    /// given that was cut off before it was asked for.
    pub fn watching(mut self, count: Arc<AtomicU64>, seen: u64) -> Self {
        self.cuts = Some(Cuts { count, seen });
        self
    }

    /// The LSN of the next entry, if there is one.
    pub fn next_lsn(&self) -> Lsn {
        self.next
    }

    /// Goes to the start of this segment, whose successor is the next of the rest.
    fn enter(&mut self, segment: Segment) -> Result<()> {
        let successor = match self.rest.front() {
            Some(&id) => Some(Segment::open_sound(&*self.store, id)?),
            None => None,
        };
        let mut limit = segment.size;
        if let Some(successor) = &successor {
            follows(&segment.header, segment.identity, &successor.header)?;
            if let Some(this) = successor.header.predecessor {
                limit = this.length;
            }
        }
        let frames = FrameReader::new(HEADER_LEN as u64, limit);
        self.place = Some(Place { segment, frames, successor });
        Ok(())
    }

    /// Goes to the frame of the record `lsn` by the index of the segment's seal, where it has one, and
    /// else where a search finds a frame, if the record is known to be written.
    fn seek(&mut self, lsn: Lsn) -> Result<()> {
        let Some(Place { segment, frames, successor }) = &mut self.place else { return Ok(()) };
        if lsn <= segment.header.first_lsn {
            return Ok(());
        }
        let limit = frames.limit();
        let seal = match successor.as_ref().and_then(|successor| successor.header.predecessor) {
            Some(this) if this.seal_len > 0 => seal_at(segment, this.length),
            Some(_) => Ok(None),
            None => sealed_end(segment),
        };
        if let Some(frame) = if_readable(seal)?
            && let Some(seal) = Seal::decode(&frame.body)
            && let Some(offset) = seal.seek(lsn)
            && (HEADER_LEN as u64..frame.offset).contains(&offset)
        {
            *frames = FrameReader::new(offset, limit);
            return Ok(());
        }
        if let Until::Lsn(last) = self.until
            && lsn <= last
        {
            *frames = FrameReader::new(probe(segment, lsn)?, limit);
        }
        Ok(())
    }

    /// Gives nothing more, and says why.
    fn end_with(&mut self, error: Error) -> Error {
        let cut = error.kind() == ErrorKind::NotFound && was_cut(&*self.store, self.next);
        (self.place, self.frame, self.until) = (None, None, Until::End);
        if cut { changed().lsn(self.next) } else { error }
    }

    fn advance(&mut self) -> Result<Option<Entry>> {
        loop {
            if self.is_done() {
                return Ok(None);
            }
            if let Some(cuts) = self.cuts.as_mut().filter(|cuts| !cuts.is_seen()) {
                cuts.seen = cuts.count.load(Ordering::SeqCst);
                self.catch_up()?;
            }
            if let Some(frame) = &mut self.frame {
                if let Some(entry) = frame.entry(self.next)? {
                    self.next = self.next.next();
                    return Ok(Some(entry));
                }
                self.frame = None;
            }
            if !self.next_frame()? {
                return Ok(None);
            }
        }
    }

    /// Whether there is nothing more that it was made for.
    #[inline]
    fn is_done(&self) -> bool {
        matches!(self.until, Until::Lsn(last) if self.next > last) || self.next > self.bound
    }

    /// Opens the next frame with records; says whether there is one.
    fn next_frame(&mut self) -> Result<bool> {
        loop {
            // Known on the way, where it went on in a segment that follows by now.
            if self.is_done() {
                return Ok(false);
            }
            let Some(place) = &mut self.place else { return Ok(false) };
            let (offset, fills) = (place.frames.offset(), place.frames.fills());
            let step = place.frames.step(&place.segment);
            // Of another handle's cut nothing tells but the segments: what was read counts only if it was
            // in force behind that. A look at a single record asks nothing more than that it is sound.
            let read = place.frames.fills() != fills;
            let step = match step {
                Err(error) if self.steps_over(&error)? => continue,
                step => step?,
            };
            let asks = self.until == Until::End || self.moved || self.cuts.is_some();
            if read && asks && self.bound == Lsn::MAX && self.catch_up_at(offset)? {
                continue;
            }
            match step {
                Step::Frame(frame) if frame.header.kind == FrameKind::Records => {
                    if frame.header.last_lsn() < self.next {
                        continue;
                    }
                    self.frame = Some(self.open(&frame)?);
                    return Ok(true);
                }
                Step::Frame(frame) if frame.header.kind == FrameKind::Seal => {
                    self.leave(true)?;
                }
                Step::Frame(_) => {}
                Step::Limit => self.leave(false)?,
                Step::Fault(fault) => {
                    if !self.stop(fault, offset)? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Goes on behind what cannot be read, where all that is lost with it is before the record that is
    /// wanted; says whether it did.
    fn steps_over(&mut self, error: &Error) -> Result<bool> {
        let Some(place) = &mut self.place else { return Ok(false) };
        // Behind a tear lie frames that are sound and no part of the log.
        let written = place.successor.is_some()
            || matches!(self.until, Until::Lsn(last) if self.next <= last);
        let (true, Some(bad)) = (written && is_unreadable(error), error.at_offset()) else {
            return Ok(false);
        };
        match frame_behind(&place.segment, bad + BLOCK, place.frames.limit())? {
            Some((offset, header)) if header.first_lsn <= self.next => {
                place.frames.skip_to(offset);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn open(&self, frame: &Frame) -> Result<OpenFrame> {
        let Some(place) = &self.place else {
            return Err(Error::new(ErrorKind::Invalid, "the cursor has ended"));
        };
        let header = frame.header;
        let position = Position { segment: place.segment.header.id, offset: frame.offset };
        if header.first_lsn > self.next {
            let what = "frame is out of order";
            return Err(place.segment.corrupt(what, frame.offset, self.next));
        }
        let body = self.transforms.undo(header.transform, &frame.body);
        let body = body.map_err(|error| error.at(position))?;
        let plain = header.transform == TransformId::NONE;
        // Nobody has seen yet what a transform hid.
        if !plain && Records::new(&body, header.count).any(|record| record.is_none()) {
            return Err(miscounted(position, header.first_lsn));
        }
        Ok(OpenFrame {
            body,
            walk: RecordWalk::new(header.count),
            lsn: header.first_lsn,
            position,
            timestamp: header.timestamp,
        })
    }

    /// Goes on with the next segment, if there is one; `sealed` says that this one is whole.
    fn leave(&mut self, sealed: bool) -> Result<()> {
        let Some(mut place) = self.place.take() else { return Ok(()) };
        let wants_more = matches!(self.until, Until::Lsn(last) if self.next <= last);
        if place.successor.is_none() && (wants_more || !sealed && self.bound == Lsn::MAX) {
            // The end of what was the newest segment; a recovery may have carried its last records over,
            // and given its space back. Behind a seal is nothing that this cursor was made for.
            if let Some(next) = follower(&*self.store, &place.segment)? {
                let offset = place.frames.offset();
                return self.follow(place, next, offset);
            }
        }
        let Some(successor) = place.successor.take() else {
            if !wants_more {
                return Ok(());
            }
            if let Some(error) = self.overtaken(&place.segment) {
                return Err(error);
            }
            let what = "log ends before a record that was durable";
            return Err(place.segment.corrupt(what, place.frames.offset(), self.next));
        };
        self.rest.pop_front();
        if self.next < successor.header.first_lsn {
            let what = "segment ends before the record that the next one begins behind";
            return Err(place.segment.corrupt(what, place.frames.offset(), self.next));
        }
        self.enter(successor)
    }

    /// The end of the log, or damage; or, where it says true, neither: there is a frame by now.
    fn stop(&mut self, fault: FrameFault, offset: u64) -> Result<bool> {
        let Some(mut place) = self.place.take() else { return Ok(false) };
        let segment = &place.segment;
        if matches!(fault, FrameFault::Kind(_) | FrameFault::Flags(_)) {
            let what = "frame is of a kind that this build does not know";
            let error = Error::new(ErrorKind::Unsupported, what);
            return Err(error.segment(segment.header.id).offset(offset));
        }
        let found = match self.until {
            _ if place.successor.is_some() => {
                let what = "frame is damaged, and the next segment vouches for it";
                Err(segment.corrupt(what, offset, self.next))
            }
            Until::Lsn(_) => {
                Err(segment.corrupt("frame of a durable record is damaged", offset, self.next))
            }
            Until::End => judge(segment, offset, self.next),
        };
        if found.is_err() && place.successor.is_none() {
            // Or the log is being written, and what was read a while ago is not what is there
            // now: a frame has appeared, and later ones that vouch for it.
            let mut frames = FrameReader::new(offset, place.frames.limit());
            if let Step::Frame(_) = frames.step(segment)? {
                place.frames = FrameReader::new(offset, place.frames.limit());
                self.place = Some(place);
                return Ok(true);
            }
        }
        // Asked last: what a writer does between two steps of this is then known, too.
        self.place = Some(place);
        if self.bound == Lsn::MAX && self.catch_up_at(offset)? {
            return Ok(true);
        }
        let Some(place) = self.place.take() else { return Ok(false) };
        let Err(damage) = found else { return Ok(false) };
        // All of its records were given: what is left of it is padding and a seal, and where it was pruned its
        // file may be another segment's by now. The log goes on in the next one.
        if let Some(successor) = &place.successor
            && self.next >= successor.header.first_lsn
            && place.segment.is_gone(&*self.store)
        {
            self.place = Some(place);
            return self.leave(true).map(|()| true);
        }
        // A segment that is in force now says that this frame was written: nobody has cut it off.
        let why = match &place.successor {
            Some(_) => gone(&*self.store, &place.segment, self.next),
            None => self.overtaken(&place.segment),
        };
        Err(why.unwrap_or(damage))
    }
}

impl OpenFrame {
    /// The frame's next entry from the record `from` on.
    #[inline]
    fn entry(&mut self, from: Lsn) -> Result<Option<Entry>> {
        while let Some(record) = self.walk.next(&self.body) {
            let range = record.ok_or_else(|| miscounted(self.position, self.lsn))?;
            let lsn = self.lsn;
            self.lsn = lsn.next();
            if lsn >= from {
                let payload = self.body.slice(range);
                return Ok(Some(Entry::new(lsn, self.position, self.timestamp, payload)));
            }
        }
        Ok(None)
    }
}

fn miscounted(position: Position, lsn: Lsn) -> Error {
    let what = "frame does not hold the records it counts";
    Error::new(ErrorKind::Corrupt, what).at(position).lsn(lsn)
}

impl Iterator for Cursor {
    type Item = Result<Entry>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // Most entries are in the frame that is open already: nothing is looked at for them but whether the
        // log was cut.
        if !self.is_done()
            && self.cuts.as_ref().is_none_or(Cuts::is_seen)
            && let Some(frame) = &mut self.frame
        {
            match frame.entry(self.next) {
                Ok(Some(entry)) => {
                    self.next = self.next.next();
                    return Some(Ok(entry));
                }
                Ok(None) => self.frame = None,
                Err(error) => return Some(Err(self.end_with(error))),
            }
        }
        self.advance().map_err(|error| self.end_with(error)).transpose()
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            .field("next", &self.next)
            .field("until", &self.until)
            .field("segments_to_come", &self.rest.len())
            .finish_non_exhaustive()
    }
}
