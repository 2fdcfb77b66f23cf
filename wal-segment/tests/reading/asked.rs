//! What the ways ask of the files.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use wal_core::{SegmentReader, SegmentStore};
use wal_segment::{
    Access, DIRECT_ALIGNMENT, FileInfo, FileStore, Files, OpenFile, OsFiles, Reading,
};

use crate::{ONE, directory};

/// Files that note how they are opened and read. A file that passes the cache is held to what that
/// asks for, and at the most 5000 bytes are read at once.
#[derive(Debug)]
struct Watched {
    files: OsFiles,
    refuses_direct: bool,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    opened: Mutex<Vec<Access>>,
    reads: AtomicU64,
    advice: AtomicU64,
}

#[derive(Debug)]
struct WatchedFile {
    file: Arc<dyn OpenFile>,
    access: Access,
    seen: Arc<Seen>,
}

impl Files for Watched {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        self.files.create_new(name)
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        if access.passes_cache() && self.refuses_direct {
            return Err(ErrorKind::Unsupported.into());
        }
        self.seen.opened.lock().unwrap().push(access);
        let file = self.files.open(name, access)?;
        Ok(Arc::new(WatchedFile { file, access, seen: Arc::clone(&self.seen) }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
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

impl OpenFile for WatchedFile {
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
        if self.seen.reads.fetch_add(1, Ordering::Relaxed) % 5 == 3 {
            return Err(ErrorKind::Interrupted.into());
        }
        let mut most = buffer.len().min(5000);
        if self.access.passes_cache() {
            let alignment = DIRECT_ALIGNMENT;
            assert!(offset.is_multiple_of(alignment as u64), "offset {offset}");
            assert!(buffer.len().is_multiple_of(alignment), "length {}", buffer.len());
            assert!(buffer.as_ptr().addr().is_multiple_of(alignment), "memory");
            most = buffer.len().min(2 * alignment);
        }
        self.file.read_at(offset, &mut buffer[..most])
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(offset, bytes)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
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

    fn reads_on(&self) {
        self.seen.advice.fetch_add(1, Ordering::Relaxed);
        self.file.reads_on();
    }

    fn try_lock(&self) -> io::Result<()> {
        self.file.try_lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }

    fn forget(&self, offset: u64, len: u64) {
        self.file.forget(offset, len);
    }

    fn as_file(&self) -> Option<&File> {
        // No file of the operating system: only bytes that pass here are counted.
        None
    }

    fn is_called(&self, name: &str) {
        self.file.is_called(name);
    }
}

/// A segment of these bytes, and the files it is in.
fn written(bytes: &[u8], refuses_direct: bool) -> (tempfile::TempDir, Arc<Watched>) {
    let dir = directory();
    let store = FileStore::open(&dir).unwrap();
    let _lock = store.lock().unwrap();
    let mut writer = store.create(ONE, 0).unwrap();
    writer.append(bytes).unwrap();
    writer.syncer().sync().unwrap();
    let files = OsFiles::open(&dir).unwrap();
    (dir, Arc::new(Watched { files, refuses_direct, seen: Arc::default() }))
}

fn opened(files: &Arc<Watched>, way: Reading) -> io::Result<Box<dyn SegmentReader>> {
    let files: Arc<dyn Files> = files.clone();
    FileStore::over(files).reading(way).open(ONE)
}

#[cfg(target_os = "linux")]
#[test]
fn direct_reads_are_aligned_and_pass_the_cache_whatever_is_asked_for() {
    let bytes: Vec<u8> = (0..100_000_u32).map(|at| (at % 251).to_le_bytes()[0]).collect();
    let (_dir, files) = written(&bytes, false);
    let reader = opened(&files, Reading::Direct).unwrap();
    for (offset, len) in
        [(0, 1), (1, 100), (4095, 2), (4096, 4096), (5000, 20_000), (99_999, 5), (90_000, 50_000)]
    {
        let mut buffer = vec![0; len];
        let read = reader.read_at(offset as u64, &mut buffer).unwrap();
        assert_eq!(read, len.min(bytes.len() - offset), "{offset} {len}");
        assert!(buffer[..read] == bytes[offset..offset + read], "{offset} {len}");
    }
    assert_eq!(*files.seen.opened.lock().unwrap(), [Access::ReadDirect]);
    assert!(files.seen.reads.load(Ordering::Relaxed) > 7);
}

#[test]
fn a_file_system_that_refuses_direct_reads_is_told_and_read_otherwise() {
    let (_dir, files) = written(b"paid 4711", true);
    let error = opened(&files, Reading::Direct).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let mut buffer = [0; 9];
    let reader = opened(&files, Reading::Buffered).unwrap();
    assert_eq!((reader.read_at(0, &mut buffer).unwrap(), &buffer), (9, b"paid 4711"));
}

/// Files that are nobody's descriptor have no map, and a build without the feature has none at all.
#[test]
fn what_cannot_be_mapped_is_refused() {
    let (_dir, files) = written(b"paid 4711", false);
    let error = opened(&files, Reading::Mapped).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn the_system_is_told_of_reads_in_sequence_and_of_no_others() {
    let bytes = vec![1; 200_000];
    let (_dir, files) = written(&bytes, false);
    let advice = || files.seen.advice.load(Ordering::Relaxed);
    let mut buffer = vec![0; 1000];

    let reader = opened(&files, Reading::Buffered).unwrap();
    for offset in [0, 90_000, 5000, 90_000, 1000, 70_000, 0, 100] {
        reader.read_at(offset, &mut buffer).unwrap();
    }
    assert_eq!(advice(), 0, "here and there");

    let reader = opened(&files, Reading::Buffered).unwrap();
    for offset in (0..200_000).step_by(1000) {
        reader.read_at(offset, &mut buffer).unwrap();
    }
    assert_eq!(advice(), 1, "from front to back");
}
