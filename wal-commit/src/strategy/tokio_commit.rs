//! [`TokioCommit`]: a task on the user's runtime.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, TryLockError};

use wal_core::{
    Acknowledgement, CommitStrategy, Error, ErrorKind, Flush, Lsn, Result, Waiter, WakeLater,
};

use super::gather::Gather;
use super::is_final;
use super::watch::Watch;
use super::worker::{Rest, Worker};
use crate::flusher::lock;
use crate::sync::runtime::{Handle, Notify};
use crate::sync::{AtomicBool, Mutex};

/// Group commit by a task on a Tokio runtime: it decides when to flush, in its turn among the tasks
/// that append, so that all who are ready share one. The next flush starts when the last has ended and
/// takes everything staged along; those whom the last one has woken may come back first, as under
/// [`GroupCommit`](super::GroupCommit). It looks at no clock of the runtime, so a paused one changes
/// nothing.
///
/// The I/O is done by a thread of the log's own, and not by a blocking thread of the runtime, of which
/// there is a number that others can use up.
///
/// A thread that blocks for a record, also one of the runtime's own, does not wait for the task, which may
/// wait for that very thread. It flushes by itself where no flush is under way, and else leaves its record to
/// the log's thread, which takes along all that was staged meanwhile.
///
/// A wait that is dropped loses nothing: what is staged is flushed, whether anybody waits or not.
///
/// Where the runtime ends before the log is closed, what is staged by then is flushed. From then on
/// a thread that waits flushes by itself, a task's wait is an error of kind
/// [`Invalid`](ErrorKind::Invalid), and closing the log works as ever.
pub struct TokioCommit {
    runtime: Handle,
    shared: Arc<Shared>,
    helper: Arc<Worker>,
}

#[derive(Default)]
struct Shared {
    log: Mutex<Option<Arc<dyn Flush>>>,
    more: Notify,
    /// Whether the thread is to flush, for the task or for threads that block.
    wanted: AtomicBool,
    /// Whether the thread is at work, so that no other begins to flush. A hint: what is left to the thread is
    /// told to it.
    helped: AtomicBool,
    /// It has.
    done: Notify,
    /// It has ended.
    over: AtomicBool,
    /// Held by who flushes.
    flushing: Mutex<()>,
    /// Whether somebody has begun to wait since the last flush began.
    asked: AtomicBool,
    gather: Gather,
    watch: Watch,
    stopping: AtomicBool,
    /// Whether the runtime ended first.
    ended: AtomicBool,
}

impl TokioCommit {
    /// The strategy, for one log, on the runtime that the caller runs in.
    ///
    /// # Panics
    ///
    /// Outside a runtime; [`on`](Self::on) takes one.
    pub fn new() -> Self {
        Self::on(Handle::current())
    }

    /// The strategy, for one log, on this runtime.
    pub fn on(runtime: Handle) -> Self {
        Self { runtime, shared: Arc::default(), helper: Arc::default() }
    }
}

impl Default for TokioCommit {
    fn default() -> Self {
        Self::new()
    }
}

impl CommitStrategy for TokioCommit {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        let mut place = lock(&self.shared.log);
        if place.is_some() || self.shared.stopping.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Invalid, "a strategy drives one log, once"));
        }
        let shared = Arc::clone(&self.shared);
        self.helper
            .start("wal-tokio", Arc::clone(&log), move |log, rest| shared.help(log, rest))?;
        *place = Some(log);
        drop(place);
        // The guard is made here: a runtime that has ended drops the task without running it.
        let (task, helper) = (End(Arc::clone(&self.shared)), Arc::clone(&self.helper));
        self.runtime.spawn(async move { task.0.run(&helper).await });
        Ok(())
    }

    fn staged(&self, _lsn: Lsn, _: Waiter) -> Result<()> {
        if self.shared.watch.rouse() {
            self.shared.more.notify_one();
        }
        Ok(())
    }

    fn waiting(&self, lsn: Lsn, waiter: Waiter) -> Result<()> {
        if waiter != Waiter::Nobody {
            // A hint, which nothing relies on.
            self.shared.asked.store(true, Ordering::Relaxed);
        }
        match waiter {
            // The task may be waiting for this thread, which may be all that the runtime has.
            Waiter::Thread => {
                if !self.shared.flush_now(lsn)? {
                    self.shared.wanted.store(true, Ordering::Release);
                    self.helper.wake();
                }
                Ok(())
            }
            Waiter::Task if self.shared.ended.load(Ordering::SeqCst) => {
                Err(Error::new(ErrorKind::Invalid, "the runtime that flushes the log has ended"))
            }
            // Should the runtime end now, the flush at its end comes behind this look.
            Waiter::Task | Waiter::Nobody => {
                self.shared.more.notify_one();
                self.helper.hurry();
                Ok(())
            }
        }
    }

    fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        lock(&self.shared.log).take();
        self.shared.more.notify_one();
        // Waits for a flush under way, which is on a thread that is not the runtime's.
        self.helper.stop();
        drop(lock(&self.shared.flushing));
    }
}

impl Shared {
    /// The task.
    async fn run(&self, helper: &Worker) {
        while !self.stopping.load(Ordering::Acquire) && !self.over.load(Ordering::Acquire) {
            if self.idle() {
                self.rest(|| !self.idle()).await;
                continue;
            }
            self.wanted.store(true, Ordering::Release);
            helper.wake();
            self.done.notified().await;
        }
    }

    /// The thread. What goes wrong reaches those who wait through the watermark.
    fn help(&self, log: &dyn Flush, rest: &Rest) {
        let _over = Over(self);
        while !rest.stopping() {
            if !self.wanted.swap(false, Ordering::AcqRel) {
                self.helped.store(false, Ordering::Relaxed);
                rest.rest(|| self.wanted.load(Ordering::Acquire));
                continue;
            }
            // Both the task and a thread may have asked for the same records.
            if log.staged() > log.durable() {
                self.helped.store(true, Ordering::Relaxed);
                if let Err(error) = self.flush_and_gather(log) {
                    if is_final(&error) {
                        return;
                    }
                    // A thread that waits for room goes on waiting, and does not ask again. Nor does the
                    // task, which is told when this has gone well: it may wait for that very thread.
                    self.wanted.store(true, Ordering::Release);
                    self.helped.store(false, Ordering::Relaxed);
                    rest.leave_full_disk();
                    continue;
                }
            }
            self.done.notify_one();
        }
    }

    /// Rests until somebody appends, waits, or closes the log, unless there is `work`.
    async fn rest(&self, work: impl FnOnce() -> bool) {
        if self.watch.may_rest(|| work() || self.stopping.load(Ordering::Acquire)) {
            // A call between the look and here is kept.
            self.more.notified().await;
        }
        self.watch.rested();
    }

    fn log(&self) -> Option<Arc<dyn Flush>> {
        lock(&self.log).clone()
    }

    fn idle(&self) -> bool {
        self.log().is_none_or(|log| log.staged() <= log.durable())
    }

    /// Flushes at once, unless a flush is under way, or the log's thread is at work.
    fn flush_now(&self, lsn: Lsn) -> Result<bool> {
        if self.over.load(Ordering::Acquire) {
            return self.flush_through(lsn).map(|()| true);
        }
        if self.helped.load(Ordering::Relaxed) {
            return Ok(false);
        }
        // Behind the turn: a waker that closes the log waits for it.
        let _later = WakeLater::begin();
        let _turn = match self.flushing.try_lock() {
            Ok(turn) => turn,
            // A panic under it has poisoned the log already.
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        let Some(log) = self.log() else { return Ok(true) };
        if log.durable() < lsn {
            self.lead(&*log)?;
        }
        Ok(true)
    }

    /// Flushes once it can, unless another has done so by then.
    fn flush_through(&self, lsn: Lsn) -> Result<()> {
        // Behind the turn: a waker that closes the log waits for it.
        let _later = WakeLater::begin();
        let _turn = lock(&self.flushing);
        let Some(log) = self.log() else { return Ok(()) };
        if log.durable() >= lsn { Ok(()) } else { self.lead(&*log) }
    }

    /// A flush for the task. The turn ends before the wait for those whom it has woken: a thread that
    /// blocks need not wait for others.
    fn flush_and_gather(&self, log: &dyn Flush) -> Result<()> {
        let later = WakeLater::begin();
        let turn = lock(&self.flushing);
        let (durable, asked) = (log.durable(), self.asked.swap(false, Ordering::Relaxed));
        self.lead(log)?;
        drop(turn);
        drop(later);
        if asked {
            let woken = log.durable().since(durable);
            let over =
                || self.stopping.load(Ordering::Acquire) || self.ended.load(Ordering::Acquire);
            self.gather.wait(log, woken, over);
        }
        Ok(())
    }

    fn lead(&self, log: &dyn Flush) -> Result<()> {
        log.write()?;
        self.gather.sync(log, || ())
    }
}

/// The end of the task, however it comes.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        let Self(shared) = self;
        if shared.stopping.load(Ordering::Acquire) {
            // The log is being closed, and the task has ended for that: a task that waits now waits for the
            // close, which flushes its record. It is not to be told that the runtime has ended.
            return;
        }
        if !shared.over.load(Ordering::Acquire) {
            shared.ended.store(true, Ordering::SeqCst);
        }
        // For threads and tasks that wait already; what goes wrong reaches them through the watermark.
        let _ = shared.flush_through(Lsn::new(u64::MAX));
    }
}

/// The end of the thread, however it comes: the task must not wait for it.
struct Over<'a>(&'a Shared);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
        self.0.done.notify_one();
        self.0.more.notify_one();
    }
}

impl fmt::Debug for TokioCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioCommit")
            .field("stopping", &self.shared.stopping)
            .field("ended", &self.shared.ended)
            .finish_non_exhaustive()
    }
}
