//! The pipeline's own locks, with a strategy that has no thread: who writes, who syncs, and how far
//! a sync may say that it reached.

use std::sync::Arc;

use loom::thread::{self, JoinHandle};
use wal_commit::{Os, Pipeline, Sync};
use wal_core::{CommitStrategy, Lsn};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{left_of, one_segment, start};
use crate::every_order;

#[derive(Clone)]
struct World {
    disk: SimDisk,
    log: Arc<Pipeline>,
}

impl World {
    fn new(strategy: impl CommitStrategy + 'static) -> Self {
        let disk = SimDisk::new(Profile::STRICT);
        let log = start(SimStore::new(disk.clone()), Arc::new(strategy), one_segment()).unwrap();
        Self { disk, log }
    }

    fn spawn(&self, run: impl FnOnce(&Self) + Send + 'static) -> JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || run(&world))
    }

    fn is_left(&self, lsn: Lsn) {
        assert!(left_of(&self.disk).last_lsn() >= lsn, "{lsn} acknowledged and not on disk");
    }
}

/// A write while a sync runs, and the other way round: a sync speaks for what was written before
/// it, and never for more.
#[test]
fn writes_beside_syncs() {
    every_order(3, || {
        let world = World::new(Os::new());
        let other = world.spawn(|world| {
            world.log.append(b"theirs").unwrap();
            world.is_left(world.log.durable_lsn());
        });
        let lsn = world.log.append(b"ours").unwrap();
        world.log.sync().unwrap();
        assert!(world.log.durable_lsn() >= lsn);
        world.is_left(world.log.durable_lsn());
        other.join().unwrap();
    });
}

/// Two appends that write and sync by themselves.
#[test]
fn two_appends_under_sync() {
    every_order(3, || {
        let world = World::new(Sync::new());
        let other = world.spawn(|world| world.is_left(world.log.append(b"theirs").unwrap()));
        world.is_left(world.log.append(b"ours").unwrap());
        other.join().unwrap();
    });
}

/// A close beside an append: the record is refused, or it is on disk.
#[test]
fn a_close_beside_an_append() {
    every_order(3, || {
        let world = World::new(Os::new());
        let other = world.spawn(|world| {
            world.log.append(b"theirs").ok();
        });
        world.log.close().unwrap();
        other.join().unwrap();
        world.is_left(world.log.staged_lsn());
    });
}
