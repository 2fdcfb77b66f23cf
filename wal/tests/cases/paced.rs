//! [`Paced`]: files of the system whose preparing thread goes as slowly as a test wants.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use wal::parts::core::{Access, FileInfo, Files, OpenFile};
use wal::parts::segment::OsFiles;

type Pace = Arc<dyn Fn() + Send + Sync>;

/// Files of a directory.
pub(crate) struct Paced {
    files: OsFiles,
    /// Called by the preparing thread before it makes a file.
    before_create: Pace,
    /// Called by the preparing thread before it syncs a file.
    before_sync: Pace,
}

impl Paced {
    pub(crate) fn new(
        dir: &Path,
        before_create: impl Fn() + Send + Sync + 'static,
        before_sync: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let files = OsFiles::create(dir).unwrap();
        Self { files, before_create: Arc::new(before_create), before_sync: Arc::new(before_sync) }
    }

    fn paced(&self, file: Arc<dyn OpenFile>) -> Arc<dyn OpenFile> {
        Arc::new(PacedFile { file, before_sync: Arc::clone(&self.before_sync) })
    }
}

fn on_the_preparing_thread() -> bool {
    thread::current().name() == Some("wal-prepare")
}

impl Files for Paced {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        if on_the_preparing_thread() {
            (self.before_create)();
        }
        self.files.create_new(name).map(|file| self.paced(file))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        self.files.open(name, access).map(|file| self.paced(file))
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

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

struct PacedFile {
    file: Arc<dyn OpenFile>,
    before_sync: Pace,
}

impl OpenFile for PacedFile {
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
        self.file.allocate(offset, len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if on_the_preparing_thread() {
            (self.before_sync)();
        }
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

impl fmt::Debug for PacedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}
