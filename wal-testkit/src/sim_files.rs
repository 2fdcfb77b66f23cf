//! [`SimFiles`]: the file operations of a file store, done on the simulated disk.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use wal_core::{Access, DIRECT_ALIGNMENT, FileId, FileInfo, FileKind, Files, OpenFile};

use crate::chance::Chance;
use crate::{SimDisk, SimFile, SimLock};

/// The files of a [`SimDisk`], for `wal_segment::FileStore::over`: what is tested then is the code
/// that ships, down to its calls of the system.
///
/// What is written into a file `LOCK` is for people, and differs from process to process: it is kept
/// off the disk, so that the same case gives the same bytes.
#[derive(Debug)]
pub struct SimFiles {
    /// As it was given, for the test.
    given: SimDisk,
    disk: SimDisk,
    directory_lock: DirectoryLock,
}

/// Whether the directory itself can be locked, as on most file systems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DirectoryLock {
    /// It can.
    #[default]
    Works,
    /// It cannot, as on NFS and on Windows: only files can.
    Refused,
}

impl SimFiles {
    /// The files of this disk, as an [opener](SimDisk::opener) of its own.
    pub fn new(disk: SimDisk) -> Self {
        Self { disk: disk.opener(), given: disk, directory_lock: DirectoryLock::default() }
    }

    /// The directory can be locked, or cannot.
    pub fn directory_lock(mut self, lock: DirectoryLock) -> Self {
        self.directory_lock = lock;
        self
    }

    /// The disk below, as it was given.
    #[expect(clippy::misnamed_getters, reason = "`disk` is what this store opens files as")]
    pub fn disk(&self) -> &SimDisk {
        &self.given
    }

    fn opened(&self, name: &str, file: SimFile, access: Access) -> Arc<dyn OpenFile> {
        let (disk, name) = (self.disk.clone(), name.to_owned());
        Arc::new(SimOpenFile { disk, name, file, access, lock: Mutex::default() })
    }
}

impl Files for SimFiles {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        Ok(self.opened(name, self.disk.create_new(name)?, Access::Write))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        let file = self.disk.open(name)?;
        if !matches!(access, Access::Read | Access::ReadDirect) {
            file.writes();
        }
        Ok(self.opened(name, file, access))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn look(&self, name: &str) -> io::Result<FileInfo> {
        info(&self.disk.open(name)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename_new(from, to)
    }

    fn open_dir(&self) -> io::Result<Arc<dyn OpenFile>> {
        match self.directory_lock {
            DirectoryLock::Works => {
                Ok(Arc::new(SimDirectory { disk: self.disk.clone(), lock: Mutex::default() }))
            }
            DirectoryLock::Refused => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }

    /// Another one for every opener, and whenever something was done on the disk meanwhile; the same
    /// in every run.
    fn random(&self) -> u64 {
        Chance::new(self.disk.operations() ^ self.disk.identity() << 40).next()
    }
}

fn info(file: &SimFile) -> io::Result<FileInfo> {
    let id = FileId { device: 0, inode: file.number() };
    Ok(FileInfo::new(Some(id), FileKind::File, file.links()?, file.size()?))
}

#[derive(Debug)]
struct SimOpenFile {
    disk: SimDisk,
    name: String,
    file: SimFile,
    access: Access,
    lock: Mutex<Option<SimLock>>,
}

impl SimOpenFile {
    fn is_lock(&self) -> bool {
        self.name == "LOCK"
    }

    /// A write that syncs itself is a write and a sync: a power cut may come between the two.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.aligned(offset, bytes)?;
        let written = self.file.write_at(offset, bytes)?;
        if matches!(self.access, Access::WriteSynced | Access::WriteDirect) {
            self.file.sync_data()?;
        }
        Ok(written)
    }

    fn aligned(&self, offset: u64, memory: &[u8]) -> io::Result<()> {
        let aligned = offset.is_multiple_of(DIRECT_ALIGNMENT as u64)
            && memory.len().is_multiple_of(DIRECT_ALIGNMENT)
            && memory.as_ptr().addr().is_multiple_of(DIRECT_ALIGNMENT);
        if !self.access.passes_cache() || aligned {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "direct access that is not aligned"))
    }
}

impl OpenFile for SimOpenFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn info(&self) -> io::Result<FileInfo> {
        info(&self.file)
    }

    fn block_size(&self) -> io::Result<u64> {
        Ok(4096)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.aligned(offset, buffer)?;
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        if self.is_lock() { Ok(bytes.len()) } else { self.write(offset, bytes) }
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.file.allocate(offset, len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.is_lock() { Ok(()) } else { self.file.set_len(len) }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    // The simulated disk keeps a file's length with its data.
    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn forget(&self, _offset: u64, _len: u64) {}

    fn reads_on(&self) {}

    fn as_file(&self) -> Option<&File> {
        None
    }

    fn is_called(&self, _name: &str) {}

    fn try_lock(&self) -> io::Result<()> {
        let file = format!("{}, file {}", self.name, self.file.number());
        take(&self.disk, &file, &self.lock)
    }

    fn unlock(&self) -> io::Result<()> {
        give_back(&self.lock)
    }
}

/// The one directory of the disk: to be locked, and nothing else.
#[derive(Debug)]
struct SimDirectory {
    disk: SimDisk,
    lock: Mutex<Option<SimLock>>,
}

impl OpenFile for SimDirectory {
    fn size(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn info(&self) -> io::Result<FileInfo> {
        // No file of the disk has this number.
        let id = FileId { device: 0, inode: u64::MAX };
        Ok(FileInfo::new(Some(id), FileKind::Directory, 1, 0))
    }

    fn block_size(&self) -> io::Result<u64> {
        Ok(4096)
    }

    fn read_at(&self, _offset: u64, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::IsADirectory.into())
    }

    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::IsADirectory.into())
    }

    fn allocate(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::IsADirectory.into())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::IsADirectory.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }

    fn forget(&self, _offset: u64, _len: u64) {}

    fn reads_on(&self) {}

    fn as_file(&self) -> Option<&File> {
        None
    }

    fn is_called(&self, _name: &str) {}

    fn try_lock(&self) -> io::Result<()> {
        take(&self.disk, "the directory", &self.lock)
    }

    fn unlock(&self) -> io::Result<()> {
        give_back(&self.lock)
    }
}

fn take(disk: &SimDisk, name: &str, lock: &Mutex<Option<SimLock>>) -> io::Result<()> {
    let mut lock = lock.lock().unwrap_or_else(PoisonError::into_inner);
    if lock.is_none() {
        *lock = Some(disk.lock(name)?);
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "the same shape as the call it stands for")]
fn give_back(lock: &Mutex<Option<SimLock>>) -> io::Result<()> {
    *lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    Ok(())
}
