//! [`GroupCommit`]: the first waiter leads, for everyone.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use wal_core::{Acknowledgement, CommitStrategy, Error, ErrorKind, Flush, Lsn, Result, Waiter};

use crate::flusher::lock;
use crate::sync::thread::{self, JoinHandle, Thread};
use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, fence};

/// How long a record that nobody waits for stays in memory at the most: about twice this.
const TICK: Duration = Duration::from_millis(10);

/// Leader and follower group commit, greedy: no timer stands between a record and its sync.
///
/// A thread that waits while no flush runs leads one, and takes along every record staged by then.
/// Of those that come while it runs, the first becomes the *heir*: it leads the next flush the
/// moment this one ends; the others sleep until the watermark passes them. So the group is as large
/// as the disk is slow, and a lone writer pays no hand-off: it writes and syncs by itself.
///
/// A helper thread leads for async tasks, which must not block, and flushes records that nobody
/// waits for within about 20 ms; while nothing is appended it sleeps.
///
/// The greedy rule is within a fraction of a percent of the best tuned timer in a closed loop
/// ("Group Commit Self-Clocks", 2026).
#[derive(Debug)]
pub struct GroupCommit {
    shared: Arc<Shared>,
    helper: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    log: super::Driven,
    /// Held by who flushes.
    baton: Mutex<()>,
    /// Whether somebody waits for the baton, on behalf of everyone staged by then.
    heir: AtomicBool,
    helper: Helper,
}

/// What the helper thread is asked for.
#[derive(Default)]
struct Helper {
    thread: OnceLock<Thread>,
    /// The last record that a task waits for, since the thread last looked.
    wanted: AtomicU64,
    /// Whether the thread looks at the log every tick; if not, the next append must wake it.
    ticking: AtomicBool,
    stop: AtomicBool,
}

impl GroupCommit {
    /// The strategy, for one log.
    pub fn new() -> Self {
        let shared = Shared {
            log: super::Driven::default(),
            baton: Mutex::default(),
            heir: AtomicBool::new(false),
            helper: Helper::default(),
        };
        Self { shared: Arc::new(shared), helper: Mutex::default() }
    }
}

impl Default for GroupCommit {
    fn default() -> Self {
        Self::new()
    }
}

impl CommitStrategy for GroupCommit {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        self.shared.log.set(log)?;
        let shared = Arc::clone(&self.shared);
        let helper = thread::Builder::new()
            .name("wal-group-commit".into())
            .spawn(move || shared.help())
            .map_err(|cause| {
                Error::new(ErrorKind::Io, "starting the group commit thread failed").because(cause)
            })?;
        self.shared.helper.thread.get_or_init(|| helper.thread().clone());
        *lock(&self.helper) = Some(helper);
        Ok(())
    }

    fn staged(&self, _lsn: Lsn) -> Result<()> {
        // The record is staged; now look whether the helper sleeps. The helper says that it will
        // sleep and then looks at the stage. The two fences let at most one of them look too early.
        fence(Ordering::SeqCst);
        let helper = &self.shared.helper;
        if !helper.ticking.load(Ordering::Relaxed) && !helper.ticking.swap(true, Ordering::Relaxed)
        {
            helper.wake();
        }
        Ok(())
    }

    fn waiting(&self, lsn: Lsn, waiter: Waiter) -> Result<()> {
        match waiter {
            Waiter::Thread => self.shared.lead_or_follow(lsn),
            Waiter::Task => {
                self.shared.helper.wanted.fetch_max(lsn.get(), Ordering::Release);
                self.shared.helper.wake();
                Ok(())
            }
        }
    }

    fn stop(&self) {
        self.shared.helper.stop.store(true, Ordering::Release);
        self.shared.helper.wake();
        let Some(helper) = lock(&self.helper).take() else { return };
        // The thread's panic, if any, has poisoned the log already.
        if helper.thread().id() != thread::current().id() {
            let _ = helper.join();
        }
    }
}

impl Shared {
    /// Flushes for everyone, now or as the heir, or leaves it to the heir there is.
    fn lead_or_follow(&self, lsn: Lsn) -> Result<()> {
        match self.baton.try_lock() {
            Ok(baton) => self.lead(baton, lsn),
            Err(TryLockError::Poisoned(baton)) => self.lead(baton.into_inner(), lsn),
            Err(TryLockError::WouldBlock) => {
                // `AcqRel` on both swaps of `heir`: who finds an heir has staged its record before
                // the heir's own swap, which comes before the heir takes what is staged.
                if self.heir.swap(true, Ordering::AcqRel) {
                    return Ok(());
                }
                let baton = self.baton.lock().unwrap_or_else(PoisonError::into_inner);
                self.heir.swap(false, Ordering::AcqRel);
                // Not only for itself: others rely on the heir, also where its own record went
                // out with somebody who took the baton in between.
                let staged = self.log.get()?.staged();
                self.lead(baton, staged)
            }
        }
    }

    fn lead(&self, _baton: MutexGuard<'_, ()>, lsn: Lsn) -> Result<()> {
        let log = self.log.get()?;
        if log.durable() >= lsn {
            return Ok(());
        }
        log.write()?;
        log.sync()
    }

    /// Flushes once it can, unless somebody else has done so by then.
    fn lead_in_turn(&self, lsn: Lsn) -> Result<()> {
        let baton = self.baton.lock().unwrap_or_else(PoisonError::into_inner);
        self.lead(baton, lsn)
    }

    /// The helper thread. Whatever goes wrong in a flush reaches everyone who waits through the
    /// watermark; here it only decides when to try again.
    fn help(&self) {
        let Ok(log) = self.log.get() else { return };
        let helper = &self.helper;
        let mut staged_at_last_tick = Lsn::ZERO;
        while !helper.stop.load(Ordering::Acquire) {
            let wanted = Lsn::new(helper.wanted.swap(0, Ordering::AcqRel));
            if wanted > log.durable() {
                let _ = self.lead_in_turn(wanted);
                continue;
            }
            let staged = log.staged();
            if staged > log.durable() {
                if staged_at_last_tick > log.durable()
                    && let Err(error) = self.lead_in_turn(staged)
                    && error.kind() == ErrorKind::Poisoned
                {
                    // Nothing to do but to end. The store may have used up the thread's token.
                    while !helper.stop.load(Ordering::Acquire) {
                        thread::park();
                    }
                    return;
                }
                staged_at_last_tick = staged;
                thread::park_timeout(TICK);
                continue;
            }
            helper.ticking.store(false, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if log.staged() > log.durable() {
                helper.ticking.store(true, Ordering::Relaxed);
            } else if helper.wanted.load(Ordering::Acquire) == 0 {
                // A wake between the load and here is kept by the thread's token.
                thread::park();
            }
        }
    }
}

impl Helper {
    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("log", &self.log)
            .field("heir", &self.heir)
            .field("wanted", &self.helper.wanted)
            .finish_non_exhaustive()
    }
}
