//! The store fails at any step, and nothing acknowledged is lost, and nobody waits for ever.

use shuttle::thread;
use wal_commit::{GroupCommit, Os, Sync};
use wal_core::{CommitStrategy, ErrorKind};

use crate::common::{left_of, small_segments};
use crate::explore;
use crate::world::{Fate, World, join};

/// Three threads commit until something fails, one syncs in between; the log is closed.
pub(crate) fn storm(strategy: impl CommitStrategy + 'static, fate: Fate) {
    let world = World::with(strategy, small_segments(), fate);
    let producers = (0..3).map(|name| {
        world.spawn(move |world| {
            for n in 0..3 {
                if let Err(error) = world.commit(&[name, n]) {
                    // The first failure is for all, and for ever.
                    assert!(world.log.append(b"more").is_err(), "appended after {error:?}");
                    return;
                }
            }
        })
    });
    let syncing = world.spawn(World::sync);
    join(producers.chain([syncing]));
    world.check();
    let closed = world.close();
    world.check();
    if closed.is_ok() {
        assert_eq!(left_of(&world.disk).last_lsn(), world.log.staged_lsn());
    }
}

#[test]
fn a_failed_step_loses_nothing_under_group_commit() {
    explore(|| storm(GroupCommit::new(), Fate::Fails));
}

#[test]
fn a_failed_step_loses_nothing_under_sync() {
    explore(|| storm(Sync::new(), Fate::Fails));
}

#[test]
fn a_panicking_store_reaches_everyone_under_group_commit() {
    explore(|| storm(GroupCommit::new(), Fate::Panics));
}

#[test]
fn a_panicking_store_reaches_everyone_under_sync() {
    explore(|| storm(Sync::new(), Fate::Panics));
}

#[test]
fn a_full_disk_loses_nothing_under_group_commit() {
    explore(|| storm(GroupCommit::new(), Fate::Full));
}

#[test]
fn a_full_disk_loses_nothing_under_sync() {
    explore(|| storm(Sync::new(), Fate::Full));
}

/// Where the disk was full at a write, and never at a sync, all goes on after there is room: every
/// record that was taken is there.
#[test]
fn after_a_full_disk_everything_is_there() {
    explore(|| {
        let world = World::new(GroupCommit::new(), small_segments());
        world.disk.set_room(Some(0));
        let producers = (0..2).map(|name| {
            world.spawn(move |world| {
                for n in 0..2 {
                    world.commit(&[name, n]).unwrap();
                }
            })
        });
        let producers: Vec<_> = producers.collect();
        thread::yield_now();
        world.disk.set_room(None);
        join(producers);
        world.log.close().unwrap();
        world.check();
        assert_eq!(left_of(&world.disk).records.len(), 4);
    });
}

/// `Os` acknowledges what is written; what is durable is durable all the same.
#[test]
fn a_failed_step_moves_no_watermark_under_os() {
    explore(|| {
        let world = World::with(Os::new(), small_segments(), Fate::Fails);
        let threads = (0..3).map(|name| {
            world.spawn(move |world| {
                for n in 0..2 {
                    let Ok(lsn) = world.append(&[name, n]) else { return };
                    if world.log.sync().is_ok() {
                        world.acknowledge(lsn, &[name, n]);
                    }
                }
            })
        });
        join(threads);
        if let Err(error) = world.log.sync() {
            assert_eq!(error.kind(), ErrorKind::Poisoned);
        }
        world.check();
    });
}
