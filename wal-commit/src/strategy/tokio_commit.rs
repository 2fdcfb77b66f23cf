//! [`TokioCommit`]: a task on the user's runtime.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use wal_core::{Acknowledgement, CommitStrategy, Error, ErrorKind, Flush, Lsn, Result, Waiter};

use super::gather::Gather;
use super::watch::Watch;

/// Group commit by a task on a Tokio runtime, whose blocking threads do the I/O; no thread of its
/// own. The next flush starts when the last has ended and takes everything staged along; those whom
/// the last one has woken may come back first, as under [`GroupCommit`](super::GroupCommit). It looks
/// at no clock of the runtime, so a paused one changes nothing.
///
/// A wait that is dropped loses nothing: what is staged is flushed, whether anybody waits or not.
///
/// Where the runtime ends before the log is closed, what is staged by then is flushed. From then on
/// a thread that waits flushes by itself, a task's wait is an error of kind
/// [`Invalid`](ErrorKind::Invalid), and closing the log works as ever.
pub struct TokioCommit {
    runtime: Handle,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    log: Mutex<Option<Arc<dyn Flush>>>,
    more: Notify,
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
        Self { runtime, shared: Arc::default() }
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
        *place = Some(log);
        drop(place);
        // The guard is made here: a runtime that has ended drops the task without running it.
        let task = End(Arc::clone(&self.shared));
        self.runtime.spawn(async move { task.0.run().await });
        Ok(())
    }

    fn staged(&self, _lsn: Lsn) -> Result<()> {
        if self.shared.watch.rouse() {
            self.shared.more.notify_one();
        }
        Ok(())
    }

    fn waiting(&self, _lsn: Lsn, waiter: Waiter) -> Result<()> {
        if waiter != Waiter::Nobody {
            // A hint, which nothing relies on.
            self.shared.asked.store(true, Ordering::Relaxed);
        }
        if !self.shared.ended.load(Ordering::SeqCst) {
            // Should the runtime end now, the flush at its end comes behind this look.
            self.shared.more.notify_one();
            return Ok(());
        }
        match waiter {
            Waiter::Nobody => Ok(()),
            Waiter::Thread => self.shared.flush(),
            Waiter::Task => {
                Err(Error::new(ErrorKind::Invalid, "the runtime that flushes the log has ended"))
            }
        }
    }

    fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        lock(&self.shared.log).take();
        self.shared.more.notify_one();
        // Waits for a flush under way. It runs on a blocking thread, and so it ends also where this
        // one is the runtime's only other.
        drop(lock(&self.shared.flushing));
    }
}

impl Shared {
    async fn run(self: &Arc<Self>) {
        while !self.stopping.load(Ordering::Acquire) {
            if self.idle() {
                self.rest(|| !self.idle()).await;
                continue;
            }
            let shared = Arc::clone(self);
            match spawn_blocking(move || shared.flush_and_gather()).await {
                Ok(Ok(())) => {}
                // A full disk, which whoever waited knows: again when somebody appends or waits.
                Ok(Err(error)) if error.kind() != ErrorKind::Poisoned => {
                    self.rest(|| false).await;
                }
                // Poisoned, by a panic too; or the runtime ends.
                _ => return,
            }
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

    fn flush(&self) -> Result<()> {
        let _turn = lock(&self.flushing);
        let Some(log) = self.log() else { return Ok(()) };
        self.lead(&*log)
    }

    /// A flush of the task, on a thread that may sleep. The turn lasts until the log is let go of: then
    /// it may be opened again.
    fn flush_and_gather(&self) -> Result<()> {
        let _turn = lock(&self.flushing);
        let Some(log) = self.log() else { return Ok(()) };
        let (durable, asked) = (log.durable(), self.asked.swap(false, Ordering::Relaxed));
        self.lead(&*log)?;
        if asked {
            let woken = log.durable().since(durable);
            let stopping = || self.stopping.load(Ordering::Acquire);
            self.gather.wait(&*log, woken, stopping);
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
        self.0.ended.store(true, Ordering::SeqCst);
        if !self.0.stopping.load(Ordering::Acquire) {
            // For those who wait already; what goes wrong reaches them through the watermark.
            let _ = self.0.flush();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under one of these has poisoned the log already.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for TokioCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioCommit")
            .field("stopping", &self.shared.stopping)
            .field("ended", &self.shared.ended)
            .finish_non_exhaustive()
    }
}
