//! Closing and truncating while others are at work.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};

use shuttle::sync::atomic::{AtomicBool, AtomicU64};
use shuttle::thread::{self, Thread};
use wal_commit::{GroupCommit, Sync};
use wal_core::format::Predecessor;
use wal_core::{CommitStrategy, ErrorKind, Lsn, Resume};

use crate::common::{Left, left_of, small_segments};
use crate::explore;
use crate::world::{Fate, World, join};

/// Every append either is refused, or its record is on disk once the log is closed; and its wait
/// ends well whenever it began.
pub(crate) fn close_in_the_middle(strategy: impl CommitStrategy + 'static, fate: Fate) {
    let world = World::with(strategy, small_segments(), fate);
    let producers = (0..2).map(|name| {
        world.spawn(move |world| {
            for n in 0..3 {
                match world.append(&[name, n]) {
                    Ok(lsn) => match world.wait(lsn, &[name, n]) {
                        Err(_) if !matches!(fate, Fate::Well) => return,
                        waited => waited.unwrap(),
                    },
                    Err(error) if matches!(fate, Fate::Well) => {
                        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
                        return;
                    }
                    Err(_) => return,
                }
            }
        })
    });
    let syncing = world.spawn(World::sync);
    let closing = (0..2).map(|_| {
        world.spawn(move |world| {
            while let Err(error) = world.close() {
                assert!(!matches!(fate, Fate::Well), "{error:?}");
                if error.kind() != ErrorKind::StorageFull {
                    return;
                }
                thread::yield_now();
            }
        })
    });
    join(producers.chain([syncing]).chain(closing));
    world.check();
    if matches!(fate, Fate::Well) {
        assert_eq!(left_of(&world.disk).last_lsn(), world.log.staged_lsn());
        assert_eq!(world.log.current_segment(), None);
        assert!(world.log.truncate(|_| panic!("cut after the close")).is_err());
    }
    assert!(world.log.append(b"late").is_err());
}

#[test]
fn a_close_drains_under_group_commit() {
    explore(|| close_in_the_middle(GroupCommit::new(), Fate::Well));
}

#[test]
fn a_close_drains_under_sync() {
    explore(|| close_in_the_middle(Sync::new(), Fate::Well));
}

#[test]
fn a_close_on_a_failing_store_ends() {
    explore(|| close_in_the_middle(GroupCommit::new(), Fate::Fails));
}

#[test]
fn a_close_on_a_full_disk_is_repeated() {
    explore(|| close_in_the_middle(GroupCommit::new(), Fate::Full));
}

/// Runs a future as a task whose waker takes its time, in which others take steps.
fn slow_task<F: Future>(future: F) -> F::Output {
    struct Slow(Thread, AtomicBool);
    impl Wake for Slow {
        fn wake(self: Arc<Self>) {
            thread::yield_now();
            self.1.store(true, Ordering::SeqCst);
            self.0.unpark();
        }
    }
    let slow = Arc::new(Slow(thread::current(), AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&slow));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        while !slow.1.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}

/// A close that finds no room has ended the strategy. A task that waits beside it is told, whenever
/// it began, and what is staged stays.
#[test]
fn a_close_without_room_leaves_no_task_waiting() {
    explore(|| {
        let world = World::new(GroupCommit::new(), small_segments());
        world.disk.set_room(Some(0));
        let lsn = world.log.append(b"kept").unwrap();
        let tasks = (0..2).map(|_| {
            world.spawn(move |world| {
                let waited = slow_task(world.log.wait_async(lsn));
                assert_eq!(waited.unwrap_err().kind(), ErrorKind::StorageFull);
            })
        });
        let closing = world.spawn(|world| {
            assert_eq!(world.log.close().unwrap_err().kind(), ErrorKind::StorageFull);
        });
        join(tasks.chain([closing]));
        world.disk.set_room(None);
        world.log.close().unwrap();
        assert_eq!(left_of(&world.disk).record(lsn), b"kept");
    });
}

/// Nobody calls `close`; the last handle goes away. What was appended is there, and no thread is
/// left behind, or shuttle says so.
#[test]
fn the_last_handle_closes_the_log() {
    explore(|| {
        let world = World::new(GroupCommit::new(), small_segments());
        let disk = world.disk.clone();
        join((0..2).map(|name| {
            world.spawn(move |world| {
                world.append(&[name]).unwrap();
            })
        }));
        drop(world);
        assert_eq!(left_of(&disk).records.len(), 2);
    });
}

/// What a truncation after `lsn` makes of a log that is `left` so.
fn cut(left: &Left, mut resume: Resume, lsn: Lsn) -> Resume {
    let &(_, id, length) = left.starts.iter().find(|(first, ..)| *first == lsn.next()).unwrap();
    let before = match &resume.current {
        Some(current) if current.open.header().id == id => current.open.as_predecessor(),
        _ => resume.predecessor.filter(|before| before.id == id).unwrap(),
    };
    resume.predecessor = Some(Predecessor { length, seal_len: 0, last_lsn: lsn, ..before });
    resume.epoch = resume.epoch.next();
    resume.last_lsn = lsn;
    resume.current = None;
    resume
}

/// The number that the truncation below gives out anew.
const SECOND: Lsn = Lsn::new(2);

/// A truncation beside an append: it is refused, or it comes before the append, or after it. The
/// numbers behind the cut are given out anew, and each is acknowledged for what it is.
pub(crate) fn truncate_beside_an_append(world: &World) {
    world.log.append(b"one").unwrap();
    world.log.sync().unwrap();
    world.log.append(b"two").unwrap();
    world.log.sync().unwrap();
    let appended = Arc::new(AtomicU64::new(0));
    let cut_behind = Arc::new(AtomicU64::new(0));
    let appending = {
        let appended = Arc::clone(&appended);
        world.spawn(move |world| {
            let lsn = world.append(b"new").unwrap();
            appended.store(lsn.get(), Ordering::SeqCst);
            match world.wait_once(lsn) {
                // A number that was given out anew: the record is there to stay.
                Ok(()) if lsn == SECOND => world.acknowledge(lsn, b"new"),
                Ok(()) => {}
                // Cut off with the rest, before this thread had looked.
                Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}"),
            }
        })
    };
    let cutting = {
        let cut_behind = Arc::clone(&cut_behind);
        world.spawn(move |world| {
            let disk = world.disk.clone();
            let result = world.log.truncate(|resume| {
                cut_behind.store(resume.last_lsn.get(), Ordering::SeqCst);
                Ok(cut(&left_of(&disk), resume, Lsn::FIRST))
            });
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
            }
        })
    };
    join([appending, cutting]);
    if cut_behind.load(Ordering::SeqCst) == SECOND.get() {
        let appended = appended.load(Ordering::SeqCst);
        assert_eq!(appended, SECOND.get(), "a record was cut off before it was written");
    }
    let last = world.commit(b"last").unwrap();
    assert!([2, 3, 4].contains(&last.get()), "{last}");
    world.check();
    world.log.close().unwrap();
    assert_eq!(left_of(&world.disk).last_lsn(), last);
}

#[test]
fn a_truncation_comes_before_an_append_or_after_it() {
    explore(|| truncate_beside_an_append(&World::new(GroupCommit::new(), small_segments())));
}
