//! [`Sync`]: one sync an append.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wal_core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter, WakeLater};

use super::worker::{Rest, Worker};
use super::{Driven, is_final};
use crate::flusher::lock;
use crate::sync::{AtomicBool, Mutex};

/// Every append writes and syncs by itself, one after the other: the naive baseline that the others
/// are measured against. An append returns when its record is durable; there are exactly as many
/// syncs as appends, whoever else's record the sync may cover.
///
/// A wait finds its record durable, unless the append is another thread's and under way, or failed on
/// a full disk; then it commits once more. For callers that must not block, which are tasks and
/// `try_append`, a thread commits, one sync for all that have come by then: their appends return when
/// the record is staged, and a wait tells that it is durable.
#[derive(Debug, Default)]
pub struct Sync {
    shared: Arc<Shared>,
    helper: Worker,
}

#[derive(Debug, Default)]
struct Shared {
    log: Driven,
    one_at_a_time: Mutex<()>,
    /// Whether a task waits for something that may not be durable.
    wanted: AtomicBool,
}

impl Sync {
    /// The strategy, for one log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Commits, or has the helper do so where the caller must not be blocked.
    fn commit_for(&self, caller: Waiter) -> Result<()> {
        match caller {
            Waiter::Thread => self.shared.commit(self.shared.log.get()?),
            Waiter::Task | Waiter::Nobody => {
                self.shared.wanted.store(true, Ordering::Release);
                self.helper.wake();
                Ok(())
            }
        }
    }
}

impl CommitStrategy for Sync {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        self.shared.log.set(Arc::clone(&log))?;
        let shared = Arc::clone(&self.shared);
        self.helper.start("wal-commit", log, move |log, rest| shared.help(log, rest))
    }

    fn staged(&self, _lsn: Lsn, appender: Waiter) -> Result<()> {
        self.commit_for(appender)
    }

    fn waiting(&self, _lsn: Lsn, waiter: Waiter) -> Result<()> {
        self.commit_for(waiter)
    }

    fn stop(&self) {
        self.helper.stop();
    }
}

impl Shared {
    fn commit(&self, log: &dyn Flush) -> Result<()> {
        // Behind the turn: a waker that appends wants it, too.
        let _later = WakeLater::begin();
        let _turn = lock(&self.one_at_a_time);
        log.write()?;
        log.sync()
    }

    /// The helper thread. What goes wrong reaches the tasks through the watermark.
    fn help(&self, log: &dyn Flush, rest: &Rest) {
        while !rest.stopping() {
            if !self.wanted.swap(false, Ordering::AcqRel) {
                rest.rest(|| self.wanted.load(Ordering::Acquire));
            } else if let Err(error) = self.commit(log) {
                if is_final(&error) {
                    return;
                }
                // The task that waits for room goes on waiting, and nobody asks again for it.
                self.wanted.store(true, Ordering::Release);
                rest.leave_full_disk();
            }
        }
    }
}
