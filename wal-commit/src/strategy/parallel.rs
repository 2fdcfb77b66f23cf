//! [`Parallel`]: several syncs in flight.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wal_core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter};

use super::is_final;
use super::worker::{Rest, Worker};
use crate::sync::AtomicU64;

/// Several threads, each of which writes what is staged and syncs it, while the syncs of the others
/// are still under way: for a store whose syncs take long and may overlap
/// ([`Guarantees::overlapping_syncs`](wal_core::Guarantees::overlapping_syncs)), such as one across a
/// network. As many syncs overlap as the store allows, whatever the number of threads; with one it
/// is a slower [`Pipelined`](super::Pipelined).
///
/// The watermark stays in order: a sync vouches for everything written before it began, so that the
/// one which ends first moves the mark, also for those that began before it.
#[derive(Debug)]
pub struct Parallel {
    workers: Vec<Worker>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The last record that a thread has set out to sync. Too high after a truncation, until a
    /// thread that is alone puts it right.
    claimed: AtomicU64,
    /// Threads that flush.
    flushing: AtomicU64,
}

impl Parallel {
    /// The strategy, for one log, with up to so many flushes at a time.
    pub fn new(flushes: usize) -> Self {
        let workers = (0..flushes.max(1)).map(|_| Worker::default()).collect();
        Self { workers, shared: Arc::default() }
    }

    /// Wakes one thread, if one rests; those who do not rest look at the log by themselves.
    #[inline]
    fn rouse(&self) {
        self.workers.iter().any(Worker::rouse);
    }
}

impl CommitStrategy for Parallel {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        self.shared.claimed.fetch_max(log.durable().get(), Ordering::Relaxed);
        for (started, worker) in self.workers.iter().enumerate() {
            let shared = Arc::clone(&self.shared);
            let run = move |log: &dyn Flush, rest: &Rest| shared.run(log, rest);
            // Where the system has no more threads, those that run have the log, and end here.
            let ended = || self.workers[..started].iter().for_each(Worker::stop);
            worker.start("wal-parallel", Arc::clone(&log), run).inspect_err(|_| ended())?;
        }
        Ok(())
    }

    fn staged(&self, _lsn: Lsn, _: Waiter) -> Result<()> {
        self.rouse();
        Ok(())
    }

    fn waiting(&self, _lsn: Lsn, _waiter: Waiter) -> Result<()> {
        // Everything that is staged is on its way.
        self.rouse();
        self.workers.iter().for_each(Worker::hurry);
        Ok(())
    }

    fn stop(&self) {
        self.workers.iter().for_each(Worker::stop);
    }
}

impl Shared {
    /// One of the threads.
    fn run(&self, log: &dyn Flush, rest: &Rest) {
        while !rest.stopping() {
            if !self.has_work(log) {
                rest.rest(|| self.has_work(log));
                continue;
            }
            self.flushing.fetch_add(1, Ordering::AcqRel);
            let flushed = self.flush(log);
            self.flushing.fetch_sub(1, Ordering::AcqRel);
            match flushed {
                Ok(()) => {}
                Err(error) if is_final(&error) => return,
                Err(_) => rest.leave_full_disk(),
            }
        }
    }

    /// Whether there is something that nobody has set out to sync. Who is alone trusts the marks of
    /// the log only, and every flush is followed by this look.
    fn has_work(&self, log: &dyn Flush) -> bool {
        let staged = log.staged();
        staged.get() > self.claimed.load(Ordering::Acquire)
            || staged > log.durable() && self.flushing.load(Ordering::Acquire) == 0
    }

    fn flush(&self, log: &dyn Flush) -> Result<()> {
        log.write()?;
        let written = log.written().get();
        if self.claimed.fetch_max(written, Ordering::AcqRel) >= written {
            if self.flushing.load(Ordering::Acquire) > 1 {
                // Of two that write at the same time one syncs.
                return Ok(());
            }
            self.claimed.store(written, Ordering::Release);
        }
        log.sync()
    }
}
