//! [`Numbers`]: a log that is reduced to its three numbers, and [`Log`], one with a strategy on it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread::{self, JoinHandle};
use wal_core::{CommitStrategy, Error, ErrorKind, Flush, Lsn, Result, Waiter, Watermark};

/// A log without bytes. What is staged is stored with no ordering at all, so that a strategy that
/// relies on the lock of the real stage is found out.
pub(crate) struct Numbers {
    staged: AtomicU64,
    written: Watermark,
    /// Held by who writes.
    writing: Mutex<()>,
    synced: AtomicU64,
    pub(crate) durable: Watermark,
    fate: Fate,
    writes: AtomicU64,
    /// Whether a sync is under way, where there is one at a time. Not a loom type, so that it adds no
    /// order.
    syncing: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Well,
    /// The first sync fails, and the log is poisoned.
    FailsAtSync,
    /// The first write finds no room.
    Full,
    /// Syncs may overlap.
    Overlaps,
    /// Whoever looks sees nothing staged; a write takes it all the same.
    Unseen,
}

impl Numbers {
    fn new(fate: Fate) -> Self {
        Self {
            staged: AtomicU64::new(0),
            written: Watermark::new(Lsn::ZERO),
            writing: Mutex::new(()),
            synced: AtomicU64::new(0),
            durable: Watermark::new(Lsn::ZERO),
            fate,
            writes: AtomicU64::new(0),
            syncing: AtomicBool::new(false),
        }
    }

    /// Stages a record.
    fn stage(&self) -> Lsn {
        Lsn::new(self.staged.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Flush for Numbers {
    fn staged(&self) -> Lsn {
        if self.fate == Fate::Unseen {
            return Lsn::ZERO;
        }
        Lsn::new(self.staged.load(Ordering::Relaxed))
    }

    fn written(&self) -> Lsn {
        self.written.get()
    }

    fn durable(&self) -> Lsn {
        self.durable.get()
    }

    fn write(&self) -> Result<()> {
        let writing = self.writing.lock().unwrap();
        if self.fate == Fate::Full && self.writes.fetch_add(1, Ordering::Relaxed) == 0 {
            drop(writing);
            let error = Error::new(ErrorKind::StorageFull, "full");
            self.durable.reject(error.clone());
            return Err(error);
        }
        // As the real stage, which is a lock, gives out everything staged before.
        self.written.publish(Lsn::new(self.staged.fetch_add(0, Ordering::AcqRel)));
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.sync_then(&mut || ())
    }

    fn sync_then(&self, moved: &mut dyn FnMut()) -> Result<()> {
        let another = self.syncing.swap(true, Ordering::Relaxed);
        assert!(!another || self.fate == Fate::Overlaps, "two syncs at once");
        if self.fate == Fate::FailsAtSync {
            self.abandon(Error::new(ErrorKind::Io, "gone"));
            self.syncing.store(false, Ordering::Relaxed);
            return Err(Error::new(ErrorKind::Poisoned, "poisoned"));
        }
        let written = self.written.get();
        self.synced.fetch_max(written.get(), Ordering::Relaxed);
        let woken = self.durable.advance(written);
        self.syncing.store(false, Ordering::Relaxed);
        moved();
        drop(woken);
        Ok(())
    }

    fn abandon(&self, why: Error) {
        self.durable.fail(why);
    }
}

/// A log and its strategy, as the pipeline puts them together.
pub(crate) struct Log<S> {
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) strategy: Arc<S>,
}

impl<S> Clone for Log<S> {
    fn clone(&self) -> Self {
        Self { numbers: Arc::clone(&self.numbers), strategy: Arc::clone(&self.strategy) }
    }
}

impl<S: CommitStrategy + 'static> Log<S> {
    pub(crate) fn new(strategy: S, fate: Fate) -> Self {
        let log = Self { numbers: Arc::new(Numbers::new(fate)), strategy: Arc::new(strategy) };
        log.strategy.start(Arc::clone(&log.numbers) as Arc<dyn Flush>).unwrap();
        log
    }

    pub(crate) fn append(&self) -> Lsn {
        let lsn = self.numbers.stage();
        self.strategy.staged(lsn, Waiter::Thread).unwrap();
        lsn
    }

    pub(crate) fn wait(&self, lsn: Lsn, waiter: Waiter) -> Result<()> {
        let waited = self.numbers.durable.wait(lsn, || self.strategy.waiting(lsn, waiter));
        self.acknowledged(lsn, waited)
    }

    /// Waits and lets the strategy know nothing of it: the append must have been enough.
    pub(crate) fn wait_unasked(&self, lsn: Lsn) -> Result<()> {
        let waited = self.numbers.durable.wait(lsn, || Ok(()));
        self.acknowledged(lsn, waited)
    }

    fn acknowledged(&self, lsn: Lsn, waited: Result<()>) -> Result<()> {
        if waited.is_ok() {
            assert!(self.numbers.synced.load(Ordering::Relaxed) >= lsn.get(), "told too early");
        }
        waited
    }

    pub(crate) fn committer(&self, waiter: Waiter) -> JoinHandle<Result<()>> {
        let log = self.clone();
        thread::spawn(move || {
            let lsn = log.append();
            log.wait(lsn, waiter)
        })
    }
}
