//! [`TeeStore`]: the laws, and the loss of a half.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod interrupted;
mod loss;
mod place;
mod stale;

use std::io;
use std::sync::Arc;

use place::{Kind, TwoDisks};
use wal_core::{SegmentId, SegmentStore};
use wal_segment::{MemoryStore, OnLoss, TeeStore};
use wal_testkit::{SimDisk, SimStore, segment_store_laws};

const ONE: SegmentId = SegmentId::FIRST;
const TWO: SegmentId = SegmentId::new(2);

segment_store_laws!(two_disks, || TwoDisks::new(OnLoss::Fail), without[stranger]);

segment_store_laws!(
    two_that_use_files_again,
    || TwoDisks::new(OnLoss::Fail).kinds([Kind::Recycling; 2]),
    without[stranger]
);

segment_store_laws!(
    two_of_different_policies,
    || TwoDisks::new(OnLoss::Fail).kinds([Kind::Unprepared, Kind::Recycling]),
    without[stranger]
);

// What would fail costs a half instead, and is done.
segment_store_laws!(
    two_disks_going_on,
    || TwoDisks::new(OnLoss::GoOn),
    without [interrupt, fault, room, stranger]
);

segment_store_laws!(
    two_in_memory,
    || {
        let halves = [MemoryStore::new(), MemoryStore::new()];
        move || {
            let [first, second] = halves.each_ref().map(|half| Arc::new(half.clone()));
            TeeStore::open(first, second, OnLoss::GoOn)
        }
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

/// Appends bytes to a new segment and syncs it.
fn put(store: &dyn SegmentStore, id: SegmentId, bytes: &[u8]) -> io::Result<()> {
    let mut writer = store.create(id, 4096)?;
    writer.append(bytes)?;
    writer.syncer().sync()
}

/// What a segment has before the zeros at its end.
fn bytes(store: &dyn SegmentStore, id: SegmentId) -> Vec<u8> {
    let reader = store.open(id).unwrap();
    let mut bytes = vec![0xaa; usize::try_from(reader.size().unwrap()).unwrap()];
    assert_eq!(reader.read_at(0, &mut bytes).unwrap(), bytes.len());
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

fn sim(disk: &SimDisk) -> SimStore {
    SimStore::new(disk.clone())
}

/// From now on every call of this disk fails.
fn die(disk: &SimDisk) {
    disk.crash_at(disk.operations());
}
