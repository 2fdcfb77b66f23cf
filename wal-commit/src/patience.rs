//! [`Patience`]: giving the processor away for a moment before going to sleep.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::sync::YIELDS;

/// Longer than the threads of one log take to pass the processor round, and shorter than the slice
/// that a scheduler gives to other work.
const SLICE: Duration = Duration::from_micros(500);

/// How many waiters sleep at once after one has found the processor wanted by others.
const ASLEEP: u32 = 200;

/// Sleeping and being woken costs a thread more than anything else about a commit, and the waker,
/// who has work to do, too. While a sync is under way there is often nothing else to run: so a waiter
/// first lets the others run, a few times, and looks whether that was enough.
///
/// Where other work wants the processor, a thread that gives it away gets it back a slice later, and
/// its commit is late: then the next waiters sleep at once, and the scheduler wakes them in time.
///
/// (`RocksDB`'s adaptive yield, `WriteThread::AwaitState`, with another test for a busy processor.)
#[derive(Debug, Default)]
pub(crate) struct Patience {
    asleep: AtomicU32,
}

impl Patience {
    /// Gives the processor away a few times, unless `reached`.
    pub(crate) fn spend(&self, reached: impl Fn() -> bool) {
        // `Relaxed`: a guess at what the machine is doing, which nothing relies on.
        let asleep = self.asleep.load(Ordering::Relaxed);
        if asleep > 0 {
            self.asleep.store(asleep - 1, Ordering::Relaxed);
            return;
        }
        let mut before = Instant::now();
        for _ in 0..YIELDS {
            if reached() {
                return;
            }
            std::thread::yield_now();
            let now = Instant::now();
            if now - before > SLICE {
                self.asleep.store(ASLEEP, Ordering::Relaxed);
                return;
            }
            before = now;
        }
    }
}
