//! Making the next segment, and giving back what the ones before it do not need.

use std::io;

use wal_core::format::{Anchor, HEADER_LEN, OpenSegment, SegmentHeader, UNBOUNDED, round_up};
use wal_core::{
    Acknowledgement, CurrentSegment, Error, ErrorKind, Fenced, Lsn, MadeSegment, Result, SegmentId,
    SegmentSpace, abandon, make_segment,
};

use super::{Writer, ending};

/// Space that is worth a segment, in bytes, where the disk has not as much as the settings say.
const WORTHWHILE: u64 = 64 << 10;

impl Writer {
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

    /// Makes the next segment, its header durable, with this much space or, where there is not so
    /// much, as little as `least`. It lets `in_flight` bytes be in flight, if that is more than the
    /// settings say.
    ///
    /// The order: the header is durable; then the anchor says so; then what the header makes obsolete
    /// goes. A crash before the anchor leaves the one before, which is true as well, so a renewal that
    /// fails does no harm. It costs a small durable write a segment.
    pub(super) fn create(&mut self, wanted: u64, least: u64, in_flight: u64) -> Result<()> {
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

    pub(super) fn header(
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

    /// The space that a segment takes at the least with a first frame of `first` bytes.
    pub(super) fn least_for(&self, first: u64) -> u64 {
        let mut header = SegmentHeader::new(self.log, self.next_segment, self.epoch, Lsn::FIRST, 0);
        header.alignment = self.options.alignment;
        let least = OpenSegment::new(header).sealed_len(first);
        least.max(self.options.segment_size.min(WORTHWHILE))
    }

    /// The space of a segment that is made for nothing but a start.
    pub(super) fn size_of_start(&self) -> u64 {
        (HEADER_LEN as u64 + 3 * u64::from(self.options.alignment.max(4096)))
            .min(self.options.segment_size)
    }

    /// Makes an empty segment. Its number is spent only where something is there of it then.
    pub(super) fn make(&mut self, wanted: u64, least: u64) -> Result<MadeSegment> {
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

    pub(super) fn abandon_following(&mut self) {
        if let Some(following) = self.following.take() {
            self.abandon(following);
        }
    }

    /// Gives back a segment that this writer made and did not sync. No other is ever removed by its
    /// number: what cannot be made because the number is taken is somebody else's.
    pub(super) fn abandon(&mut self, made: MadeSegment) {
        let id = made.id;
        if abandon(&*self.store, made).is_err() {
            self.dead.push(id);
        }
    }

    /// Gives back the space of a segment behind `len`. Where that fails the segment keeps it, and
    /// nothing is lost; not so where the writer's place was taken.
    pub(super) fn trim(&mut self, id: SegmentId, len: u64) -> Result<()> {
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
    pub(super) fn trim_predecessor(&mut self) -> Result<()> {
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

    /// Removes what is dead, once something durable stands behind the segment's header: a header
    /// alone that rots reads as one that never came to be, and what the dead say would be needed.
    pub(super) fn remove_dead(&mut self, durable_end: u64) {
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
}

/// The most bytes of a seal's index, for a segment of this size: an entry every 64 KiB. It is written when
/// nothing else is in flight.
fn seal_in_flight(size: u64) -> u64 {
    size / 4096
}

/// Whether the system lacks what others will give back: file handles of the process, of the system, or
/// memory. Nothing was made and nothing is lost, so it is like no space, and tried again.
fn is_passing(cause: &io::Error) -> bool {
    const HANDLES: [i32; 2] = if cfg!(windows) { [4, 4] } else { [23, 24] };
    cause.kind() == io::ErrorKind::OutOfMemory
        || cause.raw_os_error().is_some_and(|code| HANDLES.contains(&code))
}
