//! An acknowledged record was lost, with no crash and no fault.
//!
//! The seal of segment N crossed the half of its space, after N + 1 had been made for the writer. So N + 1
//! was asked for once more. The preparing thread found its name taken, took the file for the remains of
//! a dead process, unlinked it and made another; the writer synced a file that had no name any more, and
//! renamed the empty one to `N + 1`. A spare has no number now, and a name is never made free to be taken.

use std::sync::Arc;

use wal_core::{SegmentId, SegmentStore};
use wal_segment::{Ahead, FileStore, Preparation, Recycling};
use wal_testkit::{CutChoice, Profile, SimDisk, SimFiles};

use super::common::{Held, held, made};
use super::{ONE, SIZE, start};

fn preparations() -> [Preparation; 4] {
    [Preparation::None, Preparation::Whole, Preparation::ZeroFill, Preparation::ZerosAhead(4096)]
}

/// Fills segments so that each crosses its half only when the next one is made already, as a seal does;
/// `between` is called wherever the preparing thread may run.
fn rotate(store: &Held<FileStore>, rounds: u64, between: &dyn Fn()) {
    let mut writer = made(&**store, ONE, SIZE);
    for number in 1..=rounds {
        writer.append(&vec![1; 29_500]).unwrap();
        between();
        let next = SegmentId::new(number + 1);
        let mut following = store.create(next, SIZE).unwrap();
        between();
        // The seal.
        writer.append(&[2; 8000]).unwrap();
        writer.syncer().sync().unwrap();
        between();
        let acknowledged = vec![u8::try_from(number % 200).unwrap() + 3; 1000];
        following.append(&acknowledged).unwrap();
        between();
        following.syncer().sync().unwrap();
        assert_eq!(start(&**store, next, 1000), acknowledged, "segment {next} under its name");
        between();
        writer = following;
    }
}

#[test]
fn lost_without_a_crash_on_the_simulated_disk() {
    for preparation in preparations() {
        let disk = SimDisk::new(Profile::STRICT);
        let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())))
            .preparation(preparation)
            .recycling(Recycling::Keep(1))
            .ahead(Ahead::Caller);
        let store = held(store);
        rotate(&store, 20, &|| {
            store.prepare_next().unwrap();
        });

        let left = FileStore::over(Arc::new(SimFiles::new(disk.power_cut(CutChoice::Nothing))));
        for number in 2..=20_u64 {
            let wanted = vec![u8::try_from((number - 1) % 200).unwrap() + 3; 1000];
            assert_eq!(start(&left, SegmentId::new(number), 1000), wanted, "{preparation:?}");
        }
    }
}

#[test]
fn lost_without_a_crash_on_files_with_a_thread() {
    for preparation in preparations() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::open(dir.path()).unwrap().preparation(preparation);
        let store = held(store.recycling(Recycling::Keep(1)).ahead(Ahead::Thread));
        rotate(&store, 60, &std::thread::yield_now);
    }
}

/// Whenever the thread comes to it, also twice: a segment is asked for once in the life of a writer.
#[test]
fn a_segment_is_asked_for_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap().ahead(Ahead::Caller);
    let store = held(store);
    let mut writer = made(&*store, ONE, SIZE);
    writer.append(&vec![1; 40_000]).unwrap();
    assert!(store.prepare_next().unwrap());
    let _next = store.create(ONE.next(), SIZE).unwrap();
    writer.append(&vec![1; 10_000]).unwrap();
    writer.append(&vec![1; 10_000]).unwrap();
    assert!(!store.prepare_next().unwrap(), "the next one is made already");
}
