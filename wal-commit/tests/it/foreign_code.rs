//! Other people's code runs with no turn and no lock of the log in hand.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use wal_commit::{
    FlushThread, GroupCommit, Interval, Options, Os, Parallel, Pipeline, Pipelined, Sync, WhenFull,
};
use wal_core::format::Start;
use wal_core::{
    Acknowledgement, CommitStrategy, ErrorKind, Flush, Lsn, Result, Resume, SegmentId, Uncut,
    Waiter,
};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{Hooked, Step, left_of, one_segment, start};
use crate::{eventually, within};

fn many_segments() -> Options {
    let mut options = Options::default();
    (options.segment_size, options.frame_size) = (16 << 10, 1000);
    options
}

fn strategies() -> Vec<Arc<dyn CommitStrategy>> {
    vec![
        Arc::new(GroupCommit::new()),
        Arc::new(Pipelined::new()),
        Arc::new(Parallel::new(2)),
        Arc::new(Sync::new()),
        Arc::new(Interval::new(Duration::from_millis(20))),
        Arc::new(Os::new()),
    ]
}

/// Wakers ran within the turn at writing where a segment ended, or under strategies that acknowledge
/// what is written: one that synced hung the log.
#[test]
fn waker_under_lock() {
    struct Syncs(Arc<Pipeline>, AtomicBool);
    impl Wake for Syncs {
        fn wake(self: Arc<Self>) {
            self.0.append(b"from a waker").unwrap();
            self.0.sync().unwrap();
            self.1.store(true, Ordering::SeqCst);
        }
    }
    for strategy in strategies() {
        let name = format!("{strategy:?}");
        let store = SimStore::new(SimDisk::new(Profile::STRICT));
        let log = start(store, strategy, many_segments()).unwrap();
        let bell = Arc::new(Syncs(Arc::clone(&log), AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&bell));
        // Of a record to come, which is the last of several segments' worth that go out in one turn.
        log.append(&[0; 900]).unwrap();
        let mut wait = pin!(log.wait_async(Lsn::FIRST));
        let polled = wait.as_mut().poll(&mut Context::from_waker(&waker));
        let batch = vec![vec![0; 900]; 40];
        for record in &batch {
            log.append(record).unwrap();
        }
        let syncing = Arc::clone(&log);
        within(&name, move || syncing.sync()).unwrap();
        if polled.is_pending() {
            eventually(&name, || bell.1.load(Ordering::SeqCst));
        }
        let closing = Arc::clone(&log);
        within(&name, move || closing.close()).unwrap();
        drop(bell);
    }
}

/// One waker that panicked poisoned the log for everybody, though all bytes were sound.
#[test]
fn panicking_waker() {
    struct Bell;
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new("the bell breaks"));
        }
    }
    for strategy in strategies() {
        let name = format!("{strategy:?}");
        let disk = SimDisk::new(Profile::STRICT);
        let log = start(SimStore::new(disk.clone()), strategy, one_segment()).unwrap();
        let lsn = log.append(b"record").unwrap();
        let mut wait = pin!(log.wait_async(lsn));
        let waker = Waker::from(Arc::new(Bell));
        let _ = wait.as_mut().poll(&mut Context::from_waker(&waker));
        log.sync().unwrap();
        let last = log.append(b"more").unwrap();
        let waiting = Arc::clone(&log);
        within(&name, move || waiting.wait(last)).unwrap();
        log.close().unwrap();
        assert_eq!(left_of(&disk).last_lsn(), last, "{name}");
    }
}

/// `append_batch` asked the caller's records for their bytes under the stage's lock: one that looked at
/// the log hung it.
#[test]
fn as_ref_reenters() {
    struct Record(Arc<Pipeline>);
    impl AsRef<[u8]> for Record {
        fn as_ref(&self) -> &[u8] {
            let _ = self.0.staged_lsn();
            b"record"
        }
    }
    let store = SimStore::new(SimDisk::new(Profile::STRICT));
    let log = start(store, Arc::new(GroupCommit::new()), one_segment()).unwrap();
    let batch = [Record(Arc::clone(&log)), Record(Arc::clone(&log))];
    let appends = Arc::clone(&log);
    let lsns = within("a batch", move || appends.append_batch(&batch).unwrap());
    assert_eq!(lsns, (Lsn::FIRST, Lsn::new(2)));
}

/// A second log under one strategy was accepted by `Pipelined` and `Parallel`, and never flushed.
#[test]
fn strategy_twice() {
    for strategy in strategies() {
        let open = || {
            let store = SimStore::new(SimDisk::new(Profile::STRICT));
            start(store, Arc::clone(&strategy), one_segment())
        };
        let first = open().unwrap();
        assert_eq!(open().unwrap_err().kind(), ErrorKind::Invalid, "{strategy:?}");
        let lsn = first.append(b"the first goes on").unwrap();
        let waiting = Arc::clone(&first);
        within(&format!("{strategy:?}"), move || waiting.wait(lsn)).unwrap();
        first.close().unwrap();
    }
}

/// Too many open files, once, where a segment ended, poisoned the log for good.
#[test]
fn transient_create() {
    for cause in [io::Error::from_raw_os_error(24), io::ErrorKind::OutOfMemory.into()] {
        let disk = SimDisk::new(Profile::STRICT);
        let cause = Mutex::new(Some(cause));
        let store = Hooked::new(SimStore::new(disk.clone()), move |step| match step {
            Step::Create(id) if id.get() > 1 => cause.lock().unwrap().take().map_or(Ok(()), Err),
            _ => Ok(()),
        });
        let log = start(store, Arc::new(Sync::new()), many_segments()).unwrap();
        let mut refused = 0;
        for _ in 0..40 {
            if let Err(error) = log.append(&[0; 900]) {
                assert_eq!(error.kind(), ErrorKind::StorageFull, "{error:?}");
                refused += 1;
            }
        }
        assert_eq!(refused, 1);
        log.close().unwrap();
        assert_eq!(left_of(&disk).last_lsn(), Lsn::new(40));
    }
}

/// A prune that found no room for its few bytes told those who waited for records that there was no room
/// for them. There is no segment here, whose start the log's anchor could name without room.
#[test]
fn prune_rejects_waiters() {
    let full = Arc::new(AtomicBool::new(false));
    let is_full = Arc::clone(&full);
    let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), move |step| match step {
        Step::Create(_) if is_full.load(Ordering::SeqCst) => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    });
    let log = start(store, Arc::new(Idle), one_segment()).unwrap();
    let lsn = log.append(b"staged").unwrap();
    let mut waits = pin!(log.wait_async(lsn));
    let mut context = Context::from_waker(Waker::noop());
    assert!(waits.as_mut().poll(&mut context).is_pending());
    full.store(true, Ordering::SeqCst);
    let start = Start { segment: SegmentId::FIRST, lsn: Lsn::FIRST };
    assert_eq!(log.set_start(start).unwrap_err().kind(), ErrorKind::StorageFull);
    assert!(waits.as_mut().poll(&mut context).is_pending(), "told of the room that a prune wants");
    full.store(false, Ordering::SeqCst);
    log.sync().unwrap();
    assert!(matches!(waits.as_mut().poll(&mut context), Poll::Ready(Ok(()))));
}

/// A strategy that leaves everything to explicit syncs.
#[derive(Debug)]
struct Idle;

impl CommitStrategy for Idle {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, _: Arc<dyn Flush>) -> Result<()> {
        Ok(())
    }

    fn staged(&self, _: Lsn, _: Waiter) -> Result<()> {
        Ok(())
    }

    fn waiting(&self, _: Lsn, _: Waiter) -> Result<()> {
        Ok(())
    }

    fn stop(&self) {}
}

/// An append that waited for room while the log was truncated failed with the LSN of another's record,
/// which means that it is staged under it. What it waited behind is cut off here, so that its number is
/// not reached any more.
#[test]
fn append_async_truncated() {
    let mut options = one_segment();
    (options.buffer_size, options.when_full) = (1000, WhenFull::Refuse);
    let store = SimStore::new(SimDisk::new(Profile::STRICT));
    let log = start(store, Arc::new(Idle), options).unwrap();
    log.append(b"first").unwrap();
    log.sync().unwrap();
    while log.append(&[0; 100]).is_ok() {}
    let mut append = pin!(log.append_async(b"payment"));
    let mut context = Context::from_waker(Waker::noop());
    assert!(append.as_mut().poll(&mut context).is_pending());
    log.sync().unwrap();
    // What a truncation does to the marks; that the records go is for the whole log's tests.
    let cut = |mut resume: Resume| {
        (resume.last_lsn, resume.current) = (Lsn::FIRST, None);
        Ok::<_, Uncut>(resume)
    };
    log.truncate(cut).unwrap();
    match append.as_mut().poll(&mut context) {
        Poll::Ready(appended) => assert_eq!(appended.unwrap(), Lsn::new(2)),
        Poll::Pending => panic!("there is room"),
    }
}

/// Where the end of a segment failed, those whom its sync had reached were woken within the turn at
/// writing, and before the log was poisoned: a waker that synced hung the log.
#[test]
fn a_waker_syncs_though_the_seal_fails() {
    struct Syncs(Arc<Pipeline>, AtomicBool);
    impl Wake for Syncs {
        fn wake(self: Arc<Self>) {
            // Refused, for the log is poisoned by then.
            let appended = self.0.append(b"from a waker").and_then(|_| self.0.sync());
            self.1.store(appended.is_err(), Ordering::SeqCst);
        }
    }
    let ending = Mutex::new(None);
    let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), move |step| {
        let mut ending = ending.lock().unwrap();
        match (step, *ending) {
            (Step::Create(id), None) if id.get() > 1 => *ending = Some(0),
            (Step::Sync(_), Some(syncs)) => *ending = Some(syncs + 1),
            _ => {}
        }
        // The first one is of the records, the second of the seal.
        let fails = matches!(step, Step::Sync(_)) && *ending == Some(2);
        if fails { Err(io::Error::other("no seal")) } else { Ok(()) }
    });
    let strategy = FlushThread::with_trigger(Duration::from_secs(3600), u64::MAX);
    let log = start(store, Arc::new(strategy), many_segments()).unwrap();
    let bell = Arc::new(Syncs(Arc::clone(&log), AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&bell));
    let lsn = log.append(&[0; 900]).unwrap();
    let mut wait = pin!(log.wait_async(lsn));
    assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    for _ in 0..40 {
        log.append(&[0; 900]).unwrap();
    }
    let syncing = Arc::clone(&log);
    assert!(within("a sync", move || syncing.sync()).is_err());
    assert!(bell.1.load(Ordering::SeqCst));
    let polled = wait.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(()))), "its record is durable");
}
