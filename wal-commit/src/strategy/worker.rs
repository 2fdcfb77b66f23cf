//! [`Worker`]: a strategy's own thread, which sleeps while there is nothing to do.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wal_core::{Error, ErrorKind, Flush, Result};

use super::watch::Watch;
use crate::flusher::lock;
use crate::sync::thread::{self, JoinHandle, Thread};
use crate::sync::{AtomicBool, Mutex};

/// How long a full disk is left alone before it is asked again.
pub(super) const FULL_DISK: Duration = Duration::from_secs(1);

/// A thread that drives a log until it is stopped. Where it panics, the log is poisoned: whoever
/// waits is told.
#[derive(Debug, Default)]
pub(super) struct Worker {
    rest: Arc<Rest>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

/// How the thread rests, and is called.
#[derive(Debug, Default)]
pub(super) struct Rest {
    thread: OnceLock<Thread>,
    watch: Watch,
    started: AtomicBool,
    stopping: AtomicBool,
    /// Whether it leaves a full disk alone just now. A hint.
    full: AtomicBool,
}

impl Worker {
    /// Starts the thread. `run` returns when it finds [`Rest::stopping`], or on a log that it can
    /// do no more for.
    pub(super) fn start(
        &self,
        name: &str,
        log: Arc<dyn Flush>,
        run: impl FnOnce(&dyn Flush, &Rest) + Send + 'static,
    ) -> Result<()> {
        if self.rest.started.swap(true, Ordering::Relaxed) {
            // Its thread drives another log, and would be woken for this one.
            return Err(Error::new(ErrorKind::Invalid, "a strategy drives one log, once"));
        }
        let rest = Arc::clone(&self.rest);
        let handle = thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                // Nothing of ours is looked at behind a panic but the log, which is poisoned by it.
                let ran = catch_unwind(AssertUnwindSafe(|| run(&*log, &rest)));
                if let Err(cause) = ran {
                    log.abandon(Error::new(ErrorKind::Io, "the thread that flushes panicked"));
                    resume_unwind(cause);
                }
            })
            .map_err(|cause| {
                let failed = Error::new(ErrorKind::Io, "starting the thread of a strategy failed");
                failed.because(cause)
            })?;
        self.rest.thread.get_or_init(|| handle.thread().clone());
        *lock(&self.handle) = Some(handle);
        Ok(())
    }

    /// Ends the thread and waits for that.
    pub(super) fn stop(&self) {
        self.rest.stopping.store(true, Ordering::Release);
        self.rest.wake();
        let Some(handle) = lock(&self.handle).take() else { return };
        // The thread's panic, if any, has poisoned the log already.
        if handle.thread().id() != thread::current().id() {
            let _ = handle.join();
        }
    }

    /// To be called when a record is staged: wakes the thread if it rests, and says whether it did.
    #[inline]
    pub(super) fn rouse(&self) -> bool {
        let rests = self.rest.watch.rouse();
        if rests {
            self.rest.wake();
        }
        rests
    }

    /// To be called when somebody waits: ends the pause of a thread that leaves a full disk alone.
    pub(super) fn hurry(&self) {
        if self.rest.full.load(Ordering::Relaxed) && self.rest.full.swap(false, Ordering::Relaxed) {
            self.rest.wake();
        }
    }

    /// Ends a rest or a pause of the thread, now or the next one.
    pub(super) fn wake(&self) {
        self.rest.wake();
    }
}

impl Rest {
    pub(super) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Rests until the next append, unless there is `work`; may end early.
    pub(super) fn rest(&self, work: impl FnOnce() -> bool) {
        if self.watch.may_rest(|| work() || self.stopping()) {
            // A wake between the look and here is kept by the thread's token.
            thread::park();
        }
        self.watch.rested();
    }

    /// Rests for this long; may end early.
    pub(super) fn pause(&self, time: Duration) {
        if !self.stopping() {
            thread::park_timeout(time);
        }
    }

    /// Leaves a full disk alone: until somebody waits or makes room, and for [`FULL_DISK`] at the most,
    /// for others make room, too, and do not say so.
    pub(super) fn leave_full_disk(&self) {
        let nothing = self.leave_full_disk_in(1, FULL_DISK, || Ok(()));
        debug_assert!(nothing.is_ok(), "there is nothing to fail");
    }

    /// The same in so many pauses of `each`, with `between` behind each of them; its failure ends it, too. A
    /// task that begins to wait meanwhile is not overlooked.
    pub(super) fn leave_full_disk_in(
        &self,
        pauses: u128,
        each: Duration,
        mut between: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        self.full.store(true, Ordering::Relaxed);
        let mut done = Ok(());
        for _ in 0..pauses {
            self.pause(each);
            if !self.full.load(Ordering::Relaxed) || self.stopping() {
                break;
            }
            done = between();
            if done.is_err() {
                break;
            }
        }
        self.full.store(false, Ordering::Relaxed);
        done
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}
