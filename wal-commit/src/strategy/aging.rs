//! [`Aging`]: a thread that flushes records of a certain age, or of a certain number.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use wal_core::{Flush, Lsn, Result};

use super::is_final;
use super::worker::{FULL_DISK, Rest, Worker};
use crate::sync::{AtomicBool, AtomicU64, fence};

/// What a full disk has taken is not synced more often than this, whatever the bound.
const SHORTEST: Duration = Duration::from_micros(100);

/// When a flush is due. Both are triggers and not caps: a flush takes along whatever is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trigger {
    /// The age of the oldest record that is not durable.
    pub(super) age: Duration,
    /// The number of records that are not durable.
    pub(super) records: u64,
    /// How often what found room on a full disk meanwhile is synced.
    pub(super) again: Duration,
}

impl Trigger {
    /// How long until a flush is due; zero for now.
    pub(super) fn due_in(&self, age: Duration, records: u64) -> Duration {
        if records >= self.records { Duration::ZERO } else { self.age.saturating_sub(age) }
    }
}

/// A thread that flushes when a [`Trigger`] says so. Ages count from the moment of staging, also
/// while the flush before is under way.
#[derive(Debug)]
pub(super) struct Aging {
    worker: Worker,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    trigger: Trigger,
    began: Instant,
    /// When the oldest record was staged that no flush has taken: nanoseconds since `began`, or 0.
    oldest: AtomicU64,
    /// Whether the thread has been told that there are enough records, since it last looked.
    told: AtomicBool,
    /// Whether a task waits for what is staged to be written.
    wanted: AtomicBool,
}

impl Aging {
    pub(super) fn new(trigger: Trigger) -> Self {
        let (oldest, began) = (AtomicU64::new(0), Instant::now());
        let (told, wanted) = (AtomicBool::new(false), AtomicBool::new(false));
        let shared = Shared { trigger, began, oldest, told, wanted };
        Self { worker: Worker::default(), shared: Arc::new(shared) }
    }

    pub(super) fn start(&self, name: &str, log: Arc<dyn Flush>) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        self.worker.start(name, log, move |log, rest| shared.run(log, rest))
    }

    /// A record is staged; `pending` are not durable.
    #[inline]
    pub(super) fn staged(&self, pending: u64) {
        self.shared.note();
        // There is a fence in here, and one between the thread's clearing of `told` and its look at
        // the log: who finds the flag set has staged before a look that is still to come.
        self.worker.rouse();
        let told = &self.shared.told;
        if pending >= self.shared.trigger.records
            && !told.load(Ordering::Relaxed)
            && !told.swap(true, Ordering::Relaxed)
        {
            self.worker.wake();
        }
    }

    /// Somebody waits.
    pub(super) fn hurry(&self) {
        self.worker.hurry();
    }

    /// A task waits for what is staged to be written, which may block.
    pub(super) fn write_soon(&self) {
        self.shared.wanted.store(true, Ordering::Release);
        // What ends one pause of many does not end the time for which a full disk is left alone.
        self.worker.hurry();
        self.worker.wake();
    }

    pub(super) fn stop(&self) {
        self.worker.stop();
    }
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    fn note(&self) {
        // `Relaxed`: a mark that is set or cleared a little early or late moves a flush by as much.
        if self.oldest.load(Ordering::Relaxed) == 0 {
            self.oldest.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Leaves a full disk alone, but for this: an append or a wait that writes by itself may find room
    /// meanwhile, and what that acknowledges is to be durable in time, too.
    fn leave_full_disk(&self, log: &dyn Flush, rest: &Rest) -> Result<()> {
        let again = self.trigger.again.max(SHORTEST);
        let pauses = FULL_DISK.as_nanos() / again.as_nanos();
        rest.leave_full_disk_in(pauses.max(1), again, || {
            if log.written() > log.durable() { log.sync() } else { Ok(()) }
        })
    }

    fn run(&self, log: &dyn Flush, rest: &Rest) {
        while !rest.stopping() {
            self.told.store(false, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if self.wanted.swap(false, Ordering::AcqRel)
                && let Err(error) = log.write()
            {
                if is_final(&error) {
                    return;
                }
                // The task that waits for room goes on waiting, and nobody asks again for it.
                self.wanted.store(true, Ordering::Release);
                if self.leave_full_disk(log, rest).is_err_and(|error| is_final(&error)) {
                    return;
                }
                continue;
            }
            let pending = pending(log);
            if pending == 0 {
                self.oldest.store(0, Ordering::Relaxed);
                rest.rest(|| log.staged() > log.durable() || self.wanted.load(Ordering::Acquire));
                continue;
            }
            self.note();
            let age = self.now().saturating_sub(self.oldest.load(Ordering::Relaxed));
            let due_in = self.trigger.due_in(Duration::from_nanos(age), pending);
            if !due_in.is_zero() {
                rest.pause(due_in);
                continue;
            }
            let oldest = self.oldest.swap(0, Ordering::Relaxed);
            let flushed = log.write().and_then(|()| log.sync());
            if let Err(error) = flushed {
                if is_final(&error) {
                    return;
                }
                // What is left over keeps its age: it is due as soon as the disk was left alone.
                self.oldest.store(oldest, Ordering::Relaxed);
                if self.leave_full_disk(log, rest).is_err_and(|error| is_final(&error)) {
                    return;
                }
            }
        }
    }
}

fn pending(log: &dyn Flush) -> u64 {
    log.staged().since(log.durable())
}

/// How many records through `lsn` are not durable.
pub(super) fn pending_at(log: &dyn Flush, lsn: Lsn) -> u64 {
    lsn.since(log.durable())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use wal_core::{Error, ErrorKind};

    use super::*;
    use crate::sync::Mutex;

    /// A log without room for its second record, whose first is written; each call is told, and waits.
    struct Full {
        called: Sender<&'static str>,
        goes_on: Mutex<Receiver<()>>,
    }

    impl Full {
        fn call(&self, what: &'static str) {
            self.called.send(what).ok();
            crate::flusher::lock(&self.goes_on).recv().ok();
        }
    }

    impl Flush for Full {
        fn staged(&self) -> Lsn {
            Lsn::new(2)
        }

        fn written(&self) -> Lsn {
            Lsn::new(1)
        }

        fn durable(&self) -> Lsn {
            Lsn::ZERO
        }

        fn write(&self) -> Result<()> {
            self.call("write");
            Err(Error::new(ErrorKind::StorageFull, "no room"))
        }

        fn sync(&self) -> Result<()> {
            self.call("sync");
            Ok(())
        }

        fn sync_then(&self, _: &mut dyn FnMut()) -> Result<()> {
            self.sync()
        }

        fn abandon(&self, _: Error) {}
    }

    /// A task that waited on a full disk, under a short bound, was told up to a second later whether there
    /// is room: its wake ended one of the many short pauses, and not the time for which the thread leaves
    /// the disk alone. Found by reading.
    #[test]
    fn a_task_that_waits_has_a_full_disk_asked_at_once() {
        let (called, calls) = channel();
        let (go_on, goes_on) = channel();
        let aging =
            Aging::new(Trigger { age: Duration::ZERO, records: u64::MAX, again: Duration::ZERO });
        let log = Full { called, goes_on: Mutex::new(goes_on) };
        aging.start("wal-test", Arc::new(log)).unwrap();
        assert_eq!(calls.recv(), Ok("write"));
        for _ in 0..3 {
            go_on.send(()).unwrap();
            assert_eq!(calls.recv(), Ok("sync"), "what is written is synced meanwhile");
            go_on.send(()).unwrap();
            assert_eq!(calls.recv(), Ok("sync"), "and nothing is asked of the disk besides");
            aging.write_soon();
            go_on.send(()).unwrap();
            assert_eq!(calls.recv(), Ok("write"));
        }
        drop(go_on);
        aging.stop();
    }

    /// 99 records and 9 ms: nothing. The hundredth record, or the tenth millisecond: a flush.
    #[test]
    fn either_condition_is_enough() {
        let again = Duration::from_secs(1);
        let trigger = Trigger { age: Duration::from_millis(10), records: 100, again };
        let ms = Duration::from_millis;
        assert_eq!(trigger.due_in(ms(9), 99), ms(1));
        assert_eq!(trigger.due_in(ms(0), 100), Duration::ZERO);
        assert_eq!(trigger.due_in(ms(0), 5000), Duration::ZERO);
        assert_eq!(trigger.due_in(ms(10), 1), Duration::ZERO);
        assert_eq!(trigger.due_in(ms(60), 1), Duration::ZERO);
    }
}
