//! [`YieldingFiles`]: something happens between any two file operations.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;

use wal_core::{Access, FileInfo, Files, OpenFile};

/// A place between two operations of a store of files: before this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Before {
    /// Making or opening a file, listing or opening the directory.
    Open,
    /// Looking at what is behind a name.
    Look,
    /// Removing a name.
    Remove,
    /// Giving a file another name.
    Rename,
    /// Reading bytes or what is known of a file.
    Read,
    /// Writing, allocating or cutting.
    Write,
    /// Syncing a file or the directory. A store may hold locks then that make others wait.
    Sync,
}

type Yield = dyn Fn(Before) + Send + Sync;

/// Files that call a function before each operation: there another thread can be let in, or its work
/// be done in its stead. The function itself may use the files that are wrapped.
#[derive(Clone)]
pub struct YieldingFiles {
    files: Arc<dyn Files>,
    between: Arc<Yield>,
}

impl YieldingFiles {
    /// These files, with this between any two operations.
    pub fn new(files: Arc<dyn Files>, between: impl Fn(Before) + Send + Sync + 'static) -> Self {
        Self { files, between: Arc::new(between) }
    }

    fn opened(&self, file: Arc<dyn OpenFile>) -> Arc<dyn OpenFile> {
        Arc::new(YieldingFile { file, between: Arc::clone(&self.between) })
    }
}

impl Files for YieldingFiles {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        (self.between)(Before::Open);
        Ok(self.opened(self.files.create_new(name)?))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        (self.between)(Before::Open);
        Ok(self.opened(self.files.open(name, access)?))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        (self.between)(Before::Open);
        self.files.list()
    }

    fn look(&self, name: &str) -> io::Result<FileInfo> {
        (self.between)(Before::Look);
        self.files.look(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        (self.between)(Before::Remove);
        self.files.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        (self.between)(Before::Rename);
        self.files.rename(from, to)
    }

    fn open_dir(&self) -> io::Result<Arc<dyn OpenFile>> {
        (self.between)(Before::Open);
        Ok(self.opened(self.files.open_dir()?))
    }

    fn sync_dir(&self) -> io::Result<()> {
        (self.between)(Before::Sync);
        self.files.sync_dir()
    }

    fn random(&self) -> u64 {
        self.files.random()
    }
}

impl fmt::Debug for YieldingFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

struct YieldingFile {
    file: Arc<dyn OpenFile>,
    between: Arc<Yield>,
}

impl OpenFile for YieldingFile {
    fn size(&self) -> io::Result<u64> {
        (self.between)(Before::Read);
        self.file.size()
    }

    fn info(&self) -> io::Result<FileInfo> {
        (self.between)(Before::Read);
        self.file.info()
    }

    fn block_size(&self) -> io::Result<u64> {
        self.file.block_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (self.between)(Before::Read);
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        (self.between)(Before::Write);
        self.file.write_at(offset, bytes)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        (self.between)(Before::Write);
        self.file.allocate(offset, len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        (self.between)(Before::Write);
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        (self.between)(Before::Sync);
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        (self.between)(Before::Sync);
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

impl fmt::Debug for YieldingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}
