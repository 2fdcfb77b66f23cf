//! Handles that overlap: closed and alive, poisoned and alive, dropped late.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use wal_core::{SegmentId, SegmentStore};
use wal_segment::{Ahead, FileStore, Preparation, Recycling};
use wal_testkit::{Call, Fault, FaultRule, Profile, SimDisk, SimFiles};

use super::common::{held, made};
use super::{ONE, SIZE, THREE, TWO, names, start};

/// Without the lock nothing is made, changed, removed or prepared: a handle that gave it up did all of
/// that, in the next owner's directory.
#[test]
fn s2_nothing_is_done_without_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap().ahead(Ahead::Caller);
    let refused = || {
        [
            store.create(TWO, SIZE).unwrap_err(),
            store.trim(ONE, 0).unwrap_err(),
            store.remove(&[ONE]).unwrap_err(),
            store.write_anchor(b"x").unwrap_err(),
            store.prepare_next().unwrap_err(),
        ]
    };
    assert!(refused().iter().all(|error| error.kind() == ErrorKind::PermissionDenied));
    assert!(names(dir.path()).is_empty());
    let lock = store.lock().unwrap();
    let mut writer = made(&store, ONE, SIZE);
    writer.append(&vec![1; 50_000]).unwrap();
    drop(lock);
    // Nor while a writer of the time before still lives.
    assert!(refused().iter().all(|error| error.kind() == ErrorKind::PermissionDenied));
    drop(writer);
    assert!(refused().iter().all(|error| error.kind() == ErrorKind::PermissionDenied));
}

/// S2: a closed log's preparing thread replaced the next owner's file. The lock is free when the thread
/// has ended, and what it made is gone by then.
#[test]
fn s2_after_close_the_thread_has_ended() {
    for round in 0..50_u64 {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let store = FileStore::open(dir.path()).unwrap().preparation(Preparation::ZeroFill);
            store.recycling(Recycling::Keep(1)).ahead(Ahead::Thread)
        };
        let first = open();
        let lock = first.lock().unwrap();
        let mut writer = made(&first, ONE, SIZE);
        // The next one is wanted from here on, and the thread may be anywhere in the making of it.
        writer.append(&vec![1; 40_000]).unwrap();
        for _ in 0..round {
            thread::yield_now();
        }
        drop((writer, lock));
        let second = held(open());
        assert_eq!(names(dir.path()), ["00000000000000000001.wal", "LOCK"], "round {round}");
        let mut writer = made(&*second, TWO, SIZE);
        writer.append(b"acknowledged").unwrap();
        writer.syncer().sync().unwrap();
        drop(first);
        assert_eq!(start(&*second, TWO, 12), b"acknowledged", "round {round}");
    }
}

/// S1: a poisoned handle's zeros landed in the file of the next owner's segment. The lock is not free
/// before the writer is gone, and the zeros with it.
#[test]
fn s1_a_poisoned_writer_keeps_the_lock_until_its_zeros_have_ended() {
    let disk = SimDisk::new(Profile::STRICT);
    let open = || {
        FileStore::over(Arc::new(SimFiles::new(disk.clone())))
            .preparation(Preparation::ZerosAhead(16 << 20))
            .recycling(Recycling::Keep(1))
            .ahead(Ahead::Thread)
    };
    let (old, new) = (open(), open());
    let lock = old.lock().unwrap();
    let mut writer = made(&old, ONE, 4 << 20);
    let syncer = writer.syncer();
    writer.append(&[1; 5000]).unwrap();
    disk.fail(FaultRule::next(Call::Sync, Fault::Io));
    // Either the writer's sync fails or one of the zeros: the writer acknowledges nothing after it.
    while syncer.sync().is_ok() {}
    drop((lock, old));
    assert_eq!(new.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(writer);
    assert_eq!(new.lock().unwrap_err().kind(), ErrorKind::WouldBlock, "a syncer can sync");
    drop(syncer);
    let operations = disk.operations();
    thread::yield_now();
    assert_eq!(disk.operations(), operations, "something still works on the disk");
    let new = held(new);
    new.remove(&[ONE]).unwrap();
    let mut writer = made(&*new, TWO, 4 << 20);
    writer.append(&vec![2; 1 << 20]).unwrap();
    writer.syncer().sync().unwrap();
    assert_eq!(start(&*new, TWO, 1 << 20), vec![2; 1 << 20]);
}

/// C14: a poisoned handle that was dropped later deleted the file that a newer one was making.
#[test]
fn c14_a_handle_that_is_dropped_late_removes_its_own_file_only() {
    let dir = tempfile::tempdir().unwrap();
    let open = || FileStore::open(dir.path()).unwrap();
    let (old, new) = (open(), open());
    let lock = old.lock().unwrap();
    let pending = old.create(ONE, SIZE).unwrap();
    drop(lock);
    assert_eq!(new.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(names(dir.path()).len(), 2);
    drop(pending);
    assert_eq!(names(dir.path()), ["LOCK"]);
    let new = held(new);
    let mut writer = new.create(ONE, SIZE).unwrap();
    drop(old);
    writer.append(b"ours").unwrap();
    writer.syncer().sync().unwrap();
    assert_eq!(start(&*new, ONE, 4), b"ours");
}

/// S7: of those that took the lock over from a handle that was closing, 7 of 100 failed, as a file that
/// was to be removed was removed by the one that closed, and 7 were poisoned.
#[test]
fn s7_reopen_race() {
    for _ in 0..30 {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let store = FileStore::open(dir.path()).unwrap().ahead(Ahead::Thread);
            store.preparation(Preparation::ZerosAhead(64 * 1024)).recycling(Recycling::Keep(1))
        };
        let first = open();
        let lock = first.lock().unwrap();
        let mut writer = made(&first, ONE, SIZE);
        writer.append(&vec![1; 40_000]).unwrap();
        let closing = AtomicBool::new(false);
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                let store = open();
                while !closing.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                let lock = loop {
                    match store.lock() {
                        Ok(lock) => break lock,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
                    }
                };
                let mut writer = store.create(TWO, SIZE).unwrap();
                writer.append(b"second").unwrap();
                writer.syncer().sync().unwrap();
                assert_eq!(start(&store, TWO, 6), b"second");
                drop(lock);
            });
            closing.store(true, Ordering::Release);
            drop(writer);
            drop(lock);
            drop(first);
            second.join().unwrap();
        });
    }
}

/// S7: one store, two lives, and another owner in between, who removed the spare that the first life had
/// ready: the second took it from its books, and was poisoned.
#[test]
fn s7_stale_spare() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap().ahead(Ahead::Caller);
    let lock = store.lock().unwrap();
    let mut writer = made(&store, ONE, SIZE);
    writer.append(&vec![1; 40_000]).unwrap();
    assert!(store.prepare_next().unwrap());
    drop((writer, lock));
    drop(held(FileStore::open(dir.path()).unwrap()));
    let _lock = store.lock().unwrap();
    let mut writer = store.create(TWO, SIZE).unwrap();
    writer.append(b"x").unwrap();
    writer.syncer().sync().unwrap();
    assert_eq!(start(&store, TWO, 1), b"x");
}

/// A writer may still write to the file that it has open: that file never becomes another segment.
#[test]
fn a_file_that_has_a_writer_is_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = held(FileStore::open(dir.path()).unwrap().recycling(Recycling::Keep(4)));
    let mut old = made(&*store, ONE, SIZE);
    made(&*store, TWO, SIZE);
    store.remove(&[ONE, TWO]).unwrap();
    let mut new = made(&*store, THREE, SIZE);
    let mut newest = made(&*store, SegmentId::new(4), SIZE);
    new.append(&[3; 100]).unwrap();
    newest.append(&[4; 100]).unwrap();
    old.append(&[1; 100]).unwrap();
    assert_eq!(start(&*store, THREE, 100), [3; 100]);
    assert_eq!(start(&*store, SegmentId::new(4), 100), [4; 100]);
}
