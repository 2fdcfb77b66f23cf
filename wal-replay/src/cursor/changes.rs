//! What a writer has changed of the log while a cursor reads it.

use std::collections::VecDeque;

use wal_core::{Error, Result};

use super::{Cursor, Place, Until};
use crate::frames::FrameReader;
use crate::moved::{Newest, changed, follower, gone, newest};
use crate::segment::Segment;

impl Cursor {
    /// What became of the segment, or of the log, if that is why something is not there.
    pub(super) fn overtaken(&self, segment: &Segment) -> Option<Error> {
        gone(&*self.store, segment, self.next)
            .or_else(|| self.moved.then(|| changed().segment(segment.header.id).lsn(self.next)))
    }

    /// Takes into account what was cut off, from the frame on that is open.
    pub(super) fn catch_up(&mut self) -> Result<()> {
        let Some(place) = &self.place else { return Ok(()) };
        let at = self.frame.as_ref().map(|frame| frame.position.offset);
        let offset = at.unwrap_or(place.frames.offset());
        if self.catch_up_at(offset)? {
            self.frame = None;
        }
        Ok(())
    }

    /// Takes into account what was cut off, or carried over by a recovery, of the segment that is being
    /// read, from this byte on; says whether anything was, and the place is another one then.
    pub(super) fn catch_up_at(&mut self, offset: u64) -> Result<bool> {
        let Some(Place { segment, successor, .. }) = &self.place else { return Ok(false) };
        if let Some(next) = successor {
            if !next.is_gone(&*self.store) {
                return Ok(false);
            }
            return match follower(&*self.store, segment)? {
                Some(next) => self.follow_from(next, offset),
                None => Err(gone(&*self.store, segment, self.next).unwrap_or_else(changed)),
            };
        }
        match newest(&*self.store, segment)? {
            Newest::Still => Ok(false),
            Newest::FollowedBy(next) => self.follow_from(next, offset),
            // It can itself be what was cut off, and a file that is open can still be read.
            Newest::Gone => gone(&*self.store, segment, self.next).map_or(Ok(false), Err),
        }
    }

    fn follow_from(&mut self, next: Segment, offset: u64) -> Result<bool> {
        let Some(place) = self.place.take() else { return Ok(false) };
        self.follow(place, next, offset).map(|()| true)
    }

    /// Goes on in this segment and then in `next`, which follows it by now; or at once in that one.
    pub(super) fn follow(&mut self, mut place: Place, next: Segment, offset: u64) -> Result<()> {
        self.moved = true;
        let Some(before) = next.header.predecessor else { return Ok(()) };
        // Through what was there when the reader came, and is durable now: a reader that went on into every
        // segment that is made meanwhile would never end beside a writer that is faster.
        let last = before.last_lsn.max(next.header.carried);
        if self.until == Until::End {
            self.until = Until::Lsn(last);
        }
        if offset < before.length {
            place.frames = FrameReader::new(offset, before.length);
            self.rest = VecDeque::from([next.header.id]);
            place.successor = Some(next);
            self.place = Some(place);
            return Ok(());
        }
        // What was carried over are the records that were read here. Others were cut off.
        if self.next.previous() > last {
            return Err(changed().segment(place.segment.header.id).lsn(self.next));
        }
        self.rest.clear();
        self.enter(next)
    }
}
