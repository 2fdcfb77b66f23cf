//! Crash loops: a log that is opened, written a little and killed, again and again.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use wal_testkit::model::World;
use wal_testkit::{LogUnderTest, SimDisk};

use crate::product::worlds;

const ROUNDS: u64 = 100;

/// What a round may leave: a segment with a header, what was carried over and one record, each in a
/// block of its own where flushes are aligned. What is prepared besides takes as much again.
const A_ROUND: u64 = 4 * 4096;

/// The segments of the last lives, and what is prepared for the next.
const BESIDE: u64 = 6 * 16 * 1024;

fn space(disk: &SimDisk) -> u64 {
    let sizes = disk.list().unwrap().into_iter().map(|name| disk.open(&name).unwrap().size());
    sizes.map(Result::unwrap).sum()
}

/// B7: what a dead life had prepared was kept, a whole segment each round, until the disk was full.
#[test]
fn b7_a_crash_loop_does_not_grow() {
    for world in worlds() {
        let mut disk = SimDisk::new(world.profile());
        for round in 1..=ROUNDS {
            let log = world.open(&disk).unwrap();
            let lsn = log.append(&[7; 100]).unwrap();
            log.wait(lsn).unwrap();
            let left = disk.kill();
            disk.crash_at(0);
            drop(log);
            disk = left;
            let taken = space(&disk);
            let bound = round * A_ROUND + BESIDE;
            assert!(taken <= bound, "{}: {taken} bytes after {round} rounds", world.name());
        }
        all_is_there(&world, &disk);
    }
}

fn all_is_there(world: &World, disk: &SimDisk) {
    let log: Box<dyn LogUnderTest> = world.open(disk).unwrap();
    let entries = log.entries(wal::Lsn::FIRST).unwrap();
    assert_eq!(entries.len() as u64, ROUNDS, "{}", world.name());
    log.prune_before(entries.last().unwrap().0).unwrap();
    let taken = space(disk);
    assert!(taken <= BESIDE, "{}: {taken} bytes after pruning", world.name());
    drop(log);
}
