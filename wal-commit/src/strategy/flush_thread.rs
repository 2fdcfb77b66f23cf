//! [`FlushThread`]: a thread of its own, and a trigger.

use std::sync::Arc;
use std::time::Duration;

use wal_core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter};

use super::Driven;
use super::aging::{Aging, Trigger, pending_at};
use super::worker::FULL_DISK;

/// A thread of its own flushes everything staged when the oldest record has reached an age, or when
/// there are so many of them. Both are triggers, never caps: a flush takes everything along.
///
/// The age counts from the append, also while the flush before is under way: with a window of 10 ms
/// and a disk of 10 ms nobody waits for more than 20 ms, unless the machine is late.
///
/// Appends and waits do no I/O. A lone committer pays the whole window and a hand-off:
/// [`GroupCommit`](super::GroupCommit) does better there, and as well elsewhere.
#[derive(Debug)]
pub struct FlushThread {
    log: Driven,
    aging: Aging,
}

impl FlushThread {
    /// The strategy, for one log: a flush at 10 ms or at 100 records.
    pub fn new() -> Self {
        Self::with_trigger(Duration::from_millis(10), 100)
    }

    /// A flush when the oldest record is of this `age`, or when there are so many `records`; with
    /// zero for either, at once.
    pub fn with_trigger(age: Duration, records: u64) -> Self {
        Self {
            log: Driven::default(),
            aging: Aging::new(Trigger { age, records, again: FULL_DISK }),
        }
    }
}

impl Default for FlushThread {
    fn default() -> Self {
        Self::new()
    }
}

impl CommitStrategy for FlushThread {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        self.log.set(Arc::clone(&log))?;
        self.aging.start("wal-flush", log)
    }

    fn staged(&self, lsn: Lsn, _: Waiter) -> Result<()> {
        self.aging.staged(pending_at(self.log.get()?, lsn));
        Ok(())
    }

    fn waiting(&self, _lsn: Lsn, _waiter: Waiter) -> Result<()> {
        self.aging.hurry();
        Ok(())
    }

    fn stop(&self) {
        self.aging.stop();
    }
}
