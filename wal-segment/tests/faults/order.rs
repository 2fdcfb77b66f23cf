//! Removing in order, on a file system that keeps no order.

use std::sync::Arc;

use wal_core::{SegmentId, SegmentStore};
use wal_segment::FileStore;

use super::common::Held;
use super::disk::{Call, Disk, Fault, Kind, Outcome, When};
use super::{SIZE, held, id, made};

/// The segments that may be left after a power cut at some moment, given the removals so far.
#[derive(Default)]
struct Directory {
    /// Removed, and the directory synced since.
    durable: Vec<usize>,
    /// Removed: there or not after a power cut, each for itself.
    pending: Vec<usize>,
}

impl Directory {
    /// Every set of segments that a power cut may leave now must be an end of the order.
    fn check(&self, count: usize) {
        for kept in 0_u32..1 << self.pending.len() {
            let gone = |segment: &usize| {
                let undecided = self.pending.iter().position(|pending| pending == segment);
                self.durable.contains(segment) || undecided.is_some_and(|at| kept >> at & 1 == 0)
            };
            let left: Vec<_> = (0..count).filter(|segment| !gone(segment)).collect();
            let end: Vec<_> = (count - left.len()..count).collect();
            assert_eq!(left, end, "a power cut leaves a hole");
        }
    }
}

/// Plays the calls of one or more `remove`s of `count` segments on a directory that keeps no order,
/// and cuts the power between any two.
fn play(calls: &[(Call, Outcome)], mut directory: Directory, count: usize) {
    let mut next = 0;
    directory.check(count);
    for (call, outcome) in calls {
        match (call, outcome) {
            (Call::Remove, Outcome::AsAsked) => {
                if !directory.durable.contains(&next) && !directory.pending.contains(&next) {
                    directory.pending.push(next);
                }
                next += 1;
            }
            (Call::SyncDir, Outcome::AsAsked) => {
                directory.durable.append(&mut directory.pending);
            }
            _ => {}
        }
        directory.check(count);
    }
}

fn three_segments() -> (Arc<Disk>, Held<FileStore>, [SegmentId; 3]) {
    let disk = Disk::new(Kind::Usual);
    let store = held(FileStore::over(disk.clone()));
    let ids = [id(1), id(2), id(3)];
    for id in ids {
        made(&*store, id, SIZE);
    }
    disk.take_calls();
    (disk, store, ids)
}

#[test]
fn a_power_cut_while_removing_leaves_an_end_of_the_order() {
    let (disk, store, ids) = three_segments();
    store.remove(&ids).unwrap();
    play(&disk.take_calls(), Directory::default(), 3);
}

/// The process before was killed between its first removal and the sync: the segment is not there
/// to be seen, and may yet come back.
#[test]
fn a_removal_that_was_never_synced_does_not_come_back_behind_a_later_one() {
    let (disk, store, ids) = three_segments();
    std::fs::remove_file(disk.dir.path().join("00000000000000000001.wal")).unwrap();
    store.remove(&ids).unwrap();
    play(&disk.take_calls(), Directory { durable: vec![], pending: vec![0] }, 3);
}

/// A directory sync that failed may have dropped the removal; the next would succeed all the same.
/// To remove the next segment then could leave the first and not the second.
#[test]
fn after_a_failed_sync_of_the_directory_nothing_is_made_or_removed() {
    for nth in [2, 4, 6] {
        let (disk, store, ids) = three_segments();
        disk.plan(Fault::Eio, When::Once(nth));
        let first = store.remove(&ids).unwrap_err();
        let again = store.remove(&ids).unwrap_err();
        let made = store.create(id(9), SIZE).unwrap_err();
        assert_eq!([again.kind(), made.kind()], [first.kind(); 2]);

        let calls = disk.take_calls();
        let removing = calls.iter().position(|(_, outcome)| *outcome != Outcome::AsAsked).unwrap();
        assert_eq!(removing + 1, nth);
        assert!(!calls[nth..].iter().any(|(call, _)| *call == Call::Remove), "{calls:?}");
        play(&calls[..nth], Directory::default(), 3);
        assert_eq!(store.list().unwrap(), ids[nth / 2..]);
    }
}

/// Here the call that fails is the removal itself: the caller may try again, in the same order.
#[test]
fn a_removal_that_failed_can_be_tried_again() {
    for nth in [1, 3, 5] {
        let (disk, store, ids) = three_segments();
        disk.plan(Fault::Eio, When::Once(nth));
        store.remove(&ids).unwrap_err();
        // Those behind it are gone: one that cannot be removed does not keep them.
        assert_eq!(store.list().unwrap(), [ids[nth / 2]]);
        store.remove(&ids).unwrap();
        assert_eq!(store.list().unwrap(), []);
    }
}
