//! Which system calls stand behind each verb, in which order: what a power cut may take follows
//! from that.

use wal_core::SegmentStore;
use wal_segment::{Ahead, FileStore, Files, Preparation, Recycling};

use super::disk::Call::{
    self, Allocate, BlockSize, CreateNew, Info, List, Look, Open, OpenDir, Remove, Rename, SetLen,
    SyncAll, SyncData, SyncDir, TryLock, WriteAt,
};
use super::disk::{Disk, Kind};
use super::{SIZE, held, id, made};

fn calls(disk: &Disk) -> Vec<Call> {
    disk.take_calls().into_iter().map(|(call, _)| call).collect()
}

/// A crash before the last call leaves no segment, whatever became of the file's bytes; one after
/// it leaves the segment with every byte.
#[test]
fn a_segment_gets_its_name_once_its_first_bytes_are_durable() {
    for (preparation, prepares) in [
        (Preparation::None, vec![]),
        (Preparation::Whole, vec![Allocate]),
        (Preparation::Chunks(4096), vec![Allocate]),
        (Preparation::ZeroFill, vec![Allocate, WriteAt, SyncData]),
    ] {
        let disk = Disk::new(Kind::Usual);
        let store = held(FileStore::over(disk.clone()).preparation(preparation));
        calls(&disk);
        let mut writer = store.create(id(1), SIZE).unwrap();
        let expected: Vec<_> = [Look, CreateNew].into_iter().chain(prepares).collect();
        assert_eq!(calls(&disk), expected, "{preparation:?}");
        writer.append(&[1; 500]).unwrap();
        writer.syncer().sync().unwrap();
        let named = [WriteAt, SyncAll, Rename, Look, Info, SyncDir];
        assert_eq!(calls(&disk), named, "{preparation:?}");
    }
}

/// The file of a segment that went never has two names: it is no segment, durably, before it
/// becomes a spare, and no spare, durably, before it becomes a segment.
#[test]
fn a_recycled_file_changes_its_name_durably_at_each_step() {
    let disk = Disk::new(Kind::Usual);
    let store = held(FileStore::over(disk.clone()).recycling(Recycling::Keep(1)));
    made(&*store, id(1), SIZE);
    made(&*store, id(2), SIZE);
    calls(&disk);
    store.remove(&[id(1), id(2)]).unwrap();
    assert_eq!(calls(&disk), [Look, Rename, SyncDir, Remove, SyncDir]);
    let writer = store.create(id(3), SIZE).unwrap();
    // The length, recorded anew.
    assert_eq!(calls(&disk), [Look, Open, Info, SetLen, SetLen]);
    writer.syncer().sync().unwrap();
    assert_eq!(calls(&disk), [SyncAll, Rename, Look, Info, SyncDir]);
}

/// What is done ahead need not be done when the segment is needed.
#[test]
fn a_segment_that_was_prepared_ahead_is_only_opened() {
    let disk = Disk::new(Kind::Usual);
    let store = FileStore::over(disk.clone()).preparation(Preparation::ZeroFill);
    let store = held(store.ahead(Ahead::Caller));
    let mut writer = made(&*store, id(1), SIZE);
    writer.append(&[1; 10_000]).unwrap();
    assert!(!store.prepare_next().unwrap(), "wanted before half of the segment is written");
    writer.append(&[1]).unwrap();
    calls(&disk);
    assert!(store.prepare_next().unwrap());
    assert_eq!(calls(&disk), [CreateNew, Allocate, WriteAt, SyncData, SyncAll]);
    assert!(!store.prepare_next().unwrap(), "one is ready");
    let next = store.create(id(2), SIZE).unwrap();
    assert_eq!(calls(&disk), [Look]);
    drop(next);
    writer.append(&[1]).unwrap();
    assert!(!store.prepare_next().unwrap(), "it was said once");
}

#[test]
fn an_append_is_one_write_and_a_sync_one_sync() {
    let disk = Disk::new(Kind::Usual);
    let store = held(FileStore::over(disk.clone()));
    let mut writer = made(&*store, id(1), SIZE);
    let syncer = writer.syncer();
    calls(&disk);
    writer.append(&[1; 500]).unwrap();
    assert_eq!(calls(&disk), [WriteAt]);
    syncer.sync().unwrap();
    assert_eq!(calls(&disk), [SyncData]);
}

#[test]
fn chunks_are_taken_ahead_of_the_end_and_once_each() {
    let disk = Disk::new(Kind::Usual);
    let store = held(FileStore::over(disk.clone()).preparation(Preparation::Chunks(4096)));
    let mut writer = made(&*store, id(1), SIZE);
    calls(&disk);
    for (len, expected) in [
        (4096, vec![WriteAt]),
        (1, vec![Allocate, WriteAt]),
        (4095, vec![WriteAt]),
        (5000, vec![Allocate, WriteAt]),
    ] {
        writer.append(&vec![1; len]).unwrap();
        assert_eq!(calls(&disk), expected, "{len}");
    }
}

#[test]
fn remove_syncs_the_directory_after_every_segment() {
    let disk = Disk::new(Kind::Usual);
    let store = held(FileStore::over(disk.clone()));
    made(&*store, id(1), SIZE);
    made(&*store, id(3), SIZE);
    calls(&disk);
    store.remove(&[id(1), id(2), id(3)]).unwrap();
    assert_eq!(calls(&disk), [Remove, SyncDir, Remove, SyncDir, Remove, SyncDir]);
}

/// Also where there is nothing to cut: a process that cut it may have died before its sync.
#[test]
fn trim_always_syncs() {
    let disk = Disk::new(Kind::Usual);
    let store = held(FileStore::over(disk.clone()));
    made(&*store, id(1), SIZE);
    calls(&disk);
    store.trim(id(1), 1).unwrap();
    assert_eq!(calls(&disk), [Look, Open, BlockSize, Info, SetLen, SyncAll]);
    store.trim(id(1), 1).unwrap();
    assert_eq!(calls(&disk), [Look, Open, BlockSize, Info, SyncAll]);
}

/// Also the lock makes what the directory shows durable: the process that was here before may have
/// died between a change and its sync.
#[test]
fn the_lock_syncs_the_directory() {
    let disk = Disk::new(Kind::Usual);
    let store = FileStore::over(disk.clone());
    drop(store.lock().unwrap());
    let then = [TryLock, Info, Look, Look, WriteAt, SetLen, List, SyncDir];
    assert_eq!(calls(&disk), [&[OpenDir, TryLock, CreateNew], &then[..]].concat());
    drop(store.lock().unwrap());
    assert_eq!(calls(&disk), [&[OpenDir, TryLock, CreateNew, Open], &then[..]].concat());
}

/// A cut inside a block makes the file system write zeros into the rest of it, and so the bytes
/// before the cut again.
#[test]
fn trim_never_cuts_inside_a_block_of_the_file_system() {
    for (block, len, left) in [(512, 1, 4096), (4096, 5000, 8192), (16384, 5000, 16384)] {
        let disk = Disk::new(Kind::Blocks(block));
        let store = held(FileStore::over(disk.clone()));
        made(&*store, id(1), 100_000).append(&vec![1; 20_000]).unwrap();
        store.trim(id(1), len).unwrap();
        assert_eq!(store.open(id(1)).unwrap().size().unwrap(), left);
    }
}

#[test]
fn a_file_system_that_cannot_allocate_gets_zeros_or_nothing() {
    for (preparation, size) in [(Preparation::Whole, SIZE), (Preparation::Chunks(4096), 0)] {
        let disk = Disk::new(Kind::NoAllocate);
        let store = held(FileStore::over(disk.clone()).preparation(preparation));
        let mut writer = made(&*store, id(1), SIZE);
        assert_eq!(store.open(id(1)).unwrap().size().unwrap(), size, "{preparation:?}");
        calls(&disk);
        writer.append(&[1; 500]).unwrap();
        assert_eq!(calls(&disk), [WriteAt], "{preparation:?}");
        assert_eq!(disk.list().unwrap().len(), 2, "the segment and LOCK");
    }
}
