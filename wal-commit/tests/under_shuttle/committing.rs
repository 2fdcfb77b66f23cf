//! Everything goes well, in any order.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use wal_commit::{GroupCommit, Os, Sync};
use wal_core::Lsn;

use crate::common::{left_of, one_segment, small_segments};
use crate::explore;
use crate::world::{World, join};

pub(crate) fn three_producers(world: &World) {
    join((0..3).map(|name| {
        world.spawn(move |world| {
            for n in 0..2 {
                world.commit(&[name, n]).unwrap();
            }
        })
    }));
    world.log.close().unwrap();
    world.check();
    assert_eq!(left_of(&world.disk).records.len(), 6);
}

#[test]
fn what_group_commit_acknowledges_is_durable() {
    explore(|| three_producers(&World::new(GroupCommit::new(), one_segment())));
}

#[test]
fn what_group_commit_acknowledges_is_durable_while_segments_end() {
    explore(|| three_producers(&World::new(GroupCommit::new(), small_segments())));
}

#[test]
fn what_sync_acknowledges_is_durable() {
    explore(|| three_producers(&World::new(Sync::new(), small_segments())));
}

/// Under `Os` a wait says "written", and an explicit sync of any thread says "durable".
#[test]
fn an_explicit_sync_is_durable_under_os() {
    explore(|| {
        let world = World::new(Os::new(), small_segments());
        join((0..3).map(|name| {
            world.spawn(move |world| {
                let lsn = world.append(&[name]).unwrap();
                world.log.wait(lsn).unwrap();
                assert!(world.log.written_lsn() >= lsn);
                world.log.sync().unwrap();
                assert!(world.log.durable_lsn() >= lsn);
                world.acknowledge(lsn, &[name]);
            })
        }));
        world.check();
    });
}

/// The same beside a helper that writes the record for the thread that syncs it.
#[test]
fn an_explicit_sync_is_durable_under_group_commit() {
    explore(|| {
        let world = World::new(GroupCommit::new(), small_segments());
        join((0..3).map(|name| {
            world.spawn(move |world| {
                let lsn = world.append(&[name]).unwrap();
                world.log.sync().unwrap();
                assert!(world.log.durable_lsn() >= lsn);
                world.acknowledge(lsn, &[name]);
            })
        }));
        world.log.close().unwrap();
        world.check();
    });
}

#[test]
fn a_batch_is_one_run_of_lsns_in_one_frame() {
    explore(|| {
        let world = World::new(GroupCommit::new(), small_segments());
        join((0..3_u8).map(|name| {
            world.spawn(move |world| {
                let batch = [[name, 0], [name, 1], [name, 2]];
                let (first, last) = world.log.append_batch(&batch).unwrap();
                assert_eq!(last.since(first), 2);
                world.log.wait(last).unwrap();
                for (n, record) in (0..).zip(&batch) {
                    world.acknowledge(first.plus(n), record);
                }
            })
        }));
        world.log.close().unwrap();
        world.check();
    });
}

#[test]
fn a_full_stage_is_written_by_whoever_appends() {
    explore(|| {
        let mut options = small_segments();
        options.buffer_size = 64;
        let world = World::new(GroupCommit::new(), options);
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

/// A future that goes away after it was polled takes nothing along: the record becomes durable, and
/// those who wait besides it wake up.
#[test]
fn dropped_futures_neither_lose_nor_stall() {
    explore(|| {
        let world = World::new(GroupCommit::new(), one_segment());
        let fickle = world.spawn(|world| {
            let lsn = world.append(b"fickle").unwrap();
            let mut wait = world.log.wait_async(lsn);
            let _ = Pin::new(&mut wait).poll(&mut Context::from_waker(Waker::noop()));
            drop(wait);
            world.until_durable(lsn);
            world.acknowledge(lsn, b"fickle");
        });
        let steady = world.spawn(|world| {
            world.commit(b"steady").unwrap();
        });
        join([fickle, steady]);
        world.check();
        world.log.close().unwrap();
    });
}

/// The helper looks at the log and goes to sleep while a record comes in: one of the two sees the
/// other.
#[test]
fn records_that_nobody_waits_for_become_durable() {
    explore(|| {
        let world = World::new(GroupCommit::new(), one_segment());
        let producers = (0..2).map(|name| {
            world.spawn(move |world| {
                for n in 0..2 {
                    let lsn = world.append(&[name, n]).unwrap();
                    world.until_durable(lsn);
                }
            })
        });
        join(producers);
        world.until_durable(Lsn::new(4));
        assert_eq!(left_of(&world.disk).records.len(), 4);
        world.log.close().unwrap();
    });
}
