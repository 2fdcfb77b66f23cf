//! The store fails: the log is poisoned, once and for all.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use wal_commit::{FlushThread, GroupCommit, Os, Parallel, Pipeline, Pipelined, Sync};
use wal_core::{Acknowledgement, CommitStrategy, Error, ErrorKind, Flush, Lsn, SegmentId, Waiter};
use wal_testkit::{Call, Fault, FaultRule, Profile, SimDisk, SimStore};

use crate::common::{Hooked, Step, left_of, one_segment, says, small_segments, start};
use crate::{Gate, eventually, within};

fn log(strategy: impl CommitStrategy + 'static) -> (SimDisk, Arc<Pipeline>) {
    let disk = SimDisk::new(Profile::STRICT);
    let log = start(SimStore::new(disk.clone()), Arc::new(strategy), one_segment()).unwrap();
    (disk, log)
}

fn is_poison(error: &Error, cause: &str) {
    assert_eq!(error.kind(), ErrorKind::Poisoned, "{error:?}");
    assert!(says(error, cause), "{error:?} does not say {cause:?}");
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_the_first_cause_stays() {
    let (disk, log) = log(GroupCommit::new());
    log.append(b"durable").unwrap();
    log.wait(Lsn::new(1)).unwrap();
    disk.fail(FaultRule::next(Call::Sync, Fault::Dropped));
    let lost = log.append(b"lost").unwrap();
    is_poison(&log.wait(lost).unwrap_err(), "is forgotten");

    // The disk is well again, and would say so to another sync.
    let counts = disk.counts();
    let (blocking, task) = (Arc::clone(&log), Arc::clone(&log));
    let errors = [
        log.append(b"later").unwrap_err(),
        log.append_batch(&[b"later"]).unwrap_err(),
        within("a wait", move || blocking.wait(lost).unwrap_err()),
        within("a task", move || pollster::block_on(task.wait_async(lost)).unwrap_err()),
        log.sync().unwrap_err(),
        log.close().unwrap_err(),
    ];
    for error in &errors {
        is_poison(error, "is forgotten");
    }
    assert_eq!(disk.counts(), counts, "nothing is tried again");

    // What was acknowledged stays so, and the watermarks stand.
    log.wait(Lsn::new(1)).unwrap();
    assert_eq!(
        (log.durable_lsn(), log.written_lsn(), log.staged_lsn()),
        (Lsn::new(1), Lsn::new(2), Lsn::new(2))
    );
    let unissued = log.wait(Lsn::new(3)).unwrap_err();
    assert_eq!(unissued.kind(), ErrorKind::Invalid, "no poison to blame: {unissued:?}");
    assert_eq!(left_of(&disk).records, [b"durable"]);
}

/// The sync fails while others are in the queue: a thread that leads, a task, and one that polls
/// only later.
#[test]
fn a_failure_reaches_those_who_wait_already() {
    let gate = Arc::new(Gate::default());
    let stop = Arc::clone(&gate);
    let syncs = AtomicU64::new(0);
    let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), move |step| {
        // The first is the header's.
        if matches!(step, Step::Sync(_)) && syncs.fetch_add(1, Ordering::Relaxed) == 1 {
            stop.pass();
            return Err(io::Error::other("the first cause"));
        }
        Ok(())
    });
    let log = start(store, Arc::new(GroupCommit::new()), one_segment()).unwrap();
    let leading = Arc::clone(&log);
    let leader = thread::spawn(move || leading.wait(leading.append(b"one").unwrap()));
    gate.reached();
    let lsn = log.append(b"two").unwrap();
    let mut late = log.wait_async(lsn);
    assert!(Pin::new(&mut late).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let queued = Arc::clone(&log);
    let follower = thread::spawn(move || queued.wait(lsn));
    let queued = Arc::clone(&log);
    let task = thread::spawn(move || pollster::block_on(queued.wait_async(lsn)));
    gate.open();
    for waiter in [leader, follower, task] {
        let error = within("a waiter", move || waiter.join().unwrap().unwrap_err());
        is_poison(&error, "the first cause");
    }
    is_poison(&pollster::block_on(late).unwrap_err(), "the first cause");
}

/// A part that panics is no hang: whoever waits gets an error, whichever thread it was that died.
#[test]
fn a_panicking_store_reaches_everyone() {
    type Dies = fn(Step) -> bool;
    let steps: [(&str, Dies); 3] = [
        ("create", |step| matches!(step, Step::Create(_))),
        ("append", |step| matches!(step, Step::Append(_, 4096))),
        ("sync", |step| matches!(step, Step::Synced(_))),
    ];
    let strategies: [fn() -> Arc<dyn CommitStrategy>; 4] = [
        || Arc::new(GroupCommit::new()),
        || Arc::new(FlushThread::with_trigger(Duration::ZERO, 1)),
        || Arc::new(Pipelined::new()),
        || Arc::new(Parallel::new(2)),
    ];
    for (strategy, (name, dies)) in strategies.iter().flat_map(|s| steps.map(|step| (s, step))) {
        let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), move |step| {
            assert!(!dies(step), "the store dies");
            Ok(())
        });
        let log = start(store, strategy(), one_segment()).unwrap();
        // A thread of the strategy's own flushes for a task, and dies of it; perhaps before the
        // append has returned.
        let lsn = log.append(b"record").unwrap();
        let task = Arc::clone(&log);
        let error = within(name, move || pollster::block_on(task.wait_async(lsn)).unwrap_err());
        is_poison(&error, "panicked");
        let waiting = Arc::clone(&log);
        is_poison(&within(name, move || waiting.wait(lsn).unwrap_err()), "panicked");
        is_poison(&log.append(b"more").unwrap_err(), "panicked");
        is_poison(&within(name, move || log.close().unwrap_err()), "panicked");
    }
}

/// A strategy whose own code panics on its own thread: the log does not wait for a flusher that is
/// no more.
#[test]
fn a_flusher_that_dies_reaches_everyone() {
    /// Syncs well once, and then loses its mind.
    #[derive(Default)]
    struct Mortal {
        log: std::sync::OnceLock<Arc<dyn Flush>>,
    }

    impl std::fmt::Debug for Mortal {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Mortal")
        }
    }

    impl CommitStrategy for Mortal {
        fn acknowledges(&self) -> Acknowledgement {
            Acknowledgement::Durable
        }

        fn start(&self, log: Arc<dyn Flush>) -> wal_core::Result<()> {
            self.log.set(log).map_err(|_| Error::new(ErrorKind::Invalid, "started twice"))
        }

        fn staged(&self, _lsn: Lsn, _: Waiter) -> wal_core::Result<()> {
            Ok(())
        }

        fn waiting(&self, lsn: Lsn, _waiter: Waiter) -> wal_core::Result<()> {
            let log = Arc::clone(self.log.get().unwrap());
            thread::spawn(move || {
                if lsn > Lsn::FIRST {
                    log.abandon(Error::new(ErrorKind::Io, "the flusher lost its mind"));
                    return;
                }
                log.write().and_then(|()| log.sync()).unwrap();
            });
            Ok(())
        }

        fn stop(&self) {}
    }

    let (disk, log) = log(Mortal::default());
    let lsn = log.append(b"well").unwrap();
    log.wait(lsn).unwrap();
    let lsn = log.append(b"ill").unwrap();
    let waiting = Arc::clone(&log);
    let error = within("a thread", move || waiting.wait(lsn).unwrap_err());
    is_poison(&error, "lost its mind");
    let task = Arc::clone(&log);
    let error = within("a task", move || pollster::block_on(task.wait_async(lsn)).unwrap_err());
    is_poison(&error, "lost its mind");
    is_poison(&log.append(b"more").unwrap_err(), "lost its mind");
    assert_eq!(left_of(&disk).records, [b"well"]);
}

/// The thread that leads dies, and takes nobody along.
#[test]
fn a_panicking_leader_leaves_nobody_waiting() {
    let gate = Arc::new(Gate::default());
    let stop = Arc::clone(&gate);
    let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), move |step| {
        if matches!(step, Step::Append(_, 4096)) {
            stop.pass();
            panic!("the store dies");
        }
        Ok(())
    });
    let log = start(store, Arc::new(GroupCommit::new()), one_segment()).unwrap();
    let leading = Arc::clone(&log);
    let leader = thread::spawn(move || leading.wait(leading.append(b"one").unwrap()));
    gate.reached();
    let (following, lsn) = (Arc::clone(&log), log.append(b"two").unwrap());
    let follower = thread::spawn(move || following.wait(lsn));
    gate.open();
    assert!(leader.join().is_err(), "the panic stays with the one it came to");
    let error = within("a follower", move || follower.join().unwrap().unwrap_err());
    is_poison(&error, "panicked");
}

/// A destructor that uses the log while its thread unwinds from a panic of quite another kind.
#[test]
fn a_panic_elsewhere_does_not_poison() {
    struct Goodbye(Arc<Pipeline>);
    impl Drop for Goodbye {
        fn drop(&mut self) {
            let lsn = self.0.append(b"goodbye").unwrap();
            self.0.wait(lsn).unwrap();
        }
    }
    let (disk, log) = log(GroupCommit::new());
    let goodbye = Goodbye(Arc::clone(&log));
    let panicking = thread::spawn(move || {
        let _goodbye = goodbye;
        panic!("something else");
    });
    assert!(panicking.join().is_err());
    assert_eq!(log.append(b"and on").unwrap(), Lsn::new(2));
    log.wait(Lsn::new(2)).unwrap();
    assert_eq!(left_of(&disk).records.len(), 2);
}

/// The writer that fails at the seal of a segment has let go of that segment. Another thread that
/// stood behind it used to go on in a new segment, whose header named the predecessor of the one
/// that had failed, and cut the records in between off: acknowledged ones.
#[test]
fn nobody_writes_on_behind_a_failed_seal() {
    for fault in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
        let disk = SimDisk::new(Profile::STRICT);
        let gate = Arc::new(Gate::default());
        let stop = Arc::clone(&gate);
        // Under `Os` only the end of a segment syncs: first the frames, then the seal.
        let syncs = AtomicU64::new(0);
        let store = Hooked::new(SimStore::new(disk.clone()), move |step| {
            if step == Step::Sync(SegmentId::FIRST) && syncs.fetch_add(1, Ordering::Relaxed) == 2 {
                stop.pass();
                return Err(io::Error::new(fault, "the seal's sync fails"));
            }
            Ok(())
        });
        let log = start(store, Arc::new(Os::new()), small_segments()).unwrap();
        let first = Arc::clone(&log);
        let first = thread::spawn(move || while first.append(b"more").is_ok() {});
        gate.reached();
        let (durable, staged) = (log.durable_lsn(), log.staged_lsn());
        assert!(durable >= Lsn::FIRST, "the frames are synced, the seal is not");
        let second = Arc::clone(&log);
        let second = thread::spawn(move || while second.append(b"more").is_ok() {});
        eventually("an append behind the seal", || log.staged_lsn() > staged);
        gate.open();
        within("the appends", move || [first, second].map(|thread| thread.join().unwrap()));
        assert_eq!(log.append(b"more").unwrap_err().kind(), ErrorKind::Poisoned);
        drop(log);
        assert!(left_of(&disk).last_lsn() >= durable, "acknowledged records are cut off");
    }
}

/// Who has been told of the poison cannot append any more, not even at that very moment; and under
/// `Sync`, what an append returned is on disk.
#[test]
fn many_threads_see_one_poison() {
    let (disk, log) = log(Sync::new());
    disk.fail(FaultRule::next(Call::Sync, Fault::Io).after(40));
    let acknowledged = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let error = loop {
                    match log.append(b"record") {
                        Ok(lsn) => acknowledged.lock().unwrap().push(lsn),
                        Err(error) => break error,
                    }
                };
                is_poison(&error, "EIO");
                is_poison(&log.append(b"again").unwrap_err(), "EIO");
            });
        }
    });
    let last = acknowledged.into_inner().unwrap().into_iter().max().unwrap();
    assert!(left_of(&disk).last_lsn() >= last);
}

/// A log on which everything fails, with something to write and something to sync.
struct Dead;

impl Flush for Dead {
    fn staged(&self) -> Lsn {
        Lsn::new(2)
    }

    fn written(&self) -> Lsn {
        Lsn::FIRST
    }

    fn durable(&self) -> Lsn {
        Lsn::ZERO
    }

    fn write(&self) -> wal_core::Result<()> {
        Err(Error::new(ErrorKind::Poisoned, "dead"))
    }

    fn sync(&self) -> wal_core::Result<()> {
        self.write()
    }

    fn sync_then(&self, _: &mut dyn FnMut()) -> wal_core::Result<()> {
        self.write()
    }

    fn abandon(&self, _: Error) {}
}

/// A poisoned log is nobody's to flush: the threads of a strategy end, and do not wake for it again.
#[test]
fn no_thread_stays_with_a_poisoned_log() {
    fn ends(strategy: &impl CommitStrategy, kept: usize) {
        let log = Arc::new(Dead);
        strategy.start(Arc::clone(&log) as Arc<dyn Flush>).unwrap();
        eventually("the end of the threads", || Arc::strong_count(&log) == 1 + kept);
        strategy.stop();
    }
    // The log is kept by those strategies that also flush, or count, on the threads of others.
    ends(&GroupCommit::new(), 1);
    ends(&FlushThread::with_trigger(Duration::ZERO, 1), 1);
    ends(&Pipelined::new(), 0);
    ends(&Parallel::new(2), 0);
}
