//! Opening a directory of files, whatever is there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use wal_core::{SegmentId, SegmentStore};
use wal_segment::{FileStore, OsFiles, Preparation};

use common::{held, made};

const ONE: SegmentId = SegmentId::FIRST;
const FIRST_FILE: &str = "00000000000000000001.wal";

fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect()
}

#[test]
fn open_makes_the_directory_and_all_above_it() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("a/b/c");
    made(&*held(FileStore::open(&dir).unwrap()), ONE, 10);
    assert!(dir.join(FIRST_FILE).is_file());
    assert_eq!(FileStore::open(&dir).unwrap().list().unwrap(), [ONE]);
    assert_eq!(OsFiles::open(&dir).unwrap().dir(), dir);
}

#[test]
fn a_store_that_is_not_there_is_not_found_and_not_made() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("missing");
    let error = FileStore::open_read_only(&dir).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(dir.to_str().unwrap()), "{error}");
    assert!(!dir.exists());
}

#[test]
fn a_path_that_is_a_file_is_no_directory() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        for error in
            [FileStore::open(&path).unwrap_err(), FileStore::open_read_only(&path).unwrap_err()]
        {
            assert_eq!(error.kind(), ErrorKind::NotADirectory, "{error}");
            assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        }
    }
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[test]
fn reading_only_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    made(&*held(FileStore::open(dir.path()).unwrap()), ONE, 9000).append(b"kept").unwrap();
    let before = tree(dir.path());

    let store = FileStore::open_read_only(dir.path()).unwrap();
    assert_eq!(store.list().unwrap(), [ONE]);
    let mut bytes = [0; 4];
    store.open(ONE).unwrap().read_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"kept");
    let errors = [
        store.lock().unwrap_err(),
        store.create(ONE.next(), 10).unwrap_err(),
        store.trim(ONE, 0).unwrap_err(),
        store.remove(&[ONE]).unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::PermissionDenied), "{errors:?}");

    assert_eq!(tree(dir.path()), before);
}

#[test]
fn foreign_files_are_not_listed_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["README", "1.wal", "00000000000000000001.wal.bak", "x.tmp", "LOCK2"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    // A directory of a segment's name is no segment, and is not passed over either.
    fs::create_dir(dir.path().join("00000000000000000009.wal")).unwrap();
    drop(held(FileStore::open(dir.path()).unwrap()));
    let before = tree(dir.path());

    let store = held(FileStore::open(dir.path()).unwrap());
    assert_eq!(store.list().unwrap(), [SegmentId::new(9)]);
    let error = store.open(SegmentId::new(9)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("a directory"), "{error}");
    let error = store.create(SegmentId::new(9), 10).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    made(&*store, ONE, 10);
    assert_eq!(store.list().unwrap(), [ONE, SegmentId::new(9)]);
    store.remove(&[ONE]).unwrap();

    assert_eq!(tree(dir.path()), before);
}

#[test]
fn a_directory_that_vanished_is_an_error_at_every_call() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("log");
    let store = FileStore::open(&dir).unwrap();
    fs::remove_dir(&dir).unwrap();
    let kinds = [
        store.list().unwrap_err().kind(),
        store.open(ONE).unwrap_err().kind(),
        store.lock().unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::NotFound; 3]);
    assert!(!dir.exists());
}

#[test]
fn the_file_is_as_long_as_its_preparation_says() {
    const STEP: u64 = 16 * 1024;
    let lengths = |preparation: Preparation, size: u64| {
        let dir = tempfile::tempdir().unwrap();
        let store = held(FileStore::open(dir.path()).unwrap().preparation(preparation));
        let mut writer = made(&*store, ONE, size);
        let len = || fs::metadata(dir.path().join(FIRST_FILE)).unwrap().len();
        [0, 1, STEP - 1, 1, 3 * STEP].map(|more| {
            writer.append(&vec![7; usize::try_from(more).unwrap()]).unwrap();
            len()
        })
    };
    let size = 2 * STEP + 100;
    let end = 4 * STEP + 1;
    assert_eq!(lengths(Preparation::None, size), [0, 1, STEP, STEP + 1, end]);
    assert_eq!(lengths(Preparation::Whole, size), [size, size, size, size, end]);
    assert_eq!(lengths(Preparation::ZeroFill, size), [size, size, size, size, end]);
    assert_eq!(lengths(Preparation::Chunks(STEP), size), [STEP, STEP, STEP, 2 * STEP, end]);
    assert_eq!(lengths(Preparation::Chunks(STEP), 100)[0], 100);
    assert_eq!(lengths(Preparation::Chunks(0), size)[..2], [4096, 4096]);
}

#[test]
fn a_size_beyond_every_file_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = held(FileStore::open(dir.path()).unwrap());
    let error = store.create(ONE, u64::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    assert_eq!(store.list().unwrap(), []);
    let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["LOCK"]);
}

/// A process that died while it made a segment leaves a file that is none: it is not taken for a
/// segment, and goes when the store is next locked. Only a file of exactly such a name goes.
#[test]
fn what_is_left_of_an_unfinished_segment_goes_with_the_next_lock() {
    let dir = tempfile::tempdir().unwrap();
    let own = "spare-00c0ffee00c0ffee-7-2f0eb967.tmp";
    let others = [
        "00000000000000000001.new",
        "00000000000000000001.old",
        "spare-00c0ffee00c0ffee-7-2f0eb968.tmp",
        "spare-mine.tmp",
        "mine.new",
    ];
    for name in others.into_iter().chain([own]) {
        fs::write(dir.path().join(name), b"garbage").unwrap();
    }
    let store = FileStore::open(dir.path()).unwrap();
    assert!(store.list().unwrap().is_empty());
    let store = held(store);
    assert!(!dir.path().join(own).exists());
    made(&*store, ONE, 4096).append(b"sound").unwrap();
    let mut bytes = [0; 7];
    assert!(store.open(ONE).unwrap().read_at(0, &mut bytes).unwrap() >= 5);
    assert_eq!(&bytes, b"sound\0\0");
    for name in others {
        assert_eq!(fs::read(dir.path().join(name)).unwrap(), b"garbage", "{name}");
    }
}

/// What has a spare's name and is no file of ours is left alone: nothing is removed by name only.
#[test]
fn a_spares_name_with_something_else_behind_it_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let name = dir.path().join("spare-00c0ffee00c0ffee-7-2f0eb967.tmp");
    std::os::unix::fs::symlink("/nowhere", &name).unwrap();
    drop(held(FileStore::open(dir.path()).unwrap()));
    assert!(fs::symlink_metadata(&name).is_ok());
    fs::remove_file(&name).unwrap();
    fs::create_dir(&name).unwrap();
    drop(held(FileStore::open(dir.path()).unwrap()));
    assert!(name.is_dir());
}
