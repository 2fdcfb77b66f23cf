//! Symbolic links in the place of the store's files: what they lead to is somebody's.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use wal_core::{Access, FileInfo, Files, OpenFile, SegmentStore};
use wal_segment::{FileStore, OsFiles};

use super::common::{held, made};
use super::{ONE, SIZE, assert_fenced, file, names};

/// A snapshot taken by links (`cp -s`) was cut at the first opening, and its anchor went on with the log:
/// then the snapshot itself was shorter than its writer had left it, and lacked its end.
#[test]
fn a_snapshot_that_links_lead_to_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (log, snapshot) = (dir.path().join("log"), dir.path().join("snapshot"));
    {
        let store = held(FileStore::open(&snapshot).unwrap());
        made(&*store, ONE, SIZE).append(&[9; 5000]).unwrap();
        store.write_anchor(b"then").unwrap();
    }
    fs::create_dir(&log).unwrap();
    symlink(file(&snapshot, ONE), file(&log, ONE)).unwrap();
    symlink(snapshot.join("ANCHOR"), log.join("ANCHOR")).unwrap();
    let held_by_snapshot = || [fs::read(file(&snapshot, ONE)), fs::read(snapshot.join("ANCHOR"))];
    let before = held_by_snapshot().map(io::Result::unwrap);

    let store = held(FileStore::open(&log).unwrap());
    store.trim(ONE, 5000).unwrap();
    assert_eq!(store.read_anchor().unwrap().as_deref(), Some(&b"then"[..]));
    store.write_anchor(b"now").unwrap();
    store.write_anchor(b"later").unwrap();
    assert_eq!(store.read_anchor().unwrap().as_deref(), Some(&b"later"[..]));
    let after = held_by_snapshot().map(io::Result::unwrap);
    assert!(before == after, "the snapshot has changed");
    assert_eq!(names(&log), ["00000000000000000001.wal", "ANCHOR", "LOCK"]);
}

/// The text for people was written over whatever `LOCK` led to.
#[test]
fn what_a_link_called_lock_leads_to_is_not_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let (log, letter) = (dir.path().join("log"), dir.path().join("letter"));
    fs::create_dir(&log).unwrap();
    fs::write(&letter, b"a letter").unwrap();
    symlink(&letter, log.join("LOCK")).unwrap();
    let store = held(FileStore::open(&log).unwrap());
    made(&*store, ONE, SIZE);
    assert_eq!(fs::read(&letter).unwrap(), b"a letter");
}

/// Where a directory cannot be locked: a link in the place of `LOCK` counted as the file that was locked,
/// whatever it led to. A second writer locked that, and both acknowledged.
#[test]
fn f2_a_lock_file_that_was_replaced_by_a_link_fences_its_writer() {
    let dir = tempfile::tempdir().unwrap();
    let (log, other) = (dir.path().join("log"), dir.path().join("other"));
    let first = held(without_directory_lock(&log));
    let mut writer = made(&*first, ONE, SIZE);
    fs::write(&other, b"").unwrap();
    fs::rename(log.join("LOCK"), dir.path().join("aside")).unwrap();
    // The file that is locked, behind a link, is the lock still.
    symlink(dir.path().join("aside"), log.join("LOCK")).unwrap();
    writer.append(b"x").unwrap();
    writer.syncer().sync().unwrap();
    for leads_to in [&other, Path::new("nowhere")] {
        fs::remove_file(log.join("LOCK")).unwrap();
        symlink(leads_to, log.join("LOCK")).unwrap();
        assert_fenced(first.write_anchor(b"x"));
    }
    writer.append(b"y").ok();
    assert_fenced(writer.syncer().sync());
}

fn without_directory_lock(dir: &Path) -> FileStore {
    FileStore::over(Arc::new(LockFileAlone(OsFiles::create(dir).unwrap())))
}

/// Files of a system that locks no directories.
#[derive(Debug)]
struct LockFileAlone(OsFiles);

impl Files for LockFileAlone {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        self.0.create_new(name)
    }
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        self.0.open(name, access)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn look(&self, name: &str) -> io::Result<FileInfo> {
        self.0.look(name)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn open_dir(&self) -> io::Result<Arc<dyn OpenFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }
    fn random(&self) -> u64 {
        self.0.random()
    }
}
