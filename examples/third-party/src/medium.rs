//! [`Medium`]: what [`OneFile`](crate::OneFile) needs of a file.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use wal_core::StoreLock;

/// One file, as far as the store looks at it. A test passes a simulated one.
pub trait Medium: Send + Sync + fmt::Debug {
    /// As `pread`: may be short.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// As `pwrite`: may be short.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Makes every write that returned before the call durable, the file's length included.
    fn sync(&self) -> io::Result<()>;

    /// Takes the file for writing; [`WouldBlock`](io::ErrorKind::WouldBlock) while it is taken.
    fn lock(&self) -> io::Result<Box<dyn StoreLock>>;
}

/// A file of the operating system.
#[derive(Debug)]
pub struct FileMedium {
    file: File,
    path: PathBuf,
}

impl FileMedium {
    /// Opens the file, and makes it, durably, where there is none.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_owned();
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path)?;
        file.sync_all()?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(Self { file, path })
    }
}

impl Medium for FileMedium {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// A lock belongs to an open file: a second one, of this process too, is refused.
    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        let file = File::open(&self.path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(FileLock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[derive(Debug)]
struct FileLock {
    _file: File,
}

impl StoreLock for FileLock {}
