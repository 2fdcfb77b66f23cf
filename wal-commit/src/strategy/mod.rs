//! The strategies: who flushes, and when.

#![allow(unexpected_cfgs, reason = "`shuttle` is set by hand, for a model checker")]

mod aging;
mod flush_thread;
mod gather;
mod group_commit;
mod interval;
mod os;
mod parallel;
mod pipelined;
mod sync;
mod sync_time;
#[cfg(any(feature = "tokio", shuttle))]
mod tokio_commit;
mod watch;
mod window;
mod worker;

pub use flush_thread::FlushThread;
pub use group_commit::GroupCommit;
pub use interval::Interval;
pub use os::Os;
pub use parallel::Parallel;
pub use pipelined::Pipelined;
pub use sync::Sync;
#[cfg(any(feature = "tokio", shuttle))]
pub use tokio_commit::TokioCommit;
pub use window::{Tuning, Window};

use std::sync::{Arc, OnceLock};

use wal_core::{Error, ErrorKind, Flush, Result};

/// Whether a log that failed so will never be flushed again: after everything but a full disk.
fn is_final(error: &Error) -> bool {
    error.kind() != ErrorKind::StorageFull
}

/// The log that a strategy drives, from `start` on.
#[derive(Default)]
struct Driven(OnceLock<Arc<dyn Flush>>);

impl Driven {
    fn set(&self, log: Arc<dyn Flush>) -> Result<()> {
        let twice = |_| Error::new(ErrorKind::Invalid, "a strategy drives one log, once");
        self.0.set(log).map_err(twice)
    }

    fn get(&self) -> Result<&dyn Flush> {
        let early = || Error::new(ErrorKind::Invalid, "the strategy was not started");
        self.0.get().map(|log| &**log).ok_or_else(early)
    }
}

impl std::fmt::Debug for Driven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.get().is_some() { "Driven(log)" } else { "Driven(none)" })
    }
}
