//! [`Pipelined`]: one thread writes while another syncs.

use std::sync::Arc;

use wal_core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter};

use super::is_final;
use super::worker::{Rest, Worker};

/// A writer thread and a force-write thread: batch n + 1 is written while n is being synced, and
/// batches that were written during one sync share the next one. Appends and waits do no I/O.
///
/// For many records that nobody waits for one by one. A lone committer pays two hand-offs.
///
/// The division is `BookKeeper`'s journal (its force-write thread).
#[derive(Debug, Default)]
pub struct Pipelined {
    writer: Arc<Worker>,
    syncer: Arc<Worker>,
}

impl Pipelined {
    /// The strategy, for one log.
    pub fn new() -> Self {
        Self::default()
    }
}

impl CommitStrategy for Pipelined {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        let syncer = Arc::clone(&self.syncer);
        self.syncer.start("wal-sync", Arc::clone(&log), sync)?;
        let started =
            self.writer.start("wal-write", log, move |log, rest| write(log, rest, &syncer));
        // Where the system has no thread for it, the other one has the log, and ends here.
        started.inspect_err(|_| self.syncer.stop())
    }

    fn staged(&self, _lsn: Lsn, _: Waiter) -> Result<()> {
        self.writer.rouse();
        Ok(())
    }

    fn waiting(&self, _lsn: Lsn, _waiter: Waiter) -> Result<()> {
        // Everything that is staged is on its way.
        self.writer.rouse();
        self.writer.hurry();
        Ok(())
    }

    fn stop(&self) {
        self.writer.stop();
        self.syncer.stop();
    }
}

fn write(log: &dyn Flush, rest: &Rest, syncer: &Worker) {
    while !rest.stopping() {
        if log.staged() <= log.written() {
            rest.rest(|| {
                let more = log.staged() > log.written();
                // Somebody else may have written: a sync that was asked for and found its own records
                // durable, or an append that found the stage full.
                if log.written() > log.durable() {
                    syncer.rouse();
                }
                more
            });
            continue;
        }
        match log.write() {
            Ok(()) => {
                syncer.rouse();
            }
            Err(error) if is_final(&error) => return,
            Err(_) => rest.leave_full_disk(),
        }
    }
}

fn sync(log: &dyn Flush, rest: &Rest) {
    while !rest.stopping() {
        if log.written() <= log.durable() {
            rest.rest(|| log.written() > log.durable());
        } else if log.sync().is_err() {
            return;
        }
    }
}
