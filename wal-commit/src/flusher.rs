//! [`Flusher`]: stage, flush, publish; everything of a log but who calls it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, PoisonError};

use wal_core::format::Start;
use wal_core::{
    Acknowledgement, Error, ErrorKind, Flush, Lsn, Result, Resume, SegmentId, Watermark,
};

use crate::room::Room;
use crate::stage::{Stage, Staged};
use crate::sync::{AtomicU64, Mutex, MutexGuard};
use crate::tip::{Tip, TipSegment};
use crate::turns::{Turn, Turns};
use crate::writer::{Ending, Writer};
use crate::{Options, WhenDiskFull};

/// The half of a log that a strategy drives; see the crate's page for the order of the locks.
///
/// Failing: the first error of a write or a sync, other than a full disk before anything was lost,
/// poisons the log. It is set once, ends every wait above the watermark and every later append, and
/// no write and no sync is ever tried again. For that it is set before the one who failed lets go
/// of `writing` or `syncing`, and looked at by the next one after taking them: whoever came
/// between would work with what the failure left half done. Waiters wake after that.
#[derive(Debug)]
pub(crate) struct Flusher {
    pub(crate) stage: Mutex<Stage>,
    tip: Mutex<Tip>,
    syncing: Turns,
    writing: Mutex<Writing>,
    pub(crate) written: Arc<Watermark>,
    pub(crate) durable: Arc<Watermark>,
    poison: OnceLock<Error>,
    syncs: AtomicU64,
    in_flight: u64,
    when_disk_full: WhenDiskFull,
    room: Room,
}

/// What the one who writes has in hand.
#[derive(Debug)]
struct Writing {
    writer: Option<Writer>,
    /// Taken from the stage and not written to the end: the frames from `next` on.
    taken: Staged,
    next: usize,
}

impl Flusher {
    pub(crate) fn new(writer: Writer, options: &Options, overlapping_syncs: u32) -> Self {
        let last_lsn = writer.last_lsn();
        let in_flight = match writer.acknowledges() {
            Acknowledgement::Written => u64::MAX,
            _ => options.in_flight(),
        };
        let flusher = Self {
            stage: Mutex::new(Stage::new(last_lsn, options.frame_size)),
            tip: Mutex::default(),
            syncing: Turns::new(overlapping_syncs),
            writing: Mutex::new(Writing { writer: None, taken: Staged::default(), next: 0 }),
            written: Arc::new(Watermark::new(last_lsn)),
            durable: Arc::new(Watermark::new(last_lsn)),
            poison: OnceLock::new(),
            syncs: AtomicU64::new(0),
            in_flight,
            when_disk_full: options.when_disk_full,
            room: Room::default(),
        };
        flusher.install(&mut lock(&flusher.writing), writer);
        flusher
    }

    /// Puts a writer in place whose log is durable to its last record.
    fn install(&self, writing: &mut Writing, writer: Writer) {
        lock(&self.tip).segment = None;
        self.show_tip(&writer);
        writing.writer = Some(writer);
    }

    /// How many syncs the log has asked its store for, those of segments' ends and headers not
    /// counted.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// The first failure, if the log is poisoned.
    pub(crate) fn poisoned(&self) -> Result<()> {
        match self.poison.get() {
            None => Ok(()),
            Some(first) => Err(poisoned(first)),
        }
    }

    /// Poisons the log without a word to those who wait; the first reason stays.
    fn poison(&self, why: &Error) {
        // Both under one lock: who has been told of the poison cannot append any more.
        let mut stage = lock(&self.stage);
        let first = self.poison.get_or_init(|| why.clone());
        stage.close(poisoned(first));
        drop(stage);
        self.room.close();
    }

    /// The store may have room that it had not before.
    pub(crate) fn room_made(&self) {
        self.room.made();
    }

    /// Nobody waits for room from now on.
    pub(crate) fn end_waiting_for_room(&self) {
        self.room.close();
    }

    /// Ends the waiting for what a poisoned log will never reach.
    fn tell(&self) {
        if let Some(first) = self.poison.get() {
            self.written.fail(first.clone());
            self.durable.fail(first.clone());
        }
    }

    /// Calls into parts of others, which may panic; not on a poisoned log.
    fn guarded(&self, flush: impl FnOnce() -> Result<()>) -> Result<()> {
        self.poisoned()?;
        let armed = Armed(self);
        let result = flush();
        std::mem::forget(armed);
        result
    }

    /// The turn at writing, unless the log is poisoned by the time it is had: also by a holder that
    /// panicked just now.
    fn turn_to_write(&self) -> Result<MutexGuard<'_, Writing>> {
        let turn = self.writing.lock().unwrap_or_else(|poison: PoisonError<_>| {
            self.poison(&panicked());
            poison.into_inner()
        });
        self.poisoned()?;
        Ok(turn)
    }

    /// As [`turn_to_write`](Self::turn_to_write), for a turn at syncing.
    fn turn_to_sync<'a>(&self, turn: Result<Turn<'a>, Turn<'a>>) -> Result<Turn<'a>> {
        let turn = turn.unwrap_or_else(|turn| {
            self.poison(&panicked());
            turn
        });
        self.poisoned()?;
        Ok(turn)
    }

    /// Ends a turn at writing. A full disk is told to whoever waits now, unless he is to wait for room,
    /// and nothing is lost; all else poisons.
    fn end_turn(&self, writing: MutexGuard<'_, Writing>, result: Result<()>) -> Result<()> {
        let Err(error) = result else { return Ok(()) };
        if error.kind() == ErrorKind::StorageFull {
            drop(writing);
            if self.when_disk_full == WhenDiskFull::Refuse {
                self.reject(&error);
            }
            return Err(error);
        }
        self.poison(&error);
        drop(writing);
        self.tell();
        self.poisoned()
    }

    /// Tells whoever waits now that the disk is full.
    pub(crate) fn reject(&self, error: &Error) {
        self.written.reject(error.clone());
        self.durable.reject(error.clone());
    }

    /// The segment being written and its end, in bytes.
    pub(crate) fn current(&self) -> Option<(SegmentId, u64)> {
        lock(&self.tip).segment.as_ref().map(|segment| (segment.id, segment.end))
    }

    /// Where the log begins, and its newest segment.
    pub(crate) fn extent(&self) -> Option<(Start, SegmentId)> {
        lock(&self.tip).extent
    }

    /// Records, durably, that the log begins at `start` from now on.
    pub(crate) fn set_start(&self, start: Start) -> Result<()> {
        self.guarded(|| {
            let mut writing = self.turn_to_write()?;
            let Some(writer) = &mut writing.writer else { return Err(closed()) };
            let result = writer.write_start(start, self.durable.get());
            self.show_tip(writer);
            self.end_turn(writing, result)
        })?;
        self.sync()
    }

    /// Writes and syncs what is left, ends the segment and gives its writer up, so that a second
    /// call finds nothing to do. Two calls at once both return when that is done.
    pub(crate) fn finish(&self) -> Result<()> {
        self.write_what_fits()?;
        self.guarded(|| {
            let mut writing = self.turn_to_write()?;
            let Some(writer) = &mut writing.writer else { return Ok(()) };
            // All in one turn: what is written by now is durable before the seal vouches for it.
            let result = self.end_segment(writer, Ending::OfLog);
            if result.is_ok() {
                writing.writer = None;
            }
            self.end_turn(writing, result)
        })
    }

    /// Swaps the written log for another one that ends earlier: everything is written and durable,
    /// `cut` gets the writer's idea of the log and gives the new one back.
    pub(crate) fn replace(
        &self,
        cut: impl FnOnce(Resume) -> Result<Writer>,
        gone: impl Fn(Lsn) -> Error,
    ) -> Result<()> {
        self.guarded(|| {
            let mut writing = self.turn_to_write()?;
            let syncing = self.turn_to_sync(self.syncing.all())?;
            let mut stage = lock(&self.stage);
            if stage.len() > 0 || writing.next < writing.taken.frames.len() {
                let what = "records were appended while the log was being truncated";
                return Err(Error::new(ErrorKind::Invalid, what));
            }
            let Some(writer) = writing.writer.take() else { return Err(closed()) };
            match cut(writer.into_resume()) {
                Ok(writer) => {
                    // All under the lock of the stage: a record appended next has an LSN that the
                    // marks have already been taken back from.
                    let last_lsn = writer.last_lsn();
                    stage.reset(last_lsn);
                    self.install(&mut writing, writer);
                    self.written.reset(last_lsn, gone(last_lsn));
                    self.durable.reset(last_lsn, gone(last_lsn));
                    Ok(())
                }
                Err(error) => {
                    drop(stage);
                    self.poison(&error);
                    drop((syncing, writing));
                    self.tell();
                    self.poisoned()
                }
            }
        })
    }

    /// Makes everything through `lsn`, which is written, durable. Of those who call at the same time
    /// few sync, and the others find it done.
    pub(crate) fn sync_through(&self, lsn: Lsn) -> Result<()> {
        self.sync_unless(Some(lsn), &mut || ())
    }

    /// Syncs, unless it is `enough` that everything through there is durable, and it is.
    ///
    /// Where the store lets syncs overlap, the one that ends first moves the mark, for it vouches for
    /// all that was written before it began.
    fn sync_unless(&self, enough: Option<Lsn>, moved: &mut dyn FnMut()) -> Result<()> {
        self.guarded(|| {
            let syncing = self.turn_to_sync(self.syncing.one())?;
            if enough.is_some_and(|lsn| self.durable.get() >= lsn) {
                return Ok(());
            }
            let tip = lock(&self.tip);
            let last_lsn = tip.last_lsn;
            let segment = tip.segment.clone();
            drop(tip);
            if let Some(TipSegment { id, syncer, end, .. }) = segment {
                self.syncs.fetch_add(1, Ordering::Relaxed);
                if let Err(cause) = syncer.sync() {
                    // Whatever kind it is: also "storage full" here means that bytes are lost.
                    let error = Error::new(ErrorKind::Io, "syncing a segment failed");
                    self.poison(&error.segment(id).because(cause));
                    drop(syncing);
                    self.tell();
                    return self.poisoned();
                }
                lock(&self.tip).synced(id, end);
            }
            // Published in this turn, so that a truncation is not overtaken; the waking is not.
            let woken = self.durable.advance(last_lsn);
            drop(syncing);
            moved();
            drop(woken);
            Ok(())
        })
    }

    /// Writes all there is, or as much as there is room for.
    fn write_what_fits(&self) -> Result<()> {
        self.guarded(|| {
            let mut writing = self.turn_to_write()?;
            if writing.writer.is_none() {
                // Closed, and so written to the end.
                return Ok(());
            }
            let result = self.drain(&mut writing).and_then(|()| {
                // What was left over from a full disk is out; now what was staged since.
                let Writing { taken, next, .. } = &mut *writing;
                let mut stage = lock(&self.stage);
                if stage.len() == 0 {
                    return Ok(());
                }
                *taken = stage.take(std::mem::take(taken));
                *next = 0;
                drop(stage);
                self.drain(&mut writing)
            });
            self.end_turn(writing, result)
        })
    }

    /// Writes frames until nothing taken is left.
    fn drain(&self, writing: &mut Writing) -> Result<()> {
        let Writing { writer, taken, next } = writing;
        let Some(writer) = writer else { return Err(closed()) };
        while *next < taken.frames.len() {
            if !writer.fits(taken, *next) {
                writer.make_following(taken, *next)?;
                self.end_segment(writer, Ending::OfSegment)?;
            }
            self.bound_in_flight(Writer::next_write(taken, *next))?;
            if let Some(segment) = &lock(&self.tip).segment {
                writer.synced(segment.synced_end);
            }
            let count = writer.write(taken, *next, self.durable.get())?;
            *next += count;
            self.show_tip(writer);
            self.written.publish(writer.last_lsn());
        }
        Ok(())
    }

    /// Ends the current segment: everything in it is durable before its seal says so, and before a
    /// successor can exist.
    fn end_segment(&self, writer: &mut Writer, ending: Ending) -> Result<()> {
        self.sync()?;
        let _syncing = self.turn_to_sync(self.syncing.all())?;
        lock(&self.tip).segment = None;
        writer.end_segment(ending)
    }

    /// Syncs first where `more` bytes would leave more in flight than the segment's header allows.
    fn bound_in_flight(&self, more: u64) -> Result<()> {
        let unsynced = match &lock(&self.tip).segment {
            Some(segment) => segment.end - segment.synced_end,
            None => 0,
        };
        if unsynced > 0 && unsynced + more > self.in_flight { self.sync() } else { Ok(()) }
    }

    fn show_tip(&self, writer: &Writer) {
        let mut tip = lock(&self.tip);
        tip.last_lsn = writer.last_lsn();
        tip.extent = writer.extent();
        let Some(current) = writer.current() else { return };
        let (id, end) = (current.open.header().id, current.open.end());
        match &mut tip.segment {
            Some(segment) if segment.id == id => segment.end = end,
            segment => {
                let syncer = current.writer.syncer();
                let synced_end = current.open.durable_end();
                *segment = Some(TipSegment { id, syncer, end, synced_end });
            }
        }
    }
}

impl Flush for Flusher {
    fn staged(&self) -> Lsn {
        lock(&self.stage).last_lsn()
    }

    fn written(&self) -> Lsn {
        self.written.get()
    }

    fn durable(&self) -> Lsn {
        self.durable.get()
    }

    fn write(&self) -> Result<()> {
        loop {
            let then = self.room.now();
            match self.write_what_fits() {
                // Not in a turn at writing: what makes room is written, too.
                Err(error)
                    if error.kind() == ErrorKind::StorageFull
                        && self.when_disk_full == WhenDiskFull::Wait =>
                {
                    if !self.room.wait(then) {
                        // By a close; or by a failure, which is the reason then.
                        return self.poisoned().and(Err(error));
                    }
                }
                result => return result,
            }
        }
    }

    fn sync(&self) -> Result<()> {
        self.sync_then(&mut || ())
    }

    fn sync_then(&self, moved: &mut dyn FnMut()) -> Result<()> {
        self.sync_unless(None, moved)
    }

    fn abandon(&self, why: Error) {
        self.poison(&why);
        self.tell();
    }
}

/// Poisons the log when it is dropped: where a part panics in the middle of a flush, which must
/// not leave waiters waiting. Where all went its way it is forgotten.
struct Armed<'a>(&'a Flusher);

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.0.poison(&panicked());
        self.0.tell();
    }
}

fn panicked() -> Error {
    Error::new(ErrorKind::Io, "a thread panicked while it flushed the log")
}

fn poisoned(first: &Error) -> Error {
    let what = "an earlier failure poisoned the log; close it and reopen";
    Error::new(ErrorKind::Poisoned, what).because(first.clone())
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Invalid, "the log is closed")
}

/// A panic elsewhere has poisoned the log already where it matters; the data under each lock is
/// whole at every point where other code can panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
