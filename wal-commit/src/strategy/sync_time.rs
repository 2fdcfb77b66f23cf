//! [`SyncTime`]: how long syncs take lately.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::sync::AtomicU64;

/// How long syncs take, the last ones weighing most.
#[derive(Debug, Default)]
pub(super) struct SyncTime(AtomicU64);

impl SyncTime {
    /// Their mean; zero where there was none yet.
    pub(super) fn get(&self) -> Duration {
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
