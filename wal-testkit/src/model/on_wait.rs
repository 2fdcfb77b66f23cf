//! [`OnWait`]: a commit strategy that is the same in every run.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use wal_core::{Acknowledgement, CommitStrategy, Error, ErrorKind, Flush, Lsn, Result, Waiter};

/// Flushes when somebody waits, on the waiting thread, and at no other time: group commit without
/// a thread of its own and so without chance. Takes along whatever is staged by then.
///
/// A task that waits is served on its own thread too, which then blocks: this is for tests.
pub struct OnWait {
    log: Mutex<Option<Arc<dyn Flush>>>,
    acknowledges: Acknowledgement,
    appends: Appends,
}

/// What an append does besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Appends {
    Stage,
    Write,
    Commit,
}

impl OnWait {
    /// The strategy, for one log.
    pub fn new() -> Self {
        Self::acknowledging(Acknowledgement::Durable)
    }

    /// As one that acknowledges so: where that is less than durable, it writes with every append and
    /// never syncs by itself, as a thread would that is slower than everybody else.
    pub fn acknowledging(acknowledges: Acknowledgement) -> Self {
        let durable = acknowledges == Acknowledgement::Durable;
        let appends = if durable { Appends::Stage } else { Appends::Write };
        Self { log: Mutex::default(), acknowledges, appends }
    }

    /// As one that commits within every append. The log's own strategy of that kind has a thread for
    /// callers that must not block, and whether that has come is chance.
    pub fn and_on_append() -> Self {
        Self { appends: Appends::Commit, ..Self::new() }
    }

    fn log(&self) -> Option<Arc<dyn Flush>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl CommitStrategy for OnWait {
    fn acknowledges(&self) -> Acknowledgement {
        self.acknowledges
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = Some(log);
        Ok(())
    }

    fn staged(&self, _: Lsn, _: Waiter) -> Result<()> {
        let Some(log) = self.log() else { return Ok(()) };
        match self.appends {
            Appends::Stage => Ok(()),
            Appends::Write => log.write(),
            Appends::Commit => log.write().and_then(|()| log.sync()),
        }
    }

    fn waiting(&self, lsn: Lsn, _: Waiter) -> Result<()> {
        let idle = || Error::new(ErrorKind::Invalid, "the log is closed");
        let log = self.log().ok_or_else(idle)?;
        if log.durable() >= lsn {
            return Ok(());
        }
        log.write()?;
        if self.acknowledges == Acknowledgement::Durable { log.sync() } else { Ok(()) }
    }

    fn stop(&self) {
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Default for OnWait {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OnWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.log().is_some() { "OnWait(log)" } else { "OnWait(none)" })
    }
}
