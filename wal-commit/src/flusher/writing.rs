//! Writing: what is staged becomes frames in segments.

use wal_core::format::Start;
use wal_core::{ErrorKind, Flush, Lsn, Result, Woken};

use super::{Flusher, Writing, closed, lock};
use crate::WhenDiskFull;
use crate::tip::{Tip, TipSegment};
use crate::writer::{Ending, Writer};

impl Flusher {
    /// Records, durably, that the log begins at `start` from now on. Where there is no room for
    /// that, it is the caller who is told, and nobody who waits for records.
    pub(crate) fn set_start(&self, start: Start) -> Result<()> {
        self.guarded(|| {
            let mut writing = self.turn_to_write()?;
            let Some(writer) = &mut writing.writer else { return Err(closed()) };
            let result = writer.write_start(start, self.durable.get());
            lock(&self.tip).show(writer);
            self.end_turn(writing, result)
        })?;
        self.sync_unless(None, &mut || ())
    }

    /// Writes all there is, or as much as there is room for; that much is durable then.
    ///
    /// What was acknowledged is synced in time, and whoever waits for what is written waits for a sync
    /// and for nothing else: so that no room for the next record keeps nothing from those before it.
    pub(super) fn write_or_sync(&self) -> Result<()> {
        let asked = self.asked();
        let result = self.write_what_fits();
        if let Err(error) = &result
            && error.kind() == ErrorKind::StorageFull
        {
            self.sync_written()?;
            self.note_durable()?;
            if self.when_disk_full == WhenDiskFull::Refuse {
                self.reject(asked, error);
            }
        }
        result
    }

    /// The disk is full: the next open is not to need room for what is durable by now.
    fn note_durable(&self) -> Result<()> {
        self.guarded(|| {
            let mut writing = self.turn_to_write()?;
            let durable = self.durable.get();
            let Some(writer) = &mut writing.writer else { return Ok(()) };
            let result = writer.note_durable(durable);
            self.end_turn(writing, result)
        })
    }

    /// Makes everything staged before the call durable, or as much as there is room for.
    pub(crate) fn write_and_sync(&self) -> Result<()> {
        let staged = self.staged();
        self.write_or_sync()?;
        self.sync_through(staged)
    }

    /// Writes all there is, or as much as there is room for. Where somebody is to be woken on the
    /// way, it gives the turn back for that.
    fn write_what_fits(&self) -> Result<()> {
        let staged = self.staged();
        loop {
            let mut woken = Woken::default();
            let more = self.guarded(|| {
                let mut writing = self.turn_to_write()?;
                let result = self.drain(&mut writing, staged, &mut woken);
                self.end_turn(writing, result)
            });
            drop(woken);
            if !more? {
                return Ok(());
            }
        }
    }

    /// Writes frames until everything through `staged` is written, and what is staged besides; says
    /// whether there is more to do, once the turn was given back and `woken` are awake.
    fn drain(&self, writing: &mut Writing, staged: Lsn, woken: &mut Woken) -> Result<bool> {
        let Writing { writer, taken, next, .. } = writing;
        // Closed, and so written to the end.
        let Some(writer) = writer else { return Ok(false) };
        loop {
            while *next < taken.frames.len() {
                let len = writer.prepare(taken, *next)?;
                if !writer.fits(len) {
                    writer.make_following(len)?;
                    self.end_segment(writer, Ending::OfSegment, woken)?;
                }
                woken.merge(self.bound_in_flight(writer, len)?);
                if !woken.is_empty() {
                    return Ok(true);
                }
                let mut unsynced = 0;
                if let Some(segment) = &lock(&self.tip).segment {
                    writer.synced(segment.synced_end);
                    unsynced = segment.end - segment.synced_end;
                }
                let count = writer.write(taken, *next, self.durable.get(), unsynced)?;
                *next += count;
                lock(&self.tip).show(writer);
                self.room.found();
                woken.merge(self.written.advance(writer.last_lsn()));
            }
            // What was left over from a full disk is out; now what was staged since.
            if writer.last_lsn() >= staged && !taken.frames.is_empty() {
                taken.clear(self.kept);
                *next = 0;
                return Ok(false);
            }
            let mut stage = lock(&self.stage);
            if stage.len() == 0 {
                return Ok(false);
            }
            taken.clear(self.kept);
            *taken = stage.take(std::mem::take(taken));
            *next = 0;
        }
    }

    /// Ends the current segment: everything in it is durable before its seal says so, and before a
    /// successor can exist. The padding before the seal goes with the sync that there is in any case.
    /// Whoever that reaches goes to `woken`, also where the end fails: they wake behind the caller's turn.
    pub(super) fn end_segment(
        &self,
        writer: &mut Writer,
        ending: Ending,
        woken: &mut Woken,
    ) -> Result<()> {
        writer.fill_block(self.durable.get())?;
        lock(&self.tip).show(writer);
        woken.merge(self.sync_once(None)?.unwrap_or_default());
        let _turns = self.turn_to_sync(self.syncing.all())?;
        lock(&self.tip).segment = None;
        writer.end_segment(ending)
    }

    /// Syncs first where `more` bytes, as they are stored, would leave more in flight than the segment's
    /// header allows.
    fn bound_in_flight(&self, writer: &Writer, more: u64) -> Result<Woken> {
        let unsynced = match &lock(&self.tip).segment {
            Some(segment) => segment.end - segment.synced_end,
            None => 0,
        };
        if unsynced > 0 && unsynced.saturating_add(more) > writer.in_flight() {
            return Ok(self.sync_once(None)?.unwrap_or_default());
        }
        Ok(Woken::default())
    }
}

impl Writing {
    /// Puts a writer in place whose log is durable to its last record.
    pub(super) fn install(&mut self, tip: &mut Tip, writer: Writer) {
        tip.segment = None;
        tip.show(&writer);
        self.writer = Some(writer);
    }
}

impl Tip {
    fn show(&mut self, writer: &Writer) {
        self.last_lsn = writer.last_lsn();
        self.extent = writer.extent();
        let Some(current) = writer.current() else { return };
        let (id, end) = (current.open.header().id, current.open.end());
        match &mut self.segment {
            Some(segment) if segment.id == id => segment.end = end,
            segment => {
                let syncer = current.writer.syncer();
                let synced_end = current.open.durable_end();
                *segment = Some(TipSegment { id, syncer, end, synced_end });
            }
        }
    }
}
