//! [`Window`]: how long a group waits for more.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::sync::{AtomicU64, thread};

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

    /// For the leader of a group that so many have asked for; `staged` is looked at now and then.
    pub(super) fn hold(&self, asked: u64, lately: &SyncTime, staged: impl Fn() -> u64) {
        if asked <= self.siblings {
            return;
        }
        let delay = match self.tuning {
            Tuning::Fixed => self.delay,
            Tuning::Adaptive => self.delay.min(lately.get() / 2),
        };
        let began = Instant::now();
        let step = (delay / 8).max(Duration::from_micros(20));
        while staged() < self.enough {
            let left = delay.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            thread::park_timeout(left.min(step));
        }
    }
}

/// How long syncs take, the last ones weighing most.
#[derive(Debug, Default)]
pub(super) struct SyncTime(AtomicU64);

impl SyncTime {
    fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// Of one leader at a time.
    pub(super) fn took(&self, time: Duration) {
        let (before, now) = (self.0.load(Ordering::Relaxed), time.as_nanos());
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let mean = if before == 0 { now } else { before - before / 8 + now / 8 };
        self.0.store(mean, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lone committer pays no delay, and neither does a group that is large enough.
    #[test]
    fn nobody_waits_alone_or_for_nothing() {
        let mut window = Window::new(Duration::from_secs(3600));
        window.hold(1, &SyncTime::default(), || 0);
        window.hold(5, &SyncTime::default(), || 0);
        window.enough = 100;
        window.hold(64, &SyncTime::default(), || 100);
        // No sync has been seen, and half of that is nothing.
        window.tuning = Tuning::Adaptive;
        window.hold(64, &SyncTime::default(), || 0);
    }

    #[test]
    fn the_mean_follows_the_disk() {
        let time = SyncTime::default();
        time.took(Duration::from_micros(800));
        assert_eq!(time.get(), Duration::from_micros(800));
        (0..100).for_each(|_| time.took(Duration::from_millis(8)));
        let mean = time.get();
        assert!(mean > Duration::from_millis(7) && mean <= Duration::from_millis(8), "{mean:?}");
    }
}
