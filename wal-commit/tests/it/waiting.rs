//! Waiting, blocking and async, and the watermark that is waited for.

use std::future::Future;

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Wake, Waker};
use std::thread;

use wal_commit::{GroupCommit, Os, Pipeline, Sync};
use wal_core::{
    Acknowledgement, CommitStrategy, Error, ErrorKind, Flush, Lsn, Result, Waiter, Watermark,
};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{Hooked, Step, left_of, one_segment, start};
use crate::{eventually, within};

fn log(strategy: impl CommitStrategy + 'static) -> (SimDisk, Arc<Pipeline>) {
    let disk = SimDisk::new(Profile::STRICT);
    let log = start(SimStore::new(disk.clone()), Arc::new(strategy), one_segment()).unwrap();
    (disk, log)
}

#[test]
fn a_wait_for_an_lsn_never_issued_is_an_error() {
    let logs = [log(GroupCommit::new()).1, log(Sync::new()).1, log(Os::new()).1];
    for log in logs {
        log.append(b"one").unwrap();
        let (blocking, task) = (Arc::clone(&log), Arc::clone(&log));
        let errors = [
            within("a blocking wait", move || blocking.wait(Lsn::new(2)).unwrap_err()),
            within("a task's wait", move || {
                pollster::block_on(task.wait_async(Lsn::MAX)).unwrap_err()
            }),
        ];
        for (error, lsn) in errors.into_iter().zip([Lsn::new(2), Lsn::MAX]) {
            assert_eq!((error.kind(), error.at_lsn()), (ErrorKind::Invalid, Some(lsn)), "{error}");
        }
        // Issued later, it can be waited for.
        assert_eq!(log.append(b"two").unwrap(), Lsn::new(2));
        log.wait(Lsn::new(2)).unwrap();
    }
}

#[test]
fn waiting_for_nothing_is_no_wait() {
    let (_, log) = log(GroupCommit::new());
    log.wait(Lsn::ZERO).unwrap();
    pollster::block_on(log.wait_async(Lsn::ZERO)).unwrap();
    assert_eq!(log.syncs(), 0);
}

/// No timing in here: it ends as soon as the helper thread has done it.
#[test]
fn a_record_that_nobody_waits_for_becomes_durable() {
    let (disk, log) = log(GroupCommit::new());
    for round in 1..=3 {
        log.append(b"alone").unwrap();
        eventually("a record nobody waits for", || log.durable_lsn() == Lsn::new(round));
        assert_eq!(left_of(&disk).last_lsn(), Lsn::new(round));
    }
}

#[test]
fn a_dropped_future_neither_loses_nor_stalls() {
    let (disk, log) = log(GroupCommit::new());
    let poll = |lsn| {
        let mut wait = log.wait_async(lsn);
        let polled = Pin::new(&mut wait).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready() || polled.is_pending());
    };
    for _ in 0..100 {
        drop(log.wait_async(log.append(b"never polled").unwrap()));
        poll(log.append(b"polled once").unwrap());
    }
    let waiting = Arc::clone(&log);
    within("a wait behind dropped ones", move || waiting.wait(Lsn::new(200)).unwrap());
    assert_eq!(left_of(&disk).records.len(), 200);
}

/// Every thread waits for each of its records, some blocking, some as tasks; each acknowledgement
/// is held against the disk.
#[test]
fn threads_and_tasks_wait_side_by_side() {
    let (disk, log) = log(GroupCommit::new());
    thread::scope(|scope| {
        for name in 0..6_u8 {
            let (log, disk) = (&log, &disk);
            scope.spawn(move || {
                for n in 0..20_u8 {
                    let lsn = log.append(&[name, n]).unwrap();
                    match name % 3 {
                        0 => log.wait(lsn).unwrap(),
                        1 => pollster::block_on(log.wait_async(lsn)).unwrap(),
                        _ => log.wait_async(lsn).wait().unwrap(),
                    }
                    assert_eq!(left_of(disk).record(lsn), [name, n]);
                }
            });
        }
    });
    assert!(log.syncs() <= 120);
    assert_eq!(log.durable_lsn(), Lsn::new(120));
}

/// The waker of one task panics; the others are woken all the same, and so is the thread.
#[test]
fn a_waker_that_panics_wakes_the_others() {
    struct Bell(AtomicU64);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            assert!(self.0.fetch_add(1, Ordering::SeqCst) < 100, "the bell breaks");
        }
    }
    let mark = Watermark::new(Lsn::ZERO);
    let bells = [0, 100, 0, 100, 0].map(|rung| Arc::new(Bell(AtomicU64::new(rung))));
    let mut waits: Vec<_> = bells.iter().map(|_| Box::pin(mark.reached(Lsn::FIRST))).collect();
    for (wait, bell) in waits.iter_mut().zip(&bells) {
        let waker = Waker::from(Arc::clone(bell));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    // The panic is the waker's own affair, told by the hook for panics: the thread that wakes it is
    // another's.
    mark.publish(Lsn::FIRST);
    assert_eq!(bells.map(|bell| bell.0.load(Ordering::SeqCst)), [1, 101, 1, 101, 1]);
    assert_eq!(mark.get(), Lsn::FIRST);
}

/// Two rejections before a waiter looks: it gets one error, the newer one. A truncation's error is
/// hidden by none: "wait again" must not be said of a record that is no more.
#[test]
fn a_rejection_is_replaced_by_the_next_and_hides_no_truncation() {
    let error = |what: &'static str| Error::new(ErrorKind::StorageFull, what);
    let mark = Watermark::new(Lsn::new(5));
    let mut context = Context::from_waker(Waker::noop());
    let mut wait = Box::pin(mark.reached(Lsn::new(7)));
    assert!(wait.as_mut().poll(&mut context).is_pending());
    mark.reject(error("first"));
    mark.reject(error("second"));
    assert_eq!(pollster::block_on(wait).unwrap_err().what(), "second");

    let mut wait = Box::pin(mark.reached(Lsn::new(7)));
    assert!(wait.as_mut().poll(&mut context).is_pending());
    mark.reset(Lsn::new(3), Error::new(ErrorKind::NotFound, "cut"));
    mark.reject(error("third"));
    assert_eq!(pollster::block_on(wait).unwrap_err().what(), "cut");
}

#[test]
fn a_reset_after_a_failure_moves_nothing() {
    let mark = Watermark::new(Lsn::new(5));
    mark.fail(Error::new(ErrorKind::Io, "gone"));
    for lsn in [0, 9] {
        mark.reset(Lsn::new(lsn), Error::new(ErrorKind::NotFound, "cut"));
        assert_eq!(mark.get(), Lsn::new(5));
    }
    let error = mark.wait(Lsn::new(6), || Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
}

/// Who is woken by a sync may sync at once, and the strategy has been told before that it may go on.
#[test]
fn a_waker_may_sync() {
    #[derive(Debug, Default)]
    struct Tells(OnceLock<Driven>);
    struct Driven(Arc<dyn Flush>);
    impl std::fmt::Debug for Driven {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Driven")
        }
    }
    impl CommitStrategy for Tells {
        fn acknowledges(&self) -> Acknowledgement {
            Acknowledgement::Durable
        }
        fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
            self.0.get_or_init(|| Driven(log));
            Ok(())
        }
        fn staged(&self, _: Lsn, _: Waiter) -> Result<()> {
            Ok(())
        }
        fn waiting(&self, lsn: Lsn, _: Waiter) -> Result<()> {
            let Driven(log) = self.0.get().unwrap();
            let mut told = 0;
            log.write()?;
            log.sync_then(&mut || {
                assert!(log.durable() >= lsn, "told before the mark moved");
                told += 1;
            })?;
            assert_eq!(told, 1);
            Ok(())
        }
        fn stop(&self) {}
    }
    struct Syncs(Arc<Pipeline>);
    impl Wake for Syncs {
        fn wake(self: Arc<Self>) {
            self.0.append(b"next").unwrap();
            self.0.sync().unwrap();
        }
    }
    let (disk, log) = log(Tells::default());
    let first = log.append(b"first").unwrap();
    let waits = Arc::clone(&log);
    within("a sync in a waker", move || {
        let waker = Waker::from(Arc::new(Syncs(Arc::clone(&waits))));
        let mut wait = Box::pin(waits.wait_async(first));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    });
    assert_eq!(left_of(&disk).last_lsn(), Lsn::new(2));
    log.close().unwrap();
}

/// The helper has led for a task; then a lone thread leads for itself again, with no hand-off.
#[test]
fn a_lone_writer_leads_again() {
    let disk = SimDisk::new(Profile::STRICT);
    let synced_by = Arc::new(Mutex::new(None));
    let by = Arc::clone(&synced_by);
    let store = Hooked::new(SimStore::new(disk), move |step| {
        if matches!(step, Step::Sync(_)) {
            *by.lock().unwrap() = Some(thread::current().id());
        }
        Ok(())
    });
    let log = start(store, Arc::new(GroupCommit::new()), one_segment()).unwrap();
    let lsn = log.append(b"for a task").unwrap();
    pollster::block_on(log.wait_async(lsn)).unwrap();
    assert_ne!(*synced_by.lock().unwrap(), Some(thread::current().id()));
    eventually("a sync of its own", || {
        let lsn = log.append(b"for itself").unwrap();
        log.wait(lsn).unwrap();
        *synced_by.lock().unwrap() == Some(thread::current().id())
    });
    log.close().unwrap();
}
