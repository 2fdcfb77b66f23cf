//! [`Pipeline`]: the writing half of a log.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use wal_core::format::Start;
use wal_core::{
    Acknowledgement, CommitStrategy, Env, Error, ErrorKind, Flush, Lsn, Result, Resume, SegmentId,
    SegmentStore, StoreLock, Uncut, Waiter, Watermark,
};

use crate::flusher::{Flusher, closed, lock};
use crate::patience::Patience;
use crate::sync::AtomicBool;
use crate::wait::Wait;
use crate::writer::Writer;
use crate::{Options, WhenDiskFull};

/// Of so many calls of tasks that could have ended at once, one lets others run first: often enough
/// for a timer, and too seldom to show in what a commit costs.
const READY: u64 = 64;

/// The writing half of a log: append, wait, sync, close. Shared between threads behind an `Arc`.
pub struct Pipeline {
    flusher: Arc<Flusher>,
    strategy: Arc<dyn CommitStrategy>,
    store: Arc<dyn SegmentStore>,
    env: Arc<dyn Env>,
    options: Options,
    patience: Patience,
    /// The process that the log was opened in, as the [`Env`] tells it.
    process: u32,
    /// Calls of tasks that could have ended at once.
    ready: AtomicU64,
    /// Whether the strategy has been told to stop.
    stopped: AtomicBool,
    /// Why the first close left records in memory, if it did; from then on nobody flushes them by
    /// himself.
    unclosed: OnceLock<Error>,
}

impl Pipeline {
    /// The log that recovery found in `store`, going on under `strategy`. The store's `lock` goes
    /// where the log is given up: by a close, or by the drop of the pipeline; and with an error from
    /// here.
    pub fn start(
        store: Arc<dyn SegmentStore>,
        env: Arc<dyn Env>,
        strategy: Arc<dyn CommitStrategy>,
        mut options: Options,
        resume: Resume,
        lock: Box<dyn StoreLock>,
    ) -> Result<Self> {
        options.alignment = options.alignment.max(store.guarantees().alignment);
        options.validate()?;
        options.frame_size = options.frame_size.min(options.frame_that_fits());
        let writer = Writer::new(
            Arc::clone(&store),
            Arc::clone(&env),
            options.clone(),
            strategy.acknowledges(),
            resume,
        );
        let overlapping_syncs = store.guarantees().overlapping_syncs;
        let flusher = Arc::new(Flusher::new(writer, &options, overlapping_syncs, lock));
        let stopped = AtomicBool::new(false);
        let (patience, unclosed) = (Patience::default(), OnceLock::new());
        let ready = AtomicU64::new(0);
        let process = env.process();
        let log = Self {
            flusher,
            strategy,
            store,
            env,
            options,
            patience,
            process,
            ready,
            stopped,
            unclosed,
        };
        log.strategy.start(Arc::clone(&log.flusher) as Arc<dyn Flush>).inspect_err(|_| {
            // It may drive another log, and does not end with this one.
            log.stopped.store(true, Ordering::Relaxed);
        })?;
        Ok(log)
    }

    /// Refuses a process that did not open the log, with [`ErrorKind::Fenced`]: after a fork the log is
    /// the parent's. Of this child's copy no lock may be taken, for a thread that is not here may hold
    /// it; so this is asked first, everywhere.
    #[inline]
    pub fn check_process(&self) -> Result<()> {
        if self.env.process() == self.process { Ok(()) } else { Err(forked()) }
    }

    /// Blocks until `lsn` is acknowledged as the strategy understands it.
    pub fn wait(&self, lsn: Lsn) -> Result<()> {
        self.check_process()?;
        let mark = self.acknowledged();
        if mark.get() >= lsn {
            return Ok(());
        }
        let waited = mark.wait(lsn, || {
            self.issued(lsn)?;
            self.flusher.with_room(|| match self.strategy.waiting(lsn, Waiter::Thread) {
                Err(_) if mark.get() >= lsn => Ok(()),
                asked => asked,
            })?;
            // A strategy that has ended has no threads any more; then it is for whoever waits.
            if self.unclosed.get().is_some() {
                return self.sync();
            }
            self.patience.spend(|| mark.get() >= lsn);
            Ok(())
        });
        self.blame(lsn, waited)
    }

    /// Resolves when `lsn` is acknowledged as the strategy understands it. May be dropped at any
    /// time: no record is lost or stalled by it.
    pub fn wait_async(self: &Arc<Self>, lsn: Lsn) -> Wait {
        Wait::new(Arc::clone(self), lsn)
    }

    /// Makes everything staged before the call durable, whatever the strategy; does nothing where
    /// it is so already.
    pub fn sync(&self) -> Result<()> {
        self.check_process()?;
        self.make_durable(self.flusher.staged())
    }

    /// Makes everything through `lsn`, which is staged, durable on this thread.
    pub(crate) fn make_durable(&self, lsn: Lsn) -> Result<()> {
        self.flusher.poisoned()?;
        if self.flusher.durable() >= lsn {
            return Ok(());
        }
        if self.flusher.written() < lsn {
            self.flusher.with_room(|| match self.flusher.write() {
                Err(_) if self.flusher.written() >= lsn => Ok(()),
                written => written,
            })?;
        }
        self.flusher.sync_through(lsn)
    }

    /// The first failure, where the log is poisoned.
    pub fn poisoned(&self) -> Result<()> {
        self.check_process()?;
        self.flusher.poisoned()
    }

    /// The last record staged; in a process that did not open the log, the last one written when it was
    /// forked.
    pub fn staged_lsn(&self) -> Lsn {
        if self.check_process().is_err() {
            return self.flusher.written();
        }
        self.flusher.staged()
    }

    /// The last record known to be durable.
    pub fn durable_lsn(&self) -> Lsn {
        self.flusher.durable()
    }

    /// The last record handed to the store.
    pub fn written_lsn(&self) -> Lsn {
        self.flusher.written()
    }

    /// The segment being written and its end in bytes, where there is one.
    pub fn current_segment(&self) -> Option<(SegmentId, u64)> {
        self.check_process().ok()?;
        self.flusher.current()
    }

    /// Where the log begins, and its newest segment; `None` while it has no segment.
    pub fn extent(&self) -> Option<(Start, SegmentId)> {
        self.check_process().ok()?;
        self.flusher.extent()
    }

    /// The last record that is acknowledged, as the strategy understands it.
    pub fn acknowledged_lsn(&self) -> Lsn {
        self.acknowledged().get()
    }

    /// Syncs asked of the store so far, those at the end and the beginning of segments not counted.
    pub fn syncs(&self) -> u64 {
        self.flusher.syncs()
    }

    /// What a wait waits for.
    pub fn acknowledges(&self) -> Acknowledgement {
        self.strategy.acknowledges()
    }

    /// Records durably that the log begins at `start`; what is before may be deleted after this has
    /// returned, and not earlier. Refused once the log is closed; not behind a close that found no
    /// room, which this may make.
    pub fn set_start(&self, start: Start) -> Result<()> {
        self.check_process()?;
        self.flusher.set_start(start)
    }

    /// Writes and syncs everything, then has `cut` make a shorter log of it, in a segment of its
    /// own that cuts off the rest. No record may be appended meanwhile. Does not wait for room.
    ///
    /// Where `cut` hands the log back ([`Uncut::log`]), it goes on as it was; any other error of `cut`
    /// poisons.
    pub fn truncate(&self, cut: impl FnOnce(Resume) -> Result<Resume, Uncut>) -> Result<()> {
        self.check_process()?;
        self.flusher.write_and_sync()?;
        let again = |resume| {
            Writer::new(
                Arc::clone(&self.store),
                Arc::clone(&self.env),
                self.options.clone(),
                self.strategy.acknowledges(),
                resume,
            )
        };
        let gone = |last: Lsn| Error::new(ErrorKind::Invalid, "the log was truncated").lsn(last);
        self.flusher.replace(cut, again, gone)
    }

    /// Takes no more records, writes and syncs what is staged, seals the segment, ends the strategy
    /// and gives the store's lock free. Records that are being waited for are acknowledged by it. A
    /// second call finds nothing to do, and one at the same time returns when that is so.
    ///
    /// Waits for every call of the store that is under way, on a poisoned log too: the lock goes
    /// when nothing of this log can change the store any more, and not before.
    ///
    /// Fails with [`StorageFull`](ErrorKind::StorageFull) where there is no room for what is
    /// staged; that stays in memory, and a close after there is room writes it. Until then a
    /// blocking wait still writes it too; a task's wait fails at once.
    pub fn close(&self) -> Result<()> {
        self.close_then(|| Ok(()))
    }

    /// Whether it was closed, or is being closed: from some time on another handle may have the log.
    pub fn is_closed(&self) -> bool {
        // `Relaxed`: what follows from it is looked up in the store.
        self.stopped.load(Ordering::Relaxed)
    }

    /// As [`close`](Self::close), and calls `last` once the log is sealed and while the store's lock is
    /// still held: for a last change of the store.
    pub fn close_then(&self, last: impl FnOnce() -> Result<()>) -> Result<()> {
        self.end_strategy()?;
        let finished = self.flusher.finish(last);
        if let Err(error) = &finished
            && error.kind() == ErrorKind::StorageFull
        {
            // First the reason, then the rejection: a task that registers after the one sees the
            // other.
            self.unclosed.get_or_init(|| error.clone());
            self.flusher.reject(self.flusher.asked(), error);
        }
        finished
    }

    /// The first step of a close, which takes no more records and ends the strategy. For a caller that
    /// has a lock to take for the rest of it: the strategy's threads are waited for here, and may be in a
    /// waker that wants that lock.
    pub fn end_strategy(&self) -> Result<()> {
        self.check_process()?;
        lock(&self.flusher.stage).close(closed());
        self.flusher.end_waiting_for_room();
        // `Relaxed`: it only picks the one who calls.
        if !self.stopped.swap(true, Ordering::Relaxed) {
            self.strategy.stop();
        }
        Ok(())
    }

    /// As [`close`](Self::close), for a log whose last handle goes: where there is no room for what is
    /// staged, that is given up, and whoever waits for it is told.
    pub fn give_up(&self) {
        if let Err(error) = self.close()
            && error.kind() == ErrorKind::StorageFull
        {
            let what = "the log went away before there was room for the record";
            self.flusher.abandon(Error::new(ErrorKind::StorageFull, what).because(error));
            self.flusher.give_up();
        }
    }

    /// The store may have room that it had not before: who waits for some under
    /// [`WhenDiskFull::Wait`](crate::WhenDiskFull::Wait) looks again.
    pub fn room_made(&self) {
        if self.check_process().is_err() {
            return;
        }
        self.flusher.room_made();
        // For the tasks: the strategy flushes. What goes wrong with it reaches those who wait.
        let staged = self.flusher.staged();
        if staged > self.flusher.written() {
            self.strategy.waiting(staged, Waiter::Task).ok();
        }
    }

    pub(crate) fn flusher(&self) -> &Flusher {
        &self.flusher
    }

    pub(crate) fn strategy(&self) -> &dyn CommitStrategy {
        &*self.strategy
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Whether a task that need not wait lets others run first: a runtime has no other way to take its
    /// thread back.
    pub(crate) fn gives_way(&self) -> bool {
        // `Relaxed`: it counts, and orders nothing.
        self.ready.fetch_add(1, Ordering::Relaxed) % READY == READY - 1
    }

    pub(crate) fn waits_for_room(&self) -> bool {
        self.options.when_disk_full == WhenDiskFull::Wait
    }

    pub(crate) fn acknowledged(&self) -> &Arc<Watermark> {
        match self.strategy.acknowledges() {
            Acknowledgement::Durable => &self.flusher.durable,
            _ => &self.flusher.written,
        }
    }

    /// To be asked by a waiter that is in the queue already: a truncation takes numbers back and
    /// then ends the waiting for them, so that one of the two sees the other.
    pub(crate) fn issued(&self, lsn: Lsn) -> Result<()> {
        if lsn > self.flusher.staged() {
            return Err(Error::new(ErrorKind::Invalid, "the LSN was never issued").lsn(lsn));
        }
        Ok(())
    }

    /// Why a task's wait cannot end well, once the strategy has ended with records in memory.
    pub(crate) fn unclosed(&self) -> Option<&Error> {
        self.unclosed.get()
    }

    /// A poisoned log is not to blame for a wait that would not have gone well without.
    pub(crate) fn blame(&self, lsn: Lsn, waited: Result<()>) -> Result<()> {
        match &waited {
            Err(error) if error.kind() == ErrorKind::Poisoned => self.issued(lsn).and(waited),
            _ => waited,
        }
    }
}

impl Drop for Pipeline {
    /// Closes the log where nobody has; nobody is left to hear how that went.
    ///
    /// In a process that did not open it, nothing is touched: a second share in each part, which is
    /// never dropped, keeps it from its end.
    fn drop(&mut self) {
        if self.check_process().is_ok() {
            return self.give_up();
        }
        std::mem::forget(Arc::clone(&self.flusher));
        std::mem::forget(Arc::clone(&self.strategy));
        std::mem::forget(Arc::clone(&self.store));
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("strategy", &self.strategy)
            .field("store", &self.store)
            .field("staged", &self.staged_lsn())
            .field("durable", &self.durable_lsn())
            .finish_non_exhaustive()
    }
}

fn forked() -> Error {
    let what = "this process did not open the log: fork first, open after";
    Error::new(ErrorKind::Fenced, what)
}
