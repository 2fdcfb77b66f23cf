//! [`Os`]: the operating system decides.

use std::sync::Arc;

use wal_core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter};

use super::Driven;

/// Every append is written before it returns and never synced by itself: it survives the death of
/// the process, and a power cut takes what the operating system had not written back yet, tens of
/// seconds of it. Segments are synced when they end, so a power cut never takes more than the
/// segment being written. An explicit sync of the log is durable as ever.
#[derive(Debug, Default)]
pub struct Os {
    log: Driven,
}

impl Os {
    /// The strategy, for one log.
    pub fn new() -> Self {
        Self::default()
    }
}

impl CommitStrategy for Os {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Written
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        self.log.set(log)
    }

    fn staged(&self, _lsn: Lsn) -> Result<()> {
        self.log.get()?.write()
    }

    // Only where an append of another thread is under way, or failed on a full disk. A write goes
    // to the operating system's memory; a task can do that.
    fn waiting(&self, _lsn: Lsn, _waiter: Waiter) -> Result<()> {
        self.log.get()?.write()
    }

    fn stop(&self) {}
}
