//! [`Leader`]: a commit strategy without threads, and so without chance.

use std::sync::{Arc, OnceLock};

use wal::parts::core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter};

/// Flushes for everyone on the thread that waits: group commit as a single thread sees it. Nothing
/// happens between the calls of a history, so that the same history makes the same bytes.
#[derive(Default)]
pub(crate) struct Leader(OnceLock<Arc<dyn Flush>>);

impl CommitStrategy for Leader {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        let _ = self.0.set(log);
        Ok(())
    }

    fn staged(&self, _: Lsn, _: Waiter) -> Result<()> {
        Ok(())
    }

    fn waiting(&self, _: Lsn, _: Waiter) -> Result<()> {
        let log = self.0.get().expect("a log is started before it is waited for");
        log.write()?;
        log.sync()
    }

    fn stop(&self) {}
}

impl std::fmt::Debug for Leader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leader").finish_non_exhaustive()
    }
}
