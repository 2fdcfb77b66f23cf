//! The anchor is a file like any other: it has an owner, and comes whole.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use wal_core::{Files, SegmentStore};
use wal_segment::FileStore;
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk, SimFiles};

use super::common::held;
use super::names;

fn store(disk: &SimDisk) -> FileStore {
    FileStore::over(Arc::new(SimFiles::new(disk.clone())))
}

/// Whenever the power goes while it is made or replaced, there is the one before or the new one, and
/// nothing is left over once the store was locked again.
#[test]
fn an_anchor_is_replaced_whole_whenever_the_power_goes() {
    for before in [None, Some(&b"before"[..])] {
        for operation in 0.. {
            let disk = SimDisk::new(Profile::STRICT);
            let first = held(store(&disk));
            if let Some(before) = before {
                first.write_anchor(before).unwrap();
            }
            disk.crash_at(disk.operations() + operation);
            let written = first.write_anchor(b"after");
            for choice in disk.extremes() {
                let left = disk.power_cut(choice);
                let after = held(store(&left));
                let found = after.read_anchor().unwrap();
                let is_new = found.as_deref() == Some(b"after");
                let fine = is_new || written.is_err() && found.as_deref() == before;
                assert!(fine, "{before:?}, {operation}, {choice}: {found:?}");
                let spare = |name: &String| name.starts_with("spare-");
                assert!(!SimFiles::new(left.clone()).list().unwrap().iter().any(spare));
                after.write_anchor(b"again").unwrap();
            }
            if written.is_ok() {
                break;
            }
        }
    }
}

/// A process that is killed between the write and the sync leaves an anchor that reads well and is not on
/// the disk. The next write went over the other one, the only one that was: the power gone in the middle
/// of that, both were torn, and the log did not open any more.
#[test]
fn an_anchor_that_no_sync_covered_is_not_counted_on() {
    for operation in 0.. {
        let disk = SimDisk::new(Profile::STRICT);
        let first = held(store(&disk));
        first.write_anchor(b"first").unwrap();
        first.write_anchor(b"second").unwrap();
        disk.crash_at(disk.operations() + operation);
        let through = first.write_anchor(b"third").is_ok();
        for next in 0.. {
            let killed = disk.kill();
            let second = held(store(&killed));
            killed.crash_at(killed.operations() + next);
            let written = second.write_anchor(b"fourth").is_ok();
            let seeds = (0..40).map(CutChoice::Seed);
            for choice in killed.extremes().into_iter().chain(seeds) {
                let place = format!("{operation}, {next}, {choice}");
                let found = store(&killed.power_cut(choice)).read_anchor();
                let found = found.unwrap_or_else(|error| panic!("{place}: {error}"));
                assert_ne!(found.as_deref(), Some(&b"first"[..]), "{place}");
                assert!(found.is_some(), "{place}");
            }
            if written {
                break;
            }
        }
        if through {
            break;
        }
    }
}

/// A sync that failed has not written what reads well now, and a later one says nothing of it. The next
/// write went over the other slot, with the last anchor that was on the disk.
#[test]
fn an_anchor_whose_sync_failed_is_written_again() {
    for next in 0.. {
        let disk = SimDisk::new(Profile::STRICT);
        let first = held(store(&disk));
        first.write_anchor(b"first").unwrap();
        first.write_anchor(b"second").unwrap();
        disk.fail(FaultRule::next(Call::Sync, Fault::Dropped));
        first.write_anchor(b"third").unwrap_err();
        disk.crash_at(disk.operations() + next);
        let written = first.write_anchor(b"fourth").is_ok();
        for choice in disk.extremes().into_iter().chain((0..40).map(CutChoice::Seed)) {
            let found = store(&disk.power_cut(choice)).read_anchor();
            let found = found.unwrap_or_else(|error| panic!("{next}, {choice}: {error}"));
            assert_ne!(found.as_deref(), Some(&b"first"[..]), "{next}, {choice}");
        }
        if written {
            break;
        }
    }
}

/// The sync of the directory that makes the anchor's name durable fails, and forgets the name. The next write
/// found the file there, wrote it in place and said Ok: with the power gone there was none, and a start that
/// it alone had said was lost with it. Found by the crash search, on a full disk. Now nothing that such an
/// owner writes there is called durable, as it is with its segments.
#[test]
fn an_anchor_whose_name_is_not_known_to_be_durable_is_not_called_written() {
    let disk = SimDisk::new(Profile::STRICT);
    let first = held(store(&disk));
    disk.fail(FaultRule::next(Call::SyncDir, Fault::Dropped));
    first.write_anchor(b"first").unwrap_err();
    for bytes in [b"second", b"third."] {
        let written = first.write_anchor(bytes).is_ok();
        for choice in disk.extremes().into_iter().chain((0..40).map(CutChoice::Seed)) {
            let left = disk.power_cut(choice);
            let _held = held(store(&left));
            let found = store(&left).read_anchor().unwrap();
            assert!(!written || found.as_deref() == Some(&bytes[..]), "{choice}: {found:?}");
        }
    }
}

#[test]
fn an_anchor_that_is_there_needs_no_space() {
    let disk = SimDisk::new(Profile::STRICT);
    let first = held(store(&disk));
    first.write_anchor(b"before").unwrap();
    disk.set_room(Some(0));
    first.write_anchor(b"after").unwrap();
    first.write_anchor(b"later").unwrap();
    let left = store(&disk.power_cut(CutChoice::Nothing));
    assert_eq!(left.read_anchor().unwrap().as_deref(), Some(&b"later"[..]));
}

/// A hard-linked snapshot has an anchor too, of where the log ended then: written in place, it would say
/// that the snapshot lacks its end.
#[test]
fn f6_a_hard_linked_anchor_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let snapshot = dir.path().join("ANCHOR");
    let store = held(FileStore::open(&log).unwrap());
    store.write_anchor(b"then").unwrap();
    fs::hard_link(log.join("ANCHOR"), &snapshot).unwrap();
    let before = fs::read(&snapshot).unwrap();
    store.write_anchor(b"now").unwrap();
    store.write_anchor(b"later").unwrap();
    assert_eq!(fs::read(&snapshot).unwrap(), before);
    assert_eq!(store.read_anchor().unwrap().as_deref(), Some(&b"later"[..]));
    assert_eq!(names(&log), ["ANCHOR", "LOCK"]);
}

/// The first sync of an anchor that was found fails, and the next one says that all is well, which the
/// system does though the bytes never reached the disk. The write that followed went over the other slot,
/// the only one that was there: with the power gone in the middle of it, both were torn. Such a file is put
/// aside, and the new one gets the name; the power gone between the two leaves one of them.
#[test]
fn an_anchor_whose_first_sync_failed_is_made_anew() {
    for next in 0.. {
        let disk = SimDisk::new(Profile::STRICT);
        let first = held(store(&disk));
        first.write_anchor(b"first").unwrap();
        first.write_anchor(b"second").unwrap();
        // In the cache alone, by a process that died before its sync.
        disk.fail(FaultRule::next(Call::Sync, Fault::Ignored));
        first.write_anchor(b"third").unwrap();
        let killed = disk.kill();
        let second = held(store(&killed));
        killed.fail(FaultRule::next(Call::Sync, Fault::Dropped));
        second.write_anchor(b"fourth").unwrap_err();
        killed.heal();
        killed.crash_at(killed.operations() + next);
        let written = second.write_anchor(b"fifth").is_ok();
        for choice in killed.extremes().into_iter().chain((0..40).map(CutChoice::Seed)) {
            let place = format!("{next}, {choice}");
            let left = killed.power_cut(choice);
            let _held = held(store(&left));
            let found = store(&left).read_anchor();
            let found = found.unwrap_or_else(|error| panic!("{place}: {error}"));
            assert!(found.is_some_and(|bytes| bytes != b"first"), "{place}");
        }
        if written {
            break;
        }
    }
}

#[test]
fn what_is_no_anchor_is_told_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let anchor = dir.path().join("ANCHOR");
    let store = held(FileStore::open(dir.path()).unwrap());
    let both =
        || [store.read_anchor().map(drop).unwrap_err(), store.write_anchor(b"x").unwrap_err()];
    fs::write(&anchor, b"a text of somebody's").unwrap();
    assert!(both().iter().all(|error| error.kind() == ErrorKind::InvalidData));
    assert_eq!(fs::read(&anchor).unwrap(), b"a text of somebody's");
    // Emptied or rotten, and not one that was never written: that has no file.
    for rotten in [&b""[..], &[0; 8192]] {
        fs::write(&anchor, rotten).unwrap();
        assert_eq!(store.read_anchor().unwrap_err().kind(), ErrorKind::InvalidData);
    }
    // Nor is it where it still has our mark: both slots are rotten.
    store.write_anchor(b"x").unwrap();
    let mut rotten = fs::read(&anchor).unwrap();
    rotten[100] ^= 1;
    rotten[5000] ^= 1;
    fs::write(&anchor, rotten).unwrap();
    assert_eq!(store.read_anchor().unwrap_err().kind(), ErrorKind::InvalidData);
    // That is nobody's text: the next one is written there.
    store.write_anchor(b"x").unwrap();
    assert_eq!(store.read_anchor().unwrap().as_deref(), Some(&b"x"[..]));
    fs::remove_file(&anchor).unwrap();
    symlink("nowhere", &anchor).unwrap();
    assert_eq!(store.read_anchor().unwrap_err().kind(), ErrorKind::InvalidData);
    assert_eq!(store.write_anchor(b"x").unwrap_err().kind(), ErrorKind::AlreadyExists);
    fs::remove_file(&anchor).unwrap();
    fs::create_dir(&anchor).unwrap();
    both();
    assert_eq!(names(dir.path()), ["ANCHOR", "LOCK"]);
}
