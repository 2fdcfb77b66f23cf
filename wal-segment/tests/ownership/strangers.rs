//! Files that the store did not make.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use wal_core::{Files, SegmentId, SegmentStore};
use wal_segment::{FileStore, Recycling};
use wal_testkit::{DirectoryLock, Profile, SimDisk, SimFiles};

use super::common::{held, made};
use super::{ONE, SIZE, THREE, TWO, assert_fenced, file, names, start};

/// F1: a writer whose next number was taken deleted what was there: a link, another's segment.
#[test]
fn f1_a_number_that_is_taken_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = held(FileStore::open(dir.path()).unwrap());
    made(&*store, ONE, SIZE);
    fs::write(file(dir.path(), TWO), b"another's").unwrap();
    symlink("nowhere", file(dir.path(), THREE)).unwrap();
    fs::create_dir(file(dir.path(), SegmentId::new(4))).unwrap();
    let before = names(dir.path());
    for id in [ONE, TWO, THREE, SegmentId::new(4)] {
        assert_eq!(store.create(id, SIZE).unwrap_err().kind(), ErrorKind::AlreadyExists, "{id}");
    }
    assert_eq!(names(dir.path()), before);
    assert_eq!(fs::read(file(dir.path(), TWO)).unwrap(), b"another's");
}

/// F1, later: the name was free when the segment was made, and is another's at its first sync. The
/// rename went over it.
#[test]
fn f1_a_name_that_is_taken_meanwhile_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = held(FileStore::open(dir.path()).unwrap());
    for what in ["a file", "a link", "a directory"] {
        let mut writer = store.create(ONE, SIZE).unwrap();
        writer.append(b"ours").unwrap();
        let name = file(dir.path(), ONE);
        match what {
            "a file" => fs::write(&name, b"another's").unwrap(),
            "a link" => symlink("nowhere", &name).unwrap(),
            _ => fs::create_dir(&name).unwrap(),
        }
        let error = writer.syncer().sync().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{what}: {error}");
        drop(writer);
        assert_eq!(names(dir.path()), ["00000000000000000001.wal", "LOCK"], "{what}");
        match what {
            "a directory" => fs::remove_dir(&name).unwrap(),
            _ => fs::remove_file(&name).unwrap(),
        }
    }
}

/// The file under the name is another than the one that is written: what would be acknowledged is in a
/// file without a name.
#[test]
fn f1_the_file_that_gets_the_name_is_the_one_that_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = held(FileStore::open(dir.path()).unwrap());
    let mut writer = store.create(ONE, SIZE).unwrap();
    writer.append(b"ours").unwrap();
    let own = names(dir.path()).into_iter().find(|name| name.starts_with("spare-")).unwrap();
    fs::remove_file(dir.path().join(&own)).unwrap();
    fs::write(dir.path().join(&own), b"another's").unwrap();
    assert_fenced(writer.syncer().sync());
}

/// F2: whoever removed or replaced LOCK let a second writer in, and the first went on acknowledging.
#[test]
fn f2_a_lock_file_that_is_removed_or_replaced_lets_nobody_in() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) =
        (FileStore::open(dir.path()).unwrap(), FileStore::open(dir.path()).unwrap());
    let first = held(first);
    let mut writer = made(&*first, ONE, SIZE);
    let lock = dir.path().join("LOCK");
    fs::remove_file(&lock).unwrap();
    assert_eq!(second.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
    fs::write(&lock, b"a copy").unwrap();
    assert_eq!(second.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
    writer.append(b"goes on").unwrap();
    writer.syncer().sync().unwrap();
    drop((writer, first));
    drop(second.lock().unwrap());
}

/// F2, where a directory cannot be locked: the second writer gets in, and the first finds out before it
/// acknowledges anything.
#[test]
fn f2_a_writer_whose_lock_file_was_replaced_acknowledges_nothing() {
    let disk = SimDisk::new(Profile::STRICT);
    let store = || {
        let files = SimFiles::new(disk.clone()).directory_lock(DirectoryLock::Refused);
        FileStore::over(Arc::new(files))
    };
    let (first, second) = (held(store()), store());
    let mut writer = made(&*first, ONE, SIZE);
    let mut unnamed = first.create(TWO, SIZE).unwrap();
    assert_eq!(second.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
    disk.remove("LOCK").unwrap();
    for _ in 0..2 {
        assert_fenced(first.create(THREE, SIZE));
        assert_fenced(first.trim(ONE, 0));
        assert_fenced(first.remove(&[ONE]));
        assert_fenced(first.write_anchor(b"x"));
        assert_fenced(first.prepare_next());
        writer.append(b"x").ok();
        assert_fenced(writer.syncer().sync());
        unnamed.append(b"x").ok();
        assert_fenced(unnamed.syncer().sync());
        // Also once there is another file of that name, and another writer has it.
        if disk.open("LOCK").is_err() {
            std::mem::forget(second.lock().unwrap());
        }
    }
    let names = SimFiles::new(disk).list().unwrap();
    assert!(names.contains(&"00000000000000000001.wal".to_owned()), "{names:?}");
}

/// F5: segments behind links were not seen, and a new log began at LSN 1.
#[test]
fn f5_links_to_segments_are_followed_and_never_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = dir.path().join("elsewhere");
    let log = dir.path().join("log");
    let store = held(FileStore::open(&log).unwrap());
    made(&*store, ONE, 0).append(b"moved").unwrap();
    fs::rename(file(&log, ONE), &elsewhere).unwrap();
    symlink(&elsewhere, file(&log, ONE)).unwrap();
    symlink("nowhere", file(&log, TWO)).unwrap();
    assert_eq!(store.list().unwrap(), [ONE, TWO]);
    assert_eq!(start(&*store, ONE, 9), b"moved");
    let error = store.open(TWO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("leads nowhere"), "{error}");
    // The link goes, and not what it leads to.
    store.remove(&[ONE, TWO]).unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap(), b"moved");
    assert_eq!(names(&log), ["LOCK"]);
}

/// A pipe in the place of a segment is told, and not waited for.
#[test]
fn f5_what_is_no_file_is_told_as_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo").arg(file(dir.path(), ONE)).status().unwrap();
    assert!(made.success());
    fs::create_dir(file(dir.path(), TWO)).unwrap();
    let store = FileStore::open_read_only(dir.path()).unwrap();
    assert_eq!(store.list().unwrap(), [ONE, TWO]);
    for id in [ONE, TWO] {
        assert_eq!(store.open(id).unwrap_err().kind(), ErrorKind::InvalidData, "{id}");
    }
}

/// F6: a hard-linked snapshot was overwritten by the segments that its files became.
#[test]
fn f6_a_hard_linked_snapshot_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (log, snapshot) = (dir.path().join("log"), dir.path().join("snapshot"));
    let store = held(FileStore::open(&log).unwrap().recycling(Recycling::Keep(4)));
    for id in [ONE, TWO] {
        let mut writer = made(&*store, id, SIZE);
        writer.append(&[9; 5000]).unwrap();
        writer.syncer().sync().unwrap();
    }
    fs::hard_link(file(&log, ONE), &snapshot).unwrap();
    let before = fs::read(&snapshot).unwrap();
    // What is given back of the space is the file's, under both of its names.
    store.trim(ONE, 5000).unwrap();
    store.remove(&[ONE]).unwrap();
    let mut writer = made(&*store, THREE, SIZE);
    writer.append(&[1; 5000]).unwrap();
    assert_eq!(fs::read(&snapshot).unwrap(), before);

    // One that gets its second name when it is kept already.
    store.remove(&[TWO]).unwrap();
    let kept = names(&log).into_iter().find(|name| name.starts_with("spare-")).unwrap();
    let late = dir.path().join("late");
    fs::hard_link(log.join(kept), &late).unwrap();
    let mut writer = made(&*store, SegmentId::new(4), SIZE);
    writer.append(&[1; 5000]).unwrap();
    assert_eq!(fs::read(&late).unwrap()[..5000], [9; 5000]);
}

/// F6, behind a symbolic link: the file is elsewhere, and belongs there.
#[test]
fn f6_what_a_link_leads_to_is_never_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let (log, elsewhere) = (dir.path().join("log"), dir.path().join("elsewhere"));
    let store = held(FileStore::open(&log).unwrap().recycling(Recycling::Keep(4)));
    made(&*store, ONE, SIZE).append(&[9; 5000]).unwrap();
    fs::rename(file(&log, ONE), &elsewhere).unwrap();
    symlink(&elsewhere, file(&log, ONE)).unwrap();
    store.remove(&[ONE]).unwrap();
    made(&*store, TWO, SIZE).append(&[1; 5000]).unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap()[..5000], [9; 5000]);
}

/// F8: `N.old` was deleted, which a careful person calls a file that is put aside; `N.new` likewise.
#[test]
fn f8_a_file_that_was_put_aside_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let aside = ["00000000000000000001.old", "00000000000000000002.new", "ANCHOR.new"];
    for name in aside {
        fs::write(dir.path().join(name), b"the only copy").unwrap();
    }
    let store = held(FileStore::open(dir.path()).unwrap().recycling(Recycling::Keep(4)));
    for id in [ONE, TWO] {
        made(&*store, id, SIZE);
    }
    store.write_anchor(b"anchor").unwrap();
    store.remove(&[ONE, TWO]).unwrap();
    made(&*store, THREE, SIZE);
    drop(store);
    for name in aside {
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"the only copy", "{name}");
    }
}

/// F10: one that could not be removed kept all behind it.
#[test]
fn f10_one_that_cannot_be_removed_does_not_keep_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let store = held(FileStore::open(dir.path()).unwrap());
    for id in [ONE, THREE] {
        made(&*store, id, SIZE);
    }
    fs::create_dir(file(dir.path(), TWO)).unwrap();
    let error = store.remove(&[ONE, TWO, THREE]).unwrap_err();
    assert!(error.to_string().contains("00000000000000000002.wal"), "{error}");
    assert_eq!(names(dir.path()), ["00000000000000000002.wal", "LOCK"]);
}

/// A directory that is moved is the same one still; one that is put in its place is another log's.
#[test]
fn a_directory_may_be_moved_and_one_in_its_place_is_never_touched() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    let store = held(FileStore::open(&here).unwrap());
    let mut writer = made(&*store, ONE, 0);
    fs::rename(&here, &there).unwrap();
    writer.append(b"on").unwrap();
    writer.syncer().sync().unwrap();
    made(&*store, TWO, 0);
    assert_eq!(store.list().unwrap(), [ONE, TWO]);
    assert_eq!(fs::read(file(&there, ONE)).unwrap(), b"on");

    fs::create_dir(&here).unwrap();
    fs::write(file(&here, ONE), b"another log").unwrap();
    assert_fenced(store.create(THREE, 0));
    assert_fenced(store.remove(&[ONE]));
    assert_fenced(store.list());
    assert_eq!(names(&here), ["00000000000000000001.wal"]);
    assert_eq!(fs::read(file(&here, ONE)).unwrap(), b"another log");
}
