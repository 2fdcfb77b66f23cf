//! Sizes, descriptors and space.

use std::fs::{self, File};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use wal_core::{Access, FileInfo, Files, OpenFile, SegmentId, SegmentStore, make_segment};
use wal_segment::{Ahead, FileStore, OsFiles, Preparation, Recycling};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk, SimFiles};

use super::common::{held, made};
use super::{ONE, SIZE, THREE, TWO, file, names, start};

/// Files that the system refuses: to open, to make, or to take space for.
#[derive(Debug)]
struct Refused {
    files: OsFiles,
    /// The system's number of the error of every opening and making; 0 for none.
    open: AtomicI32,
    /// The same for `fallocate`.
    allocate: Arc<AtomicI32>,
}

#[derive(Debug)]
struct RefusedFile {
    file: Arc<dyn OpenFile>,
    allocate: Arc<AtomicI32>,
}

const EPERM: i32 = 1;
const EFBIG: i32 = 27;
const EMFILE: i32 = 24;

fn error(number: &AtomicI32) -> io::Result<()> {
    match number.load(Ordering::Relaxed) {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number)),
    }
}

impl Refused {
    fn new(dir: &std::path::Path) -> Arc<Self> {
        let files = OsFiles::create(dir).unwrap();
        Arc::new(Self { files, open: AtomicI32::new(0), allocate: Arc::default() })
    }

    fn wrap(&self, file: Arc<dyn OpenFile>) -> Arc<dyn OpenFile> {
        Arc::new(RefusedFile { file, allocate: Arc::clone(&self.allocate) })
    }
}

impl Files for Refused {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        error(&self.open)?;
        Ok(self.wrap(self.files.create_new(name)?))
    }
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        error(&self.open)?;
        Ok(self.wrap(self.files.open(name, access)?))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }
    fn look(&self, name: &str) -> io::Result<FileInfo> {
        self.files.look(name)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }
    fn open_dir(&self) -> io::Result<Arc<dyn OpenFile>> {
        self.files.open_dir()
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.files.sync_dir()
    }
    fn random(&self) -> u64 {
        self.files.random()
    }
}

impl OpenFile for RefusedFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn info(&self) -> io::Result<FileInfo> {
        self.file.info()
    }
    fn block_size(&self) -> io::Result<u64> {
        self.file.block_size()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(offset, bytes)
    }
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        error(&self.allocate)?;
        self.file.allocate(offset, len)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
    fn forget(&self, offset: u64, len: u64) {
        self.file.forget(offset, len);
    }
    fn reads_on(&self) {
        self.file.reads_on();
    }
    fn as_file(&self) -> Option<&File> {
        self.file.as_file()
    }
    fn is_called(&self, name: &str) {
        self.file.is_called(name);
    }
    fn try_lock(&self) -> io::Result<()> {
        self.file.try_lock()
    }
    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }
}

/// S8: too many open files at the making of a segment. Nothing is left of it, and it goes once there are
/// fewer, with the files that were kept.
#[test]
fn s8_emfile_at_the_making_of_a_segment_can_be_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let files = Refused::new(dir.path());
    let store = held(FileStore::over(files.clone()).recycling(Recycling::Keep(1)));
    made(&*store, ONE, SIZE);
    for (id, kept) in [(TWO, false), (THREE, true)] {
        if kept {
            store.remove(&[ONE]).unwrap();
        }
        let before = names(dir.path());
        files.open.store(EMFILE, Ordering::Relaxed);
        for _ in 0..3 {
            store.create(id, SIZE).unwrap_err();
            assert_eq!(names(dir.path()), before, "kept: {kept}");
        }
        files.open.store(0, Ordering::Relaxed);
        made(&*store, id, SIZE).append(b"x").unwrap();
        assert_eq!(start(&*store, id, 1), b"x");
    }
    // The one that was kept became the third.
    assert_eq!(names(dir.path()).len(), 3);
}

/// F9: what `fallocate` refuses is written without it.
#[test]
fn f9_space_that_may_not_be_taken_ahead_is_taken_by_writing() {
    for (refusal, taken) in [(EPERM, SIZE), (EFBIG, 0)] {
        let dir = tempfile::tempdir().unwrap();
        let files = Refused::new(dir.path());
        let store = held(FileStore::over(files.clone()).preparation(Preparation::Whole));
        files.allocate.store(refusal, Ordering::Relaxed);
        let mut writer = made(&*store, ONE, SIZE);
        assert_eq!(fs::metadata(file(dir.path(), ONE)).unwrap().len(), taken, "{refusal}");
        assert_eq!(writer.space().durable_len, taken, "{refusal}");
        writer.append(b"x").unwrap();
        writer.syncer().sync().unwrap();
        assert_eq!(start(&*store, ONE, 1), b"x", "{refusal}");
    }
}

/// F9: an error of space says what was asked for, and where. The store and the making of a segment, which
/// all stores share, both said so: `no room for 65536 bytes: no room for a segment of 65536 bytes`, with a
/// `Debug` of the store in between.
#[test]
fn f9_an_error_of_space_names_the_size_and_the_setting_once() {
    let disk = SimDisk::new(Profile::STRICT);
    disk.set_room(Some(10_000));
    let store = held(FileStore::over(Arc::new(SimFiles::new(disk))));
    for (wanted, named) in
        [(SIZE, "65536 bytes (the"), (2 * SIZE, "65536 bytes, nor for one of 131072")]
    {
        let error = make_segment(&*store, &mut ONE.clone(), wanted, SIZE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let text = error.to_string();
        assert!(text.contains(named), "{text}");
        for once in ["no room", "setting segment_size"] {
            assert_eq!(text.matches(once).count(), 1, "{once}: {text}");
        }
        assert!(!text.contains('{'), "a Debug: {text}");
    }
}

/// S8: one large batch, and its file of 60 MiB went on as a segment of 1 MiB for ever.
#[test]
fn s8_oversize_a_file_that_is_used_again_has_the_size_that_is_asked_for() {
    for preparation in [Preparation::None, Preparation::Whole, Preparation::ZeroFill] {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::open(dir.path()).unwrap().preparation(preparation);
        let store = held(store.recycling(Recycling::Keep(4)));
        let mut writer = made(&*store, ONE, SIZE);
        writer.append(&vec![1; 6 << 20]).unwrap();
        writer.syncer().sync().unwrap();
        drop(writer);
        store.remove(&[ONE]).unwrap();
        let writer = made(&*store, TWO, SIZE);
        let len = fs::metadata(file(dir.path(), TWO)).unwrap().len();
        assert_eq!((len, writer.space().durable_len), (SIZE, SIZE), "{preparation:?}");
        drop(writer);
        // And one that is too short is made longer.
        store.trim(TWO, 5000).unwrap();
        store.remove(&[TWO]).unwrap();
        made(&*store, THREE, SIZE);
        let len = fs::metadata(file(dir.path(), THREE)).unwrap().len();
        let wanted = if preparation == Preparation::None { 8192 } else { SIZE };
        assert_eq!(len, wanted, "{preparation:?}");
    }
}

/// S8: what is made ready for a segment of one size does not become one of another, and stays ready.
#[test]
fn s8_a_spare_becomes_a_segment_of_its_own_size_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = held(FileStore::open(dir.path()).unwrap().ahead(Ahead::Caller));
    let mut writer = made(&*store, ONE, SIZE);
    writer.append(&vec![1; 40_000]).unwrap();
    assert!(store.prepare_next().unwrap());
    let ready = || names(dir.path()).into_iter().find(|name| name.starts_with("spare-"));
    let spare = ready().unwrap();
    made(&*store, SegmentId::new(1 << 63), 4096);
    let len = fs::metadata(file(dir.path(), SegmentId::new(1 << 63))).unwrap().len();
    assert_eq!((len, ready()), (4096, Some(spare)));
    made(&*store, TWO, SIZE);
    assert_eq!(ready(), None);
}

/// A life's last sync failed, and forgot that the file had become longer. The next life found the length in
/// the cache, used the file again as long as that, and its header counted on it: no later sync made it so, and
/// with the power gone the newest segment was shorter than its header said, which is damage. Found by the
/// crash search.
#[test]
fn a_length_that_a_failed_sync_forgot_is_not_counted_on() {
    let disk = SimDisk::new(Profile::STRICT);
    let store = || {
        let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())));
        held(store.preparation(Preparation::None).recycling(Recycling::Keep(1)))
    };
    let first = store();
    let mut writer = made(&*first, ONE, SIZE);
    writer.append(&vec![1; 20_000]).unwrap();
    disk.fail(FaultRule::next(Call::Sync, Fault::Dropped));
    writer.syncer().sync().unwrap_err();
    drop((writer, first));

    let second = store();
    second.remove(&[ONE]).unwrap();
    let writer = made(&*second, TWO, SIZE);
    let counted = writer.space().durable_len;
    let left = disk.power_cut(CutChoice::Nothing);
    let left = FileStore::over(Arc::new(SimFiles::new(left)));
    let size = left.open(TWO).unwrap().size().unwrap();
    assert!(size >= counted, "{size} bytes, and {counted} were counted on");
}
