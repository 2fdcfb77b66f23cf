//! The strategies that have threads of their own and are nothing without them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use shuttle::sync::atomic::AtomicU32;
use shuttle::thread;
use wal_commit::{
    FlushThread, GroupCommit, Interval, Os, Parallel, Pipelined, Sync, WhenDiskFull, WhenFull,
};
use wal_core::{CommitStrategy, ErrorKind, Lsn};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::closing::{close_in_the_middle, truncate_beside_an_append};
use crate::committing::three_producers;
use crate::common::{Hooked, Step, left_of, one_segment, small_segments, start};
use crate::explore;
use crate::failing::storm;
use crate::world::{Fate, World, join};

/// A time that no test lives to see.
const FOREVER: Duration = Duration::from_secs(1 << 32);

/// Whatever is staged is due.
fn flush_thread() -> FlushThread {
    FlushThread::with_trigger(Duration::ZERO, u64::MAX)
}

#[test]
fn what_a_flush_thread_acknowledges_is_durable() {
    explore(|| three_producers(&World::new(flush_thread(), small_segments())));
}

#[test]
fn what_a_pipeline_of_two_acknowledges_is_durable() {
    explore(|| three_producers(&World::new(Pipelined::new(), one_segment())));
}

#[test]
fn what_a_pipeline_of_two_acknowledges_is_durable_while_segments_end() {
    explore(|| three_producers(&World::new(Pipelined::new(), small_segments())));
}

#[test]
fn what_two_in_parallel_acknowledge_is_durable() {
    let world = |options| World::overlapping(Parallel::new(2), options, Fate::Well, 2);
    explore(move || three_producers(&world(one_segment())));
    explore(move || three_producers(&world(small_segments())));
}

/// Under `Interval` a wait says "written"; what was appended becomes durable with no further call.
#[test]
fn what_an_interval_takes_becomes_durable() {
    explore(|| {
        let world = World::new(Interval::new(Duration::ZERO), small_segments());
        join((0..2).map(|name| {
            world.spawn(move |world| {
                for n in 0..2 {
                    let lsn = world.append(&[name, n]).unwrap();
                    world.wait_once(lsn).unwrap();
                    assert!(world.log.written_lsn() >= lsn);
                }
            })
        }));
        world.until_durable(Lsn::new(4));
        assert_eq!(left_of(&world.disk).records.len(), 4);
        world.log.close().unwrap();
    });
}

/// Enough records are a flush, however young: also where the first of them were counted beside a
/// flush that took the ones before. What is left at the end is fewer than enough.
#[test]
fn enough_records_are_a_flush() {
    explore(|| {
        let world = World::new(FlushThread::with_trigger(FOREVER, 2), one_segment());
        let producers = (0..2).map(|name| {
            world.spawn(move |world| {
                for n in 0..2 {
                    world.append(&[name, n]).unwrap();
                }
            })
        });
        join(producers);
        let enough = Lsn::new(3);
        world.log.wait(enough).unwrap();
        assert!(left_of(&world.disk).last_lsn() >= enough);
        world.log.close().unwrap();
    });
}

/// The thread goes to rest beside the append, each time anew.
pub(crate) fn nobody_waits(strategy: impl CommitStrategy + 'static) {
    let world = World::new(strategy, one_segment());
    join((0..2).map(|name| {
        world.spawn(move |world| {
            for n in 0..2 {
                world.append(&[name, n]).unwrap();
                if n == name {
                    thread::yield_now();
                }
            }
        })
    }));
    world.until_durable(Lsn::new(4));
    assert_eq!(left_of(&world.disk).records.len(), 4);
    world.log.close().unwrap();
}

#[test]
fn records_that_nobody_waits_for_become_durable() {
    explore(|| nobody_waits(flush_thread()));
    explore(|| nobody_waits(Pipelined::new()));
    explore(|| nobody_waits(Parallel::new(2)));
}

/// The appender writes what is too much, and the thread that syncs hears of it by the next record.
#[test]
fn a_full_stage_is_written_by_whoever_appends() {
    explore(|| {
        let mut options = small_segments();
        options.buffer_size = 64;
        let world = World::new(Pipelined::new(), options);
        let producers = (0..2).map(|name| {
            world.spawn(move |world| {
                let lsns: Vec<_> = (0..4).map(|n| world.append(&[name, n]).unwrap()).collect();
                world.wait(lsns[3], &[name, 3]).unwrap();
            })
        });
        join(producers);
        world.log.close().unwrap();
        world.check();
    });
}

#[test]
fn a_failed_step_loses_nothing() {
    explore(|| storm(flush_thread(), Fate::Fails));
    explore(|| storm(Pipelined::new(), Fate::Fails));
    explore(|| storm(Parallel::new(2), Fate::Fails));
}

#[test]
fn a_full_disk_loses_nothing() {
    explore(|| storm(flush_thread(), Fate::Full));
    explore(|| storm(Pipelined::new(), Fate::Full));
    explore(|| storm(Parallel::new(2), Fate::Full));
}

#[test]
fn a_panicking_store_reaches_everyone() {
    explore(|| storm(flush_thread(), Fate::Panics));
    explore(|| storm(Pipelined::new(), Fate::Panics));
}

#[test]
fn a_close_drains() {
    explore(|| close_in_the_middle(flush_thread(), Fate::Well));
    explore(|| close_in_the_middle(FlushThread::with_trigger(FOREVER, 2), Fate::Well));
    explore(|| close_in_the_middle(Pipelined::new(), Fate::Well));
    explore(|| close_in_the_middle(Parallel::new(2), Fate::Well));
}

#[test]
fn a_close_on_a_failing_store_ends() {
    explore(|| close_in_the_middle(flush_thread(), Fate::Fails));
    explore(|| close_in_the_middle(Pipelined::new(), Fate::Fails));
    explore(|| close_in_the_middle(Parallel::new(2), Fate::Fails));
}

#[test]
fn a_close_on_a_full_disk_is_repeated() {
    explore(|| close_in_the_middle(flush_thread(), Fate::Full));
    explore(|| close_in_the_middle(Pipelined::new(), Fate::Full));
    explore(|| close_in_the_middle(Parallel::new(2), Fate::Full));
}

/// Numbers that a truncation has taken back are given out again, and no thread takes the new ones for
/// the old.
#[test]
fn a_truncation_comes_before_an_append_or_after_it() {
    explore(|| truncate_beside_an_append(&World::new(flush_thread(), small_segments())));
    explore(|| truncate_beside_an_append(&World::new(Pipelined::new(), small_segments())));
    for syncs in [1, 2] {
        let world =
            move || World::overlapping(Parallel::new(2), small_segments(), Fate::Well, syncs);
        explore(move || truncate_beside_an_append(&world()));
    }
}

/// Producers who wait for a full disk to have room, one who says that there may be some, and, where
/// `closes`, one who closes in the middle: nobody is told of the full disk but he, and nobody is
/// left waiting.
pub(crate) fn wait_for_a_full_disk(strategy: impl CommitStrategy + 'static, closes: bool) {
    let mut options = small_segments();
    options.when_disk_full = WhenDiskFull::Wait;
    let world = World::with(strategy, options, Fate::Full);
    let done = Arc::new(AtomicU32::new(0));
    let producers = (0..2).map(|name| {
        let done = Arc::clone(&done);
        world.spawn(move |world| {
            for n in 0..2 {
                let committed = world.log.append(&[name, n]).and_then(|lsn| {
                    world.wait_once(lsn).map(|()| world.acknowledge(lsn, &[name, n]))
                });
                match committed.map_err(|error| error.kind()) {
                    Ok(()) | Err(ErrorKind::Poisoned) => {}
                    Err(ErrorKind::StorageFull | ErrorKind::Invalid) if closes => {}
                    Err(kind) => panic!("{kind:?}"),
                }
            }
            done.fetch_add(1, Ordering::SeqCst);
        })
    });
    let producers: Vec<_> = producers.collect();
    let makes_room = world.spawn(move |world| {
        while done.load(Ordering::SeqCst) < 2 {
            world.log.room_made();
            thread::yield_now();
        }
    });
    let closer = world.spawn(move |world| {
        if closes {
            world.log.close().ok();
        }
    });
    join(producers.into_iter().chain([makes_room, closer]));
    world.log.close().ok();
}

#[test]
fn who_waits_for_a_full_disk_is_not_left_waiting() {
    explore(|| wait_for_a_full_disk(Sync::new(), false));
    explore(|| wait_for_a_full_disk(GroupCommit::new(), false));
    explore(|| wait_for_a_full_disk(flush_thread(), false));
    explore(|| wait_for_a_full_disk(Pipelined::new(), false));
    explore(|| wait_for_a_full_disk(GroupCommit::new(), true));
    explore(|| wait_for_a_full_disk(Pipelined::new(), true));
}

/// Somebody says once that there is room, or closes, and nobody ever does so again: who waits by then,
/// is about to, or looks just now, hears of it.
#[test]
fn one_word_is_enough_for_who_waits_for_a_full_disk() {
    let full = || {
        let mut options = one_segment();
        options.when_disk_full = WhenDiskFull::Wait;
        let world = World::new(Os::new(), options);
        world.disk.set_room(Some(0));
        world
    };
    explore(move || {
        let world = full();
        let appending = (0..2).map(|name| {
            world.spawn(move |world| {
                world.log.append(&[name]).unwrap();
            })
        });
        let making = world.spawn(|world| {
            world.disk.set_room(None);
            world.log.room_made();
        });
        join(appending.chain([making]));
        world.log.close().unwrap();
        assert_eq!(left_of(&world.disk).records.len(), 2);
    });
    explore(move || {
        let world = full();
        let appending = world.spawn(|world| assert!(world.log.append(b"kept").is_err()));
        let closing = world.spawn(|world| {
            world.log.close().ok();
        });
        join([appending, closing]);
        world.disk.set_room(None);
        world.log.close().unwrap();
        assert_eq!(left_of(&world.disk).last_lsn(), world.log.staged_lsn());
    });
}

/// A thread waits for room, and a sync of what was written before fails: nobody will make room for it.
#[test]
fn who_waits_for_a_full_disk_hears_of_a_failure() {
    explore(|| {
        let mut options = one_segment();
        options.when_disk_full = WhenDiskFull::Wait;
        let (records, syncs) = (AtomicU32::new(0), AtomicU32::new(0));
        let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), move |step| {
            match step {
                // The header, and the first record.
                Step::Append(_, end) if end == 0 || records.fetch_add(1, Ordering::SeqCst) == 0 => {
                    Ok(())
                }
                Step::Append(..) => Err(io::ErrorKind::StorageFull.into()),
                Step::Sync(_) if syncs.fetch_add(1, Ordering::SeqCst) > 0 => {
                    Err(io::Error::other("the sync fails"))
                }
                _ => Ok(()),
            }
        });
        let log = start(store, Arc::new(Pipelined::new()), options).unwrap();
        log.append(b"one").unwrap();
        log.append(b"two").ok();
        assert_eq!(log.sync().unwrap_err().kind(), ErrorKind::Poisoned);
        log.close().ok();
    });
}

/// Tasks wait for room, and each gets it: nobody else appends to make the strategy flush.
pub(crate) fn tasks_wait_for_room(strategy: impl CommitStrategy + 'static) {
    let mut options = small_segments();
    (options.buffer_size, options.when_full) = (1, WhenFull::Refuse);
    let world = World::new(strategy, options);
    join((0..2).map(|name| {
        world.spawn(move |world| {
            for n in 0..2 {
                shuttle::future::block_on(world.log.append_async(&[name, n])).unwrap();
            }
        })
    }));
    world.log.close().unwrap();
    assert_eq!(left_of(&world.disk).records.len(), 4);
}

#[test]
fn who_waits_for_room_gets_it() {
    explore(|| tasks_wait_for_room(GroupCommit::new()));
    explore(|| tasks_wait_for_room(flush_thread()));
    explore(|| tasks_wait_for_room(Pipelined::new()));
    explore(|| tasks_wait_for_room(Parallel::new(2)));
}

/// Durable records beside others, where an acknowledgement says "written".
#[test]
fn a_durable_append_is_durable_whatever_the_strategy() {
    fn appends(strategy: impl CommitStrategy + 'static) {
        let world = World::new(strategy, small_segments());
        join((0..3).map(|name| {
            world.spawn(move |world| {
                world.append(&[name, 0]).unwrap();
                let lsn = world.log.append_durable(&[name, 1]).unwrap();
                world.acknowledge(lsn, &[name, 1]);
            })
        }));
        world.log.close().unwrap();
        world.check();
    }
    explore(|| appends(Os::new()));
    explore(|| appends(Interval::new(Duration::ZERO)));
}

/// A batch whose record panics when it is asked for its bytes, beside a record that fills the stage.
/// It is asked before anything of the log is touched: nothing of the batch is staged, nothing is
/// poisoned, and the record that was staged is flushed for its waiter as ever. (It was asked twice, and
/// the second time under the lock of the stage, behind the write that had made room.)
pub(crate) fn a_batch_panics(strategy: impl CommitStrategy + 'static) {
    struct Dies;
    impl AsRef<[u8]> for Dies {
        fn as_ref(&self) -> &[u8] {
            resume_unwind(Box::new("the record dies"))
        }
    }
    let mut options = one_segment();
    options.buffer_size = 1;
    let world = World::new(strategy, options);
    let lsn = world.append(b"one").unwrap();
    let other = world.spawn(move |world| world.wait(lsn, b"one").unwrap());
    assert!(catch_unwind(AssertUnwindSafe(|| world.log.append_batch(&[Dies]))).is_err());
    assert_eq!(world.log.staged_lsn(), lsn, "nothing of the batch is staged");
    let next = world.append(b"two").unwrap();
    world.wait(next, b"two").unwrap();
    join([other]);
    world.close().unwrap();
    world.check();
    assert_eq!(left_of(&world.disk).records.len(), 2);
}

#[test]
fn a_batch_that_panics_leaves_nobody_waiting() {
    explore(|| a_batch_panics(GroupCommit::new()));
    explore(|| a_batch_panics(flush_thread()));
    explore(|| a_batch_panics(Pipelined::new()));
    explore(|| a_batch_panics(Parallel::new(2)));
}

/// A close that finds no room has ended the strategy. A thread that waits beside it is told, whenever
/// it began, and behind it a wait writes by itself.
pub(crate) fn close_without_room(strategy: impl CommitStrategy + 'static) {
    let world = World::new(strategy, small_segments());
    world.disk.set_room(Some(0));
    let lsn = world.log.append(b"kept").unwrap();
    let waiting = (0..2).map(|_| {
        world.spawn(move |world| {
            let waited = world.log.wait(lsn);
            assert_eq!(waited.unwrap_err().kind(), ErrorKind::StorageFull);
        })
    });
    let closing = world.spawn(|world| {
        assert_eq!(world.log.close().unwrap_err().kind(), ErrorKind::StorageFull);
    });
    join(waiting.chain([closing]));
    world.disk.set_room(None);
    world.log.wait(lsn).unwrap();
    assert_eq!(left_of(&world.disk).record(lsn), b"kept");
    world.log.close().unwrap();
}

#[test]
fn a_close_without_room_leaves_no_thread_waiting() {
    explore(|| close_without_room(GroupCommit::new()));
    explore(|| close_without_room(flush_thread()));
    explore(|| close_without_room(Pipelined::new()));
    explore(|| close_without_room(Parallel::new(2)));
}

/// The same for a task that waits for room to append.
pub(crate) fn no_room_and_a_close(strategy: impl CommitStrategy + 'static) {
    let mut options = small_segments();
    (options.buffer_size, options.when_full) = (1, WhenFull::Refuse);
    let world = World::new(strategy, options);
    world.disk.set_room(Some(0));
    world.log.append(b"kept").unwrap();
    let task = world.spawn(|world| {
        // Staged, where a flush has just taken the other; or refused.
        shuttle::future::block_on(world.log.append_async(b"late")).ok();
    });
    let closing = world.spawn(|world| {
        assert_eq!(world.log.close().unwrap_err().kind(), ErrorKind::StorageFull);
    });
    join([task, closing]);
    world.disk.set_room(None);
    world.log.close().unwrap();
    assert_eq!(left_of(&world.disk).last_lsn(), world.log.staged_lsn());
}

#[test]
fn a_close_without_room_leaves_no_append_waiting() {
    explore(|| no_room_and_a_close(GroupCommit::new()));
    explore(|| no_room_and_a_close(flush_thread()));
    explore(|| no_room_and_a_close(Pipelined::new()));
    explore(|| no_room_and_a_close(Parallel::new(2)));
}
