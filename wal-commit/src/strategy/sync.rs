//! [`Sync`]: one sync an append.

use std::sync::Arc;

use wal_core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter};

use super::Driven;
use crate::flusher::lock;
use crate::sync::Mutex;

/// Every append writes and syncs by itself, one after the other: the naive baseline that the others
/// are measured against. An append returns when its record is durable; there are exactly as many
/// syncs as appends, whoever else's record the sync may cover.
#[derive(Debug, Default)]
pub struct Sync {
    log: Driven,
    one_at_a_time: Mutex<()>,
}

impl Sync {
    /// The strategy, for one log.
    pub fn new() -> Self {
        Self::default()
    }

    fn commit(&self) -> Result<()> {
        let log = self.log.get()?;
        let _turn = lock(&self.one_at_a_time);
        log.write()?;
        log.sync()
    }
}

impl CommitStrategy for Sync {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        self.log.set(log)
    }

    fn staged(&self, _lsn: Lsn) -> Result<()> {
        self.commit()
    }

    // Only where an append of another thread is under way, or failed on a full disk: rare enough
    // to let a task do the work itself rather than keep a thread for it.
    fn waiting(&self, _lsn: Lsn, _waiter: Waiter) -> Result<()> {
        self.commit()
    }

    fn stop(&self) {}
}
