//! [`Interval`]: acknowledges at once, and bounds what a power cut can take.

use std::sync::Arc;
use std::time::Duration;

use wal_core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter};

use super::Driven;
use super::aging::{Aging, Trigger};
use super::worker::FULL_DISK;

/// A wait returns when the record is written, and a thread syncs it within a time that is kept also
/// if nothing is ever appended again. The death of the process loses nothing acknowledged; a power
/// cut loses at most what was appended within that time before it.
///
/// The thread sets out when half of the time is over, so that the bound holds as long as a write and
/// a sync take no longer than the other half; a disk that is slower than that lengthens it.
///
/// Known elsewhere as "batch" (Kafka-like logs) or "everysec" (Redis).
#[derive(Debug)]
pub struct Interval {
    log: Driven,
    within: Duration,
    aging: Aging,
}

impl Interval {
    /// The strategy, for one log, losing at most what was appended `within` so much time.
    pub fn new(within: Duration) -> Self {
        let aging = Aging::new(trigger(within));
        Self { log: Driven::default(), within, aging }
    }
}

/// What finds room on a full disk meanwhile, and is acknowledged, waits no longer for its sync than on any
/// other disk.
fn trigger(within: Duration) -> Trigger {
    let half = within / 2;
    Trigger { age: half, records: u64::MAX, again: half.min(FULL_DISK) }
}

impl CommitStrategy for Interval {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Buffered(self.within)
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        self.log.set(Arc::clone(&log))?;
        self.aging.start("wal-interval", log)
    }

    fn staged(&self, _lsn: Lsn, _: Waiter) -> Result<()> {
        self.aging.staged(0);
        Ok(())
    }

    // A write goes to the operating system's memory; but where a segment ends it syncs, and a task must
    // not wait for that.
    fn waiting(&self, _lsn: Lsn, waiter: Waiter) -> Result<()> {
        match waiter {
            Waiter::Thread => self.log.get()?.write(),
            Waiter::Task => {
                self.aging.write_soon();
                Ok(())
            }
            Waiter::Nobody => Ok(()),
        }
    }

    fn stop(&self) {
        self.aging.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A full disk was left alone for a second, whatever the bound: a record that found room meanwhile,
    /// and was acknowledged, could be lost to a power cut a second later under a bound of 10 ms.
    #[test]
    fn a_full_disk_does_not_lengthen_the_bound() {
        for within in [1, 10, 200, 5000].map(Duration::from_millis) {
            let Trigger { age, again, .. } = trigger(within);
            assert!(age.max(again) <= within / 2, "{within:?}: {age:?}, {again:?}");
        }
    }
}
