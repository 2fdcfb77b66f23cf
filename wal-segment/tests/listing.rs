//! How often the directory is read, and that what was read is never out of date.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod common;

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use wal_core::{SegmentId, SegmentStore};
use wal_segment::{Access, FileInfo, FileStore, Files, OpenFile, OsFiles, Recycling};

use common::held;

const ONE: SegmentId = SegmentId::FIRST;
const TWO: SegmentId = SegmentId::new(2);
const THREE: SegmentId = SegmentId::new(3);

/// Files whose listings are counted.
#[derive(Debug)]
struct Counted {
    files: OsFiles,
    lists: AtomicU64,
    _dir: TempDir,
}

impl Counted {
    fn new() -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        let files = OsFiles::open(dir.path()).unwrap();
        Arc::new(Self { files, lists: AtomicU64::new(0), _dir: dir })
    }

    fn lists(&self) -> u64 {
        self.lists.swap(0, Ordering::Relaxed)
    }
}

impl Files for Counted {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        self.files.create_new(name)
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        self.files.open(name, access)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.files.list()
    }

    fn look(&self, name: &str) -> io::Result<FileInfo> {
        self.files.look(name)
    }

    fn open_dir(&self) -> io::Result<Arc<dyn OpenFile>> {
        self.files.open_dir()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.files.sync_dir()
    }

    fn random(&self) -> u64 {
        self.files.random()
    }
}

fn make(store: &FileStore, id: SegmentId) {
    store.create(id, 4096).unwrap().syncer().sync().unwrap();
}

#[test]
fn locking_and_listing_read_the_directory_once() {
    let files = Counted::new();
    make(&held(FileStore::over(files.clone())), ONE);
    make(&held(FileStore::over(files.clone())), TWO);
    files.lists();
    let store = FileStore::over(files.clone());
    let lock = store.lock().unwrap();
    assert_eq!(store.list().unwrap(), [ONE, TWO]);
    assert_eq!(files.lists(), 1);
    // What comes later looks for itself.
    assert_eq!(store.list().unwrap(), [ONE, TWO]);
    assert_eq!(files.lists(), 1);
    drop(lock);
}

#[test]
fn a_segment_that_is_made_or_removed_under_the_lock_is_seen_at_once() {
    for recycling in [Recycling::Off, Recycling::Keep(1)] {
        let files = Counted::new();
        let store = FileStore::over(files).recycling(recycling);
        let lock = store.lock().unwrap();
        make(&store, ONE);
        assert_eq!(store.list().unwrap(), [ONE]);
        drop(lock);

        let lock = store.lock().unwrap();
        store.remove(&[ONE]).unwrap();
        assert_eq!(store.list().unwrap(), []);
        drop(lock);
    }
}

/// Who gives the lock back knows nothing of what the next one does.
#[test]
fn what_another_writer_did_since_is_seen() {
    let files = Counted::new();
    let (first, second) = (FileStore::over(files.clone()), FileStore::over(files));
    let lock = first.lock().unwrap();
    make(&first, ONE);
    drop(lock);

    let lock = second.lock().unwrap();
    make(&second, TWO);
    second.remove(&[ONE]).unwrap();
    drop(lock);
    assert_eq!(first.list().unwrap(), [TWO]);

    let lock = second.lock().unwrap();
    first.lock().unwrap_err();
    make(&second, THREE);
    drop(lock);
    assert_eq!(first.list().unwrap(), [TWO, THREE]);
}

/// What is left of others is gone by then, and is in no list.
#[test]
fn what_locking_tidies_away_is_not_listed() {
    let files = Counted::new();
    let store = FileStore::over(files.clone());
    let lock = store.lock().unwrap();
    make(&store, ONE);
    drop(lock);
    let left = "spare-00c0ffee00c0ffee-7-2f0eb967.tmp";
    fs::write(files.files.dir().join(left), b"left").unwrap();
    let _lock = store.lock().unwrap();
    assert_eq!(store.list().unwrap(), [ONE]);
    let mut names = files.list().unwrap();
    names.sort();
    assert_eq!(names, ["00000000000000000001.wal", "LOCK"]);
}
