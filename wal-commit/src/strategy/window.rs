//! [`Window`]: how long a group waits for more.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::flusher::lock;
use crate::sync::thread::{self, Thread};
use crate::sync::{AtomicBool, Mutex, fence};

/// How long the leader of a group waits for more records before it flushes. Nobody waits for it
/// unless others are committing too.
///
/// (`PostgreSQL`'s `commit_delay` and `commit_siblings`. The greedy rule, no window at all, is as good
/// in most cases: a group forms while the flush before it runs.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Window {
    /// The longest wait.
    pub delay: Duration,
    /// Only where at least so many others have begun to wait since the flush before.
    pub siblings: u64,
    /// The wait ends early when so many records are staged.
    pub enough: u64,
    /// Whether `delay` is what it says, or a bound.
    pub tuning: Tuning,
}

/// Who chooses the length of a [`Window`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tuning {
    /// The settings.
    #[default]
    Fixed,
    /// The disk, within the settings: half the time that a sync has taken lately, which is what the
    /// `PostgreSQL` manual recommends to set by hand.
    Adaptive,
}

impl Window {
    /// A window of this length, for five siblings or more, whatever number of records there are.
    pub fn new(delay: Duration) -> Self {
        Self { delay, siblings: 5, enough: u64::MAX, tuning: Tuning::Fixed }
    }

    /// How long the leader of a group that so many have asked for waits.
    fn length(&self, asked: u64, lately: Duration) -> Duration {
        match self.tuning {
            _ if asked <= self.siblings => Duration::ZERO,
            Tuning::Fixed => self.delay,
            Tuning::Adaptive => self.delay.min(lately / 2),
        }
    }
}

/// A leader that waits for more records, until its [`Window`] ends or there are enough.
#[derive(Debug, Default)]
pub(super) struct Hold {
    leader: Mutex<Option<Thread>>,
    /// Whether there is a leader that nobody has woken yet.
    holding: AtomicBool,
}

impl Hold {
    /// For the leader: `staged` says how many records wait for its flush, and `over` whether there is
    /// nothing to wait for any more; what makes it so [ends](Self::end) the wait, or unparks the thread.
    pub(super) fn wait(
        &self,
        window: &Window,
        asked: u64,
        lately: Duration,
        staged: impl Fn() -> u64,
        over: impl Fn() -> bool,
    ) {
        let length = window.length(asked, lately);
        if length.is_zero() {
            return;
        }
        let began = Instant::now();
        *lock(&self.leader) = Some(thread::current());
        loop {
            // Here and in `staged` a fence stands between one's own step and the look at the
            // other's: one of them sees the other, so that enough is never overslept.
            self.holding.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            let left = length.saturating_sub(began.elapsed());
            if left.is_zero() || staged() >= window.enough || over() {
                break;
            }
            thread::park_timeout(left);
        }
        self.holding.store(false, Ordering::Relaxed);
        lock(&self.leader).take();
    }

    /// Has a leader that waits look whether its wait is over.
    pub(super) fn end(&self) {
        if let Some(leader) = &*lock(&self.leader) {
            leader.unpark();
        }
    }

    /// For who has staged a record, and a fence behind it; `staged` as above.
    #[inline]
    pub(super) fn staged(&self, window: &Window, staged: impl Fn() -> u64) {
        if self.holding.load(Ordering::Relaxed)
            && staged() >= window.enough
            && self.holding.swap(false, Ordering::Relaxed)
            && let Some(leader) = &*lock(&self.leader)
        {
            leader.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{AtomicBool, AtomicU64};

    /// A lone committer pays no delay, and neither does a group that is large enough.
    #[test]
    fn nobody_waits_alone_or_for_nothing() {
        let mut window = Window::new(Duration::from_secs(3600));
        let hold = Hold::default();
        hold.wait(&window, 1, Duration::ZERO, || 0, || false);
        hold.wait(&window, 5, Duration::ZERO, || 0, || false);
        window.enough = 100;
        hold.wait(&window, 64, Duration::ZERO, || 100, || false);
        // No sync has been seen, and half of that is nothing.
        window.tuning = Tuning::Adaptive;
        hold.wait(&window, 64, Duration::ZERO, || 0, || false);
    }

    /// A close ends the wait of a leader. (Once a close took what was left of the window.)
    #[test]
    fn window_holds_close() {
        let mut window = Window::new(Duration::from_secs(3600));
        window.siblings = 0;
        let hold = Hold::default();
        for round in 0..200 {
            let (closing, looked) = (AtomicBool::new(false), AtomicBool::new(false));
            let over = || {
                let over = closing.load(Ordering::SeqCst);
                looked.store(true, Ordering::SeqCst);
                over
            };
            thread::scope(|scope| {
                scope.spawn(|| hold.wait(&window, 64, Duration::ZERO, || 1, over));
                // Every other one has looked in vain, and sleeps or is about to.
                while round % 2 == 0 && !looked.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                closing.store(true, Ordering::SeqCst);
                hold.end();
            });
        }
    }

    /// The record that makes a group large enough wakes its leader. (Once the leader looked by
    /// itself, eight times a window.)
    #[test]
    fn the_record_that_is_enough_ends_the_window() {
        let mut window = Window::new(Duration::from_secs(3600));
        (window.siblings, window.enough) = (0, 100);
        let hold = Hold::default();
        let records = AtomicU64::new(0);
        let staged = || records.load(Ordering::SeqCst);
        for _ in 0..200 {
            records.store(0, Ordering::SeqCst);
            thread::scope(|scope| {
                scope.spawn(|| hold.wait(&window, 64, Duration::ZERO, staged, || false));
                for _ in 0..100 {
                    records.fetch_add(1, Ordering::SeqCst);
                    fence(Ordering::SeqCst);
                    hold.staged(&window, staged);
                }
            });
        }
    }
}
