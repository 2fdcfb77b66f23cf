//! Group commit over a log that is reduced to its three numbers: whoever waits is led for, whatever
//! the threads' steps are, and the helper thread sleeps only while there is nothing to do.

use std::sync::Arc;

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread::{self, JoinHandle};
use wal_commit::GroupCommit;
use wal_core::{CommitStrategy, Error, ErrorKind, Flush, Lsn, Result, Waiter, Watermark};

use crate::every_order;

/// A log without bytes. What is staged is stored with no ordering at all, so that a strategy that
/// relies on the lock of the real stage is found out.
struct Numbers {
    staged: AtomicU64,
    written: Mutex<u64>,
    synced: AtomicU64,
    durable: Watermark,
    fate: Fate,
    writes: AtomicU64,
    /// How many appends have returned, where that matters.
    returned: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Well,
    /// The first sync fails, and the log is poisoned.
    FailsAtSync,
    /// The first write finds no room.
    Full,
    /// A sync takes until the append of what it syncs has returned.
    Slow,
}

impl Numbers {
    fn new(fate: Fate) -> Self {
        Self {
            staged: AtomicU64::new(0),
            written: Mutex::new(0),
            synced: AtomicU64::new(0),
            durable: Watermark::new(Lsn::ZERO),
            fate,
            writes: AtomicU64::new(0),
            returned: AtomicU64::new(0),
        }
    }

    /// Stages a record.
    fn stage(&self) -> Lsn {
        Lsn::new(self.staged.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Flush for Numbers {
    fn staged(&self) -> Lsn {
        Lsn::new(self.staged.load(Ordering::Relaxed))
    }

    fn written(&self) -> Lsn {
        Lsn::new(*self.written.lock().unwrap())
    }

    fn durable(&self) -> Lsn {
        self.durable.get()
    }

    fn write(&self) -> Result<()> {
        let mut written = self.written.lock().unwrap();
        if self.fate == Fate::Full && self.writes.fetch_add(1, Ordering::Relaxed) == 0 {
            drop(written);
            let error = Error::new(ErrorKind::StorageFull, "full");
            self.durable.reject(error.clone());
            return Err(error);
        }
        // As the real stage, which is a lock, gives out everything staged before.
        *written = self.staged.fetch_add(0, Ordering::AcqRel);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        if self.fate == Fate::FailsAtSync {
            self.durable.fail(Error::new(ErrorKind::Io, "gone"));
            return Err(Error::new(ErrorKind::Poisoned, "poisoned"));
        }
        let written = *self.written.lock().unwrap();
        while self.fate == Fate::Slow && self.returned.load(Ordering::Acquire) < written {
            thread::yield_now();
        }
        self.synced.fetch_max(written, Ordering::Relaxed);
        self.durable.publish(Lsn::new(written));
        Ok(())
    }
}

/// A log and its strategy, as the pipeline puts them together.
#[derive(Clone)]
struct Log {
    numbers: Arc<Numbers>,
    strategy: Arc<GroupCommit>,
}

impl Log {
    fn new(fate: Fate) -> Self {
        let log = Self { numbers: Arc::new(Numbers::new(fate)), strategy: Arc::default() };
        log.strategy.start(Arc::clone(&log.numbers) as Arc<dyn Flush>).unwrap();
        log
    }

    fn append(&self) -> Lsn {
        let lsn = self.numbers.stage();
        self.strategy.staged(lsn).unwrap();
        lsn
    }

    fn wait(&self, lsn: Lsn, waiter: Waiter) -> Result<()> {
        let result = self.numbers.durable.wait(lsn, || self.strategy.waiting(lsn, waiter));
        if result.is_ok() {
            assert!(self.numbers.synced.load(Ordering::Relaxed) >= lsn.get(), "told too early");
        }
        result
    }

    fn committer(&self, waiter: Waiter) -> JoinHandle<Result<()>> {
        let log = self.clone();
        thread::spawn(move || {
            let lsn = log.append();
            log.wait(lsn, waiter)
        })
    }
}

/// The hand-over alone, the helper having gone: who leads, who is heir, who follows.
fn without_the_helper(producers: usize) {
    let log = Log::new(Fate::Well);
    log.strategy.stop();
    let others: Vec<_> = (1..producers).map(|_| log.committer(Waiter::Thread)).collect();
    let lsn = log.append();
    log.wait(lsn, Waiter::Thread).unwrap();
    for other in others {
        other.join().unwrap().unwrap();
    }
}

#[test]
fn two_producers_without_the_helper() {
    every_order(3, || without_the_helper(2));
}

#[test]
fn three_producers_without_the_helper() {
    every_order(2, || without_the_helper(3));
}

/// Two producers and the helper, which looks in between.
#[test]
fn two_producers() {
    every_order(1, || {
        let log = Log::new(Fate::Well);
        let other = log.committer(Waiter::Thread);
        let lsn = log.append();
        log.wait(lsn, Waiter::Thread).unwrap();
        other.join().unwrap().unwrap();
        log.strategy.stop();
    });
}

/// A task waits and only the helper can lead for it; a thread leads beside it.
#[test]
fn a_task_and_a_thread() {
    every_order(1, || {
        let log = Log::new(Fate::Well);
        let task = log.committer(Waiter::Task);
        let lsn = log.append();
        log.wait(lsn, Waiter::Thread).unwrap();
        task.join().unwrap().unwrap();
        log.strategy.stop();
    });
}

/// The helper goes to sleep while a record is staged that nobody waits for.
#[test]
fn a_record_that_nobody_waits_for() {
    every_order(3, || {
        let log = Log::new(Fate::Well);
        log.append();
        while log.numbers.durable() < Lsn::FIRST {
            thread::yield_now();
        }
        log.strategy.stop();
    });
}

/// The same with the helper awake: it goes back to sleep beside the second record, which may take it
/// for awake, while it may take the log for quiet. Not both.
///
/// Slow, for loom does not know that nothing comes between a swap and what it has read: without an
/// order that it can see it lets the append read a flag that is older than any it could.
#[test]
fn the_next_record_that_nobody_waits_for() {
    every_order(3, || {
        let log = Log::new(Fate::Slow);
        for _ in 0..2 {
            let lsn = log.append();
            log.numbers.returned.store(lsn.get(), Ordering::Release);
            while log.numbers.durable() < lsn {
                thread::yield_now();
            }
        }
        log.strategy.stop();
    });
}

/// A sync fails while others wait, lead or are about to.
#[test]
fn poison_during_a_wait() {
    every_order(2, || {
        let log = Log::new(Fate::FailsAtSync);
        let other = log.committer(Waiter::Thread);
        let lsn = log.append();
        assert!(log.wait(lsn, Waiter::Thread).is_err());
        assert!(other.join().unwrap().is_err());
        log.strategy.stop();
    });
}

/// No room at first: the waiters of that moment are told, and their next wait succeeds.
#[test]
fn a_full_disk_during_a_wait() {
    every_order(1, || {
        let log = Log::new(Fate::Full);
        let other = log.clone();
        let other = thread::spawn(move || {
            let lsn = other.append();
            while other.wait(lsn, Waiter::Task).is_err() {}
        });
        let lsn = log.append();
        while log.wait(lsn, Waiter::Thread).is_err() {}
        other.join().unwrap();
        log.strategy.stop();
    });
}

/// The strategy stops while a thread waits: the thread leads by itself.
#[test]
fn a_stop_during_a_wait() {
    every_order(3, || {
        let log = Log::new(Fate::Well);
        let other = log.committer(Waiter::Thread);
        log.strategy.stop();
        other.join().unwrap().unwrap();
    });
}
