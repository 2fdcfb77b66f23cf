//! [`Flusher`]: stage, flush, publish; everything of a log but who calls it.

mod ending;
mod syncing;
mod writing;

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, PoisonError};

use wal_core::format::Start;
use wal_core::{Error, ErrorKind, Flush, Lsn, Moment, Result, SegmentId, StoreLock, Watermark};

use crate::room::Room;
use crate::stage::{Stage, Staged};
use crate::sync::{AtomicU64, Mutex, MutexGuard};
use crate::tip::Tip;
use crate::turns::{Turn, Turns};
use crate::writer::Writer;
use crate::{Options, WhenDiskFull};

/// The half of a log that a strategy drives; see the crate's page for the order of the locks.
///
/// Failing: the first error of a write or a sync, other than a full disk before anything was lost,
/// poisons the log. It is set once, ends every wait above the watermark and every later append, and
/// no write and no sync is ever tried again. For that it is set before the one who failed lets go
/// of `writing` or `syncing`, and looked at by the next one after taking them: whoever came
/// between would work with what the failure left half done.
///
/// Waking: a waker is other people's code, which may take its time, sync, or close the log. So it
/// runs behind the turns and locks of the call that wakes, never within.
#[derive(Debug)]
pub(crate) struct Flusher {
    pub(crate) stage: Mutex<Stage>,
    // Before `writing`, and so dropped before the store's lock.
    tip: Mutex<Tip>,
    syncing: Turns,
    writing: Mutex<Writing>,
    pub(crate) written: Arc<Watermark>,
    pub(crate) durable: Arc<Watermark>,
    poison: OnceLock<Error>,
    syncs: AtomicU64,
    /// The most bytes of a buffer that is kept for the next flush.
    kept: usize,
    when_disk_full: WhenDiskFull,
    room: Room,
}

/// A time before which somebody waited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    written: Moment,
    durable: Moment,
}

/// What the one who writes has in hand.
#[derive(Debug)]
struct Writing {
    writer: Option<Writer>,
    /// Taken from the stage and not written to the end: the frames from `next` on.
    taken: Staged,
    next: usize,
    /// Held as long as there is a writer, or a syncer in the tip or in the hands of a thread: goes
    /// last, with all turns in hand.
    lock: Option<Box<dyn StoreLock>>,
}

impl Flusher {
    pub(crate) fn new(
        writer: Writer,
        options: &Options,
        overlapping_syncs: u32,
        lock: Box<dyn StoreLock>,
    ) -> Self {
        let last_lsn = writer.last_lsn();
        let mut writing =
            Writing { writer: None, taken: Staged::default(), next: 0, lock: Some(lock) };
        let mut tip = Tip::default();
        writing.install(&mut tip, writer);
        Self {
            stage: Mutex::new(Stage::new(last_lsn, options.frame_size)),
            tip: Mutex::new(tip),
            syncing: Turns::new(overlapping_syncs),
            writing: Mutex::new(writing),
            written: Arc::new(Watermark::new(last_lsn)),
            durable: Arc::new(Watermark::new(last_lsn)),
            poison: OnceLock::new(),
            syncs: AtomicU64::new(0),
            kept: options.buffer_size + options.frame_size,
            when_disk_full: options.when_disk_full,
            room: Room::default(),
        }
    }

    /// How many syncs the log has asked its store for, those of segments' ends and headers not
    /// counted.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// The segment being written and its end, in bytes.
    pub(crate) fn current(&self) -> Option<(SegmentId, u64)> {
        lock(&self.tip).segment.as_ref().map(|segment| (segment.id, segment.end))
    }

    /// Where the log begins, and its newest segment.
    pub(crate) fn extent(&self) -> Option<(Start, SegmentId)> {
        lock(&self.tip).extent
    }

    /// The first failure, if the log is poisoned.
    pub(crate) fn poisoned(&self) -> Result<()> {
        match self.poison.get() {
            None => Ok(()),
            Some(first) => Err(poisoned(first)),
        }
    }

    /// The store may have room that it had not before.
    pub(crate) fn room_made(&self) {
        self.room.made();
    }

    /// Nobody waits for room from now on.
    pub(crate) fn end_waiting_for_room(&self) {
        self.room.close();
    }

    /// Does this, and where there is no room for it does it again when there may be some, if that is
    /// what the settings say. The thread holds nothing meanwhile: neither a turn nor a strategy's lock.
    pub(crate) fn with_room(&self, mut run: impl FnMut() -> Result<()>) -> Result<()> {
        loop {
            let then = self.room.now();
            match run() {
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

    /// Tells those who waited at this time for what is not written that there is no room for it. Who
    /// waits for what is written is not concerned.
    pub(crate) fn reject(&self, then: Asked, error: &Error) {
        let written = self.written.get();
        self.written.reject_before(then.written, written, error.clone());
        self.durable.reject_before(then.durable, written, error.clone());
    }

    /// Who waits by now: a write that begins now and finds no room answers them. Whoever comes later
    /// may come since there is room, and makes the strategy try again.
    pub(crate) fn asked(&self) -> Asked {
        Asked { written: self.written.moment(), durable: self.durable.moment() }
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

    /// Ends the waiting for what a poisoned log will never reach.
    fn tell(&self) {
        if let Some(first) = self.poison.get() {
            self.written.fail(first.clone());
            self.durable.fail(first.clone());
        }
    }

    /// Calls into parts of others, which may panic; not on a poisoned log. Whoever waits is told of a
    /// failure behind `flush`, which has given its turns back by then.
    fn guarded<T>(&self, flush: impl FnOnce() -> Result<T>) -> Result<T> {
        self.poisoned()?;
        let armed = Armed(self);
        let result = flush();
        std::mem::forget(armed);
        if result.is_err() {
            self.tell();
        }
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

    /// Ends a turn at writing. A full disk loses nothing; all else poisons.
    fn end_turn<T>(&self, writing: MutexGuard<'_, Writing>, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            if error.kind() == ErrorKind::StorageFull {
                return error;
            }
            self.poison(&error);
            drop(writing);
            self.poisoned().err().unwrap_or(error)
        })
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
        self.write_or_sync()
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
    if first.kind() == ErrorKind::Fenced {
        return first.clone();
    }
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
