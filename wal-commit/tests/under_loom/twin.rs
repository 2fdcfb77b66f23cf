//! Two protocols of the commit core in a few lines each, right or with one thing wrong.

use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use loom::sync::{Condvar, Mutex};
use loom::thread;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    /// A waiter goes to sleep without another look under the lock.
    NoSecondLook,
    /// The mark moves before the sync.
    EarlyMark,
    /// The mark is stored with no ordering.
    RelaxedMark,
    /// No fence between "I will sleep" and the look at the stage.
    NoFence,
}

/// A mark and those who sleep until it moves.
pub(crate) struct Mark {
    defect: Defect,
    reached: AtomicU64,
    synced: AtomicU64,
    queue: Mutex<()>,
    moved: Condvar,
}

impl Mark {
    pub(crate) fn new(defect: Defect) -> Self {
        let (reached, synced) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { defect, reached, synced, queue: Mutex::new(()), moved: Condvar::new() }
    }

    pub(crate) fn sync_and_publish(&self, lsn: u64) {
        if self.defect != Defect::EarlyMark {
            self.synced.fetch_max(lsn, Ordering::Relaxed);
        }
        let queue = self.queue.lock().unwrap();
        let relaxed = self.defect == Defect::RelaxedMark;
        self.reached.store(lsn, if relaxed { Ordering::Relaxed } else { Ordering::Release });
        drop(queue);
        self.moved.notify_all();
        self.synced.fetch_max(lsn, Ordering::Relaxed);
    }

    pub(crate) fn wait(&self, lsn: u64) {
        let there = || self.reached.load(Ordering::Acquire) >= lsn;
        if !there() {
            let mut queue = self.queue.lock().unwrap();
            if self.defect == Defect::NoSecondLook {
                queue = self.moved.wait(queue).unwrap();
            }
            while !there() {
                queue = self.moved.wait(queue).unwrap();
            }
        }
        assert!(self.synced.load(Ordering::Relaxed) >= lsn, "told before the sync");
    }
}

/// A helper that goes to sleep while a record comes in.
pub(crate) fn sleep_beside_an_append(defect: Defect) {
    struct Helper {
        staged: AtomicU64,
        ticking: AtomicBool,
        token: Mutex<bool>,
        woken: Condvar,
    }
    let helper = Arc::new(Helper {
        staged: AtomicU64::new(0),
        ticking: AtomicBool::new(true),
        token: Mutex::new(false),
        woken: Condvar::new(),
    });
    let sleeper = Arc::clone(&helper);
    let sleeper = thread::spawn(move || {
        sleeper.ticking.store(false, Ordering::Relaxed);
        if defect != Defect::NoFence {
            fence(Ordering::SeqCst);
        }
        if sleeper.staged.load(Ordering::Relaxed) == 0 {
            let mut token = sleeper.token.lock().unwrap();
            while !*token {
                token = sleeper.woken.wait(token).unwrap();
            }
        }
    });
    helper.staged.store(1, Ordering::Relaxed);
    if defect != Defect::NoFence {
        fence(Ordering::SeqCst);
    }
    if !helper.ticking.load(Ordering::Relaxed) {
        *helper.token.lock().unwrap() = true;
        helper.woken.notify_one();
    }
    sleeper.join().unwrap();
}
