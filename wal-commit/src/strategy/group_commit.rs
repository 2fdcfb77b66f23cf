//! [`GroupCommit`]: the first waiter leads, for everyone.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::Duration;

use wal_core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter, WakeLater};

use super::gather::Gather;
use super::is_final;
use super::window::{Hold, Window};
use super::worker::{Rest, Worker};
use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard};

/// How long a record that nobody waits for stays in memory at the most: about twice this.
const TICK: Duration = Duration::from_millis(10);

/// Leader and follower group commit, greedy: a flush begins when the last one has ended, and not when a
/// timer says so.
///
/// A thread that waits while no flush runs leads one, and takes along every record staged by then: a
/// lone writer pays no hand-off, it writes and syncs by itself. Where a flush runs already there is
/// more than one at work, and a helper thread leads from then on, the next flush as soon as one ends,
/// until nobody waits any more. So the group is as large as the disk is slow.
///
/// After a flush the helper lets those come back whom it has woken, for an eighth of the time that a
/// sync takes at the most, or for a half where they always have come back: else they and those who came
/// meanwhile would make up two groups, each of which waits for the other's sync.
///
/// The helper also leads for async tasks, which must not block, and flushes records that nobody waits
/// for within about 20 ms; while nothing is appended it sleeps.
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
    /// Whether the helper leads just now: then nobody else begins to. A hint, which nothing relies
    /// on: whoever follows it has the helper told.
    helped: AtomicBool,
    /// The last record that somebody leaves to the helper, since it last looked.
    wanted: AtomicU64,
    /// As `wanted`, with nobody to come back when it is durable.
    ample: AtomicU64,
    /// Waits begun since the last flush; counted for the window alone.
    asked: AtomicU64,
    hold: Hold,
    /// Whether the log is closing: nobody waits for more records then.
    closing: AtomicBool,
    gather: Gather,
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
            helped: AtomicBool::new(false),
            wanted: AtomicU64::new(0),
            ample: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            hold: Hold::default(),
            closing: AtomicBool::new(false),
            gather: Gather::default(),
        };
        Self { shared: Arc::new(shared), helper: Worker::default() }
    }

    /// Leaves a record to the helper.
    fn leave(&self, mark: &AtomicU64, lsn: Lsn) {
        // The mark before the wake: the thread's token keeps the wake until the helper looks at the
        // mark again.
        mark.fetch_max(lsn.get(), Ordering::Release);
        self.helper.wake();
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

    fn staged(&self, lsn: Lsn, _: Waiter) -> Result<()> {
        self.helper.rouse();
        if let Some(window) = &self.shared.window {
            let log = self.shared.log.get()?;
            // Behind the fence in `rouse`.
            self.shared.hold.staged(window, || lsn.since(log.durable()));
        }
        Ok(())
    }

    fn waiting(&self, lsn: Lsn, waiter: Waiter) -> Result<()> {
        if self.shared.window.is_some() && waiter != Waiter::Nobody {
            self.shared.asked.fetch_add(1, Ordering::Relaxed);
        }
        match waiter {
            Waiter::Thread if self.shared.lead_now(lsn)? => {}
            Waiter::Thread | Waiter::Task => self.leave(&self.shared.wanted, lsn),
            Waiter::Nobody => self.leave(&self.shared.ample, lsn),
        }
        Ok(())
    }

    fn stop(&self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.hold.end();
        self.helper.stop();
    }
}

impl Shared {
    /// Flushes for everyone, unless a flush is under way or the helper leads.
    fn lead_now(&self, lsn: Lsn) -> Result<bool> {
        let log = self.log.get()?;
        if self.helped.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let baton = match self.baton.try_lock() {
            Ok(baton) => baton,
            Err(TryLockError::Poisoned(baton)) => baton.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        self.lead(log, baton, lsn).map(|()| true)
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
            // A leader that waits for its own record is woken when that is durable.
            let over = || log.durable() >= lsn || self.closing.load(Ordering::SeqCst);
            self.hold.wait(window, asked, self.gather.sync_time(), staged, over);
        }
        // Those who wake where a segment ends: a slow waker must not hold the baton up.
        let _later = WakeLater::begin();
        let mut baton = Some(baton);
        log.write()?;
        self.gather.sync(log, || baton = None)
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
            let ample = Lsn::new(self.ample.swap(0, Ordering::AcqRel));
            let durable = log.durable();
            if wanted.max(ample) > durable {
                self.helped.store(true, Ordering::Relaxed);
                if let Err(error) = self.lead_in_turn(log, wanted.max(ample)) {
                    self.helped.store(false, Ordering::Relaxed);
                    if is_final(&error) {
                        return;
                    }
                    rest.leave_full_disk();
                    // Who waits for room goes on waiting, and does not ask again.
                    self.ample.fetch_max(wanted.max(ample).get(), Ordering::AcqRel);
                } else if wanted > durable {
                    // At once, and not when one of them asks: he would be taken for all of them.
                    let woken = log.durable().since(durable);
                    self.gather.wait(log, woken, || rest.stopping());
                }
                continue;
            }
            self.helped.store(false, Ordering::Relaxed);
            let staged = log.staged();
            if staged > log.durable() {
                if staged_at_last_tick > log.durable()
                    && let Err(error) = self.lead_in_turn(log, staged)
                {
                    if is_final(&error) {
                        return;
                    }
                    rest.leave_full_disk();
                }
                staged_at_last_tick = staged;
                rest.pause(TICK);
                continue;
            }
            let left = |mark: &AtomicU64| mark.load(Ordering::Acquire) != 0;
            rest.rest(|| log.staged() > log.durable() || left(&self.wanted) || left(&self.ample));
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("log", &self.log)
            .field("helped", &self.helped)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}
