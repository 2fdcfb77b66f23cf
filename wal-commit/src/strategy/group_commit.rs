//! [`GroupCommit`]: the first waiter leads, for everyone.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use wal_core::{Acknowledgement, CommitStrategy, ErrorKind, Flush, Lsn, Result, Waiter};

use super::window::{Hold, SyncTime, Window};
use super::worker::{Rest, Worker};
use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard};

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
/// ("Group Commit Self-Clocks", 2026). Who wants a timer all the same has
/// [`with_window`](Self::with_window).
#[derive(Debug)]
pub struct GroupCommit {
    shared: Arc<Shared>,
    helper: Worker,
}

struct Shared {
    log: super::Driven,
    window: Option<Window>,
    /// Held by who flushes.
    baton: Mutex<()>,
    /// Whether somebody waits for the baton, on behalf of everyone staged by then.
    heir: AtomicBool,
    /// The last record that a task waits for, since the helper last looked.
    wanted: AtomicU64,
    /// Waits begun since the last flush; counted for the window alone.
    asked: AtomicU64,
    hold: Hold,
    sync_time: SyncTime,
}

impl GroupCommit {
    /// The strategy, for one log.
    pub fn new() -> Self {
        Self::made(None)
    }

    /// The strategy, for one log, whose leaders wait for more records first.
    pub fn with_window(window: Window) -> Self {
        Self::made(Some(window))
    }

    fn made(window: Option<Window>) -> Self {
        let shared = Shared {
            log: super::Driven::default(),
            window,
            baton: Mutex::default(),
            heir: AtomicBool::new(false),
            wanted: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            hold: Hold::default(),
            sync_time: SyncTime::default(),
        };
        Self { shared: Arc::new(shared), helper: Worker::default() }
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
        self.shared.log.set(Arc::clone(&log))?;
        let shared = Arc::clone(&self.shared);
        self.helper.start("wal-group-commit", log, move |log, rest| shared.help(log, rest))
    }

    fn staged(&self, lsn: Lsn) -> Result<()> {
        self.helper.rouse();
        if let Some(window) = &self.shared.window {
            let log = self.shared.log.get()?;
            // Behind the fence in `rouse`.
            self.shared.hold.staged(window, || lsn.since(log.durable()));
        }
        Ok(())
    }

    fn waiting(&self, lsn: Lsn, waiter: Waiter) -> Result<()> {
        if self.shared.window.is_some() {
            self.shared.asked.fetch_add(1, Ordering::Relaxed);
        }
        match waiter {
            Waiter::Thread => self.shared.lead_or_follow(lsn),
            Waiter::Task => {
                self.shared.wanted.fetch_max(lsn.get(), Ordering::Release);
                self.helper.wake();
                Ok(())
            }
        }
    }

    fn stop(&self) {
        self.helper.stop();
    }
}

impl Shared {
    /// Flushes for everyone, now or as the heir, or leaves it to the heir there is.
    fn lead_or_follow(&self, lsn: Lsn) -> Result<()> {
        let log = self.log.get()?;
        match self.baton.try_lock() {
            Ok(baton) => self.lead(log, baton, lsn),
            Err(TryLockError::Poisoned(baton)) => self.lead(log, baton.into_inner(), lsn),
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
                self.lead(log, baton, log.staged())
            }
        }
    }

    /// Flushes. The next leader begins when the records are durable, before all who wait for them
    /// have been woken.
    fn lead(&self, log: &dyn Flush, baton: MutexGuard<'_, ()>, lsn: Lsn) -> Result<()> {
        if log.durable() >= lsn {
            return Ok(());
        }
        if let Some(window) = &self.window {
            let asked = self.asked.swap(0, Ordering::Relaxed);
            let staged = || log.staged().since(log.durable());
            self.hold.wait(window, asked, &self.sync_time, staged);
        }
        log.write()?;
        let began = self.window.map(|_| Instant::now());
        let mut baton = Some(baton);
        log.sync_then(&mut || {
            if let Some(began) = began {
                self.sync_time.took(began.elapsed());
            }
            baton = None;
        })
    }

    /// Flushes once it can, unless somebody else has done so by then.
    fn lead_in_turn(&self, log: &dyn Flush, lsn: Lsn) -> Result<()> {
        let baton = self.baton.lock().unwrap_or_else(PoisonError::into_inner);
        self.lead(log, baton, lsn)
    }

    /// The helper thread. Whatever goes wrong in a flush reaches everyone who waits through the
    /// watermark; here it only decides when to try again.
    fn help(&self, log: &dyn Flush, rest: &Rest) {
        let mut staged_at_last_tick = Lsn::ZERO;
        while !rest.stopping() {
            let wanted = Lsn::new(self.wanted.swap(0, Ordering::AcqRel));
            if wanted > log.durable() {
                let _ = self.lead_in_turn(log, wanted);
                continue;
            }
            let staged = log.staged();
            if staged > log.durable() {
                if staged_at_last_tick > log.durable()
                    && let Err(error) = self.lead_in_turn(log, staged)
                    && error.kind() == ErrorKind::Poisoned
                {
                    return;
                }
                staged_at_last_tick = staged;
                rest.pause(TICK);
                continue;
            }
            rest.rest(|| log.staged() > log.durable() || self.wanted.load(Ordering::Acquire) != 0);
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("log", &self.log)
            .field("heir", &self.heir)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}
