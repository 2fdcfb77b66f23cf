//! [`Gather`]: those whom a flush has woken, back for the next one.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use wal_core::{Flush, Result};

use super::sync_time::SyncTime;
use crate::sync::{AtomicU64, doze};

/// So much trust is enough for the longer wait. Every flush after which all come back adds one, and
/// every other one halves it.
const ENOUGH: u64 = 4;

/// There is no more trust than this: two waits in vain end it.
const MOST: u64 = 4 * ENOUGH - 1;

/// Who has just been woken by a flush often has the next record at once. A leader that begins without
/// him makes two groups of one, each of which waits for the other's sync; so it lets them come back,
/// for an eighth of the time that a sync takes at the most.
///
/// Where everybody has come back after nearly all of the last flushes, one who does not come in this
/// time has been held up, by a busy processor, and will come: then the leader waits for him for up to
/// half a sync, where else he would wait for a sync and a half more. Where they stop coming back, that
/// is over after two such waits.
#[derive(Debug, Default)]
pub(super) struct Gather {
    /// Records that were staged while the last sync ran.
    behind: AtomicU64,
    /// How surely they come back.
    trust: AtomicU64,
    sync_time: SyncTime,
}

impl Gather {
    /// Syncs the log, as [`Flush::sync_then`] does, and notes what there is to know of it.
    pub(super) fn sync(&self, log: &dyn Flush, mut moved: impl FnMut()) -> Result<()> {
        let began = Instant::now();
        log.sync_then(&mut || {
            self.sync_time.took(began.elapsed());
            self.behind.store(log.staged().since(log.durable()), Ordering::Relaxed);
            moved();
        })
    }

    /// How long syncs take lately; zero where there was none yet.
    pub(super) fn sync_time(&self) -> Duration {
        self.sync_time.get()
    }

    /// Waits for as many records as the last flush has made durable and those who came while it ran,
    /// unless told to stop.
    pub(super) fn wait(&self, log: &dyn Flush, woken: u64, stopping: impl Fn() -> bool) {
        let all = woken + self.behind.load(Ordering::Relaxed);
        let staged = || log.staged().since(log.durable());
        doze(self.patience(self.sync_time()), || staged() >= all || stopping());
        self.came(staged(), all);
    }

    fn patience(&self, sync: Duration) -> Duration {
        if self.trust.load(Ordering::Relaxed) < ENOUGH { sync / 8 } else { sync / 2 }
    }

    /// Of one leader at a time.
    fn came(&self, staged: u64, all: u64) {
        let trust = self.trust.load(Ordering::Relaxed);
        let trust = if staged >= all { MOST.min(trust + 1) } else { trust / 2 };
        self.trust.store(trust, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_millis(8);
    const SHORT: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_millis(4);

    /// With one short wait for all, 1024 tasks on a disk of 10 ms had one round in a hundred in which
    /// most of them were late and waited for two syncs.
    #[test]
    fn those_who_always_come_back_are_waited_for_longer() {
        let gather = Gather::default();
        for _ in 0..ENOUGH {
            assert_eq!(gather.patience(SYNC), SHORT);
            gather.came(64, 64);
        }
        for _ in 0..100 {
            (0..20).for_each(|_| gather.came(64, 64));
            assert_eq!(gather.patience(SYNC), LONG);
            gather.came(63, 64);
            assert_eq!(gather.patience(SYNC), LONG, "one was held up, once");
        }
    }

    #[test]
    fn those_who_do_not_come_back_are_waited_for_in_vain_twice() {
        let gather = Gather::default();
        (0..1000).for_each(|_| gather.came(64, 64));
        let long = (0..1000).filter(|_| {
            let patience = gather.patience(SYNC);
            gather.came(5, 40);
            patience == LONG
        });
        assert_eq!(long.count(), 2);
        // Every other time.
        for _ in 0..1000 {
            gather.came(40, 40);
            gather.came(5, 40);
            assert_eq!(gather.patience(SYNC), SHORT);
        }
    }
}
