//! The power fails while the halves are made the same.

use std::io;
use std::sync::Arc;

use wal_core::{SegmentId, SegmentStore};
use wal_segment::{Half, Mismatch, OnLoss, TeeStore};
use wal_testkit::{CutChoice, Profile, SimDisk};

use super::place::tee;
use super::{ONE, TWO, bytes, put, sim};

const THREE: SegmentId = SegmentId::new(3);

/// A pair that a crash has left with different ends: of the segments, and in them.
fn torn_apart() -> [SimDisk; 2] {
    let disks = [Profile::STRICT, Profile::JOURNALED].map(SimDisk::new);
    let store = tee(&disks, OnLoss::Fail).unwrap();
    let lock = store.lock().unwrap();
    put(&store, ONE, b"durable").unwrap();
    let mut writer = store.create(TWO, 4096).unwrap();
    writer.append(b"durable").unwrap();
    writer.syncer().sync().unwrap();
    writer.append(b" and not").unwrap();
    drop((writer, lock, store));
    put(&sim(&disks[0]), THREE, b"made in one half").unwrap();
    put(&sim(&disks[1]), SegmentId::new(4), b"made in the other").unwrap();
    [disks[0].power_cut(CutChoice::Nothing), disks[1].power_cut(CutChoice::Everything)]
}

fn choices() -> impl Iterator<Item = CutChoice> {
    [CutChoice::Nothing, CutChoice::Everything].into_iter().chain((0..8).map(CutChoice::Seed))
}

/// Cuts the power of one disk after every number of operations that `work` does on it, and of the
/// other when that has failed; hands what is left to `check`.
fn at_every_operation(
    fresh: impl Fn() -> [SimDisk; 2],
    work: impl Fn(&[SimDisk; 2]) -> io::Result<()>,
    check: impl Fn(&[SimDisk; 2], &str),
) {
    for (at, choice) in [0, 1].into_iter().flat_map(|at| choices().map(move |choice| (at, choice)))
    {
        for operation in 0.. {
            assert!(operation < 500, "it never gets through");
            let disks = fresh();
            disks[at].crash_at(disks[at].operations() + operation);
            let through = work(&disks).is_ok();
            let after = disks.each_ref().map(|disk| disk.power_cut(choice));
            check(&after, &format!("disk {at}, operation {operation}, {choice}"));
            if through {
                break;
            }
        }
    }
}

#[test]
fn a_lock_makes_the_halves_the_same() {
    let disks = torn_apart();
    let store = tee(&disks, OnLoss::Fail).unwrap();
    let _lock = store.lock().unwrap();
    assert_eq!(store.list().unwrap(), [ONE, TWO, THREE]);
    assert_eq!(bytes(&store, TWO), b"durable");
    assert_same(&disks, &[ONE, TWO, THREE], "at once");
}

/// Also by itself: nobody has to say which half is the good one.
#[test]
fn an_interrupted_lock_is_done_again_by_the_next() {
    let lock = |disks: &[SimDisk; 2]| tee(disks, OnLoss::Fail)?.lock().map(drop);
    at_every_operation(torn_apart, lock, |disks, place| {
        let store = tee(disks, OnLoss::Fail).unwrap_or_else(|error| panic!("{place}: {error}"));
        let _lock = store.lock().unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(bytes(&store, ONE), b"durable", "{place}");
        assert!(bytes(&store, TWO).starts_with(b"durable"), "{place}");
        assert_same(disks, &store.list().unwrap(), place);
    });
}

/// The first lock of all, too.
#[test]
fn an_interrupted_first_lock_is_done_again_by_the_next() {
    let fresh = || [Profile::STRICT, Profile::STRICT].map(SimDisk::new);
    let lock = |disks: &[SimDisk; 2]| tee(disks, OnLoss::Fail)?.lock().map(drop);
    at_every_operation(fresh, lock, |disks, place| {
        let store = tee(disks, OnLoss::Fail).unwrap_or_else(|error| panic!("{place}: {error}"));
        let _lock = store.lock().unwrap_or_else(|error| panic!("{place}: {error}"));
        put(&store, ONE, b"works").unwrap();
        assert_same(disks, &[ONE], place);
    });
}

/// The second half went on alone; the first, which is rebuilt, must not win at any moment.
#[test]
fn a_half_rebuilt_in_part_is_never_read() {
    let behind = || {
        let disks = torn_apart();
        let store = TeeStore::alone(Arc::new(sim(&disks[1])), Half::Second).unwrap();
        let _lock = store.lock().unwrap();
        put(&store, SegmentId::new(9), b"alone").unwrap();
        disks
    };
    let rebuild = |disks: &[SimDisk; 2]| TeeStore::rebuild(&sim(&disks[1]), &sim(&disks[0]));
    at_every_operation(behind, rebuild, |disks, place| {
        match tee(disks, OnLoss::Fail) {
            Ok(store) => assert_eq!(bytes(&store, SegmentId::new(9)), b"alone", "{place}"),
            Err(error) => {
                let stale = Some(Mismatch::Behind(Half::First));
                assert_eq!(Mismatch::of(&error), stale, "{place}");
            }
        }
        let store = tee(disks, OnLoss::GoOn).unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(bytes(&store, SegmentId::new(9)), b"alone", "{place}");
        drop(store);
        rebuild(disks).unwrap_or_else(|error| panic!("{place}: {error}"));
        let store = tee(disks, OnLoss::Fail).unwrap();
        let _lock = store.lock().unwrap();
        assert_same(disks, &store.list().unwrap(), place);
    });
}

fn assert_same(disks: &[SimDisk; 2], ids: &[SegmentId], place: &str) {
    let stores = disks.each_ref().map(sim);
    for store in &stores {
        let mut listed = store.list().unwrap();
        listed.retain(|id| id.get() < 1 << 63);
        assert_eq!(listed, ids, "{place}");
    }
    for &id in ids {
        assert!(bytes(&stores[0], id) == bytes(&stores[1], id), "{place}: segment {id}");
    }
}
