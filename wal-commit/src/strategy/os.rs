//! [`Os`]: the operating system decides.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wal_core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter};

use super::worker::{Rest, Worker};
use super::{Driven, is_final};
use crate::sync::AtomicBool;

/// Every append is written before it returns and never synced by itself: it survives the death of
/// the process, and a power cut takes what the operating system had not written back yet, tens of
/// seconds of it. Segments are synced when they end, so a power cut never takes more than the
/// segment being written. An explicit sync of the log is durable as ever.
///
/// For callers that must not block, which are tasks and `try_append`, a thread writes, for a write
/// syncs where a segment ends: their appends return when the record is staged, and a wait tells that it
/// is written.
#[derive(Debug, Default)]
pub struct Os {
    log: Driven,
    wanted: Arc<AtomicBool>,
    helper: Worker,
}

impl Os {
    /// The strategy, for one log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes, or has the helper do so where the caller must not be blocked.
    fn write_for(&self, caller: Waiter) -> Result<()> {
        match caller {
            Waiter::Thread => self.log.get()?.write(),
            Waiter::Task => {
                self.wanted.store(true, Ordering::Release);
                self.helper.wake();
                Ok(())
            }
            Waiter::Nobody => Ok(()),
        }
    }
}

impl CommitStrategy for Os {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Written
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        self.log.set(Arc::clone(&log))?;
        let wanted = Arc::clone(&self.wanted);
        self.helper.start("wal-os", log, move |log, rest| help(log, rest, &wanted))
    }

    fn staged(&self, _lsn: Lsn, appender: Waiter) -> Result<()> {
        self.write_for(appender)
    }

    fn waiting(&self, _lsn: Lsn, waiter: Waiter) -> Result<()> {
        self.write_for(waiter)
    }

    fn stop(&self) {
        self.helper.stop();
    }
}

/// The helper thread. What goes wrong reaches the tasks through the watermark.
fn help(log: &dyn Flush, rest: &Rest, wanted: &AtomicBool) {
    while !rest.stopping() {
        if !wanted.swap(false, Ordering::AcqRel) {
            rest.rest(|| wanted.load(Ordering::Acquire));
        } else if let Err(error) = log.write() {
            if is_final(&error) {
                return;
            }
            // The task that waits for room goes on waiting, and nobody asks again for it.
            wanted.store(true, Ordering::Release);
            rest.leave_full_disk();
        }
    }
}
