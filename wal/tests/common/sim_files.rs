//! The file store's own code on the simulated disk: its layer of file operations, done there.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use wal::parts::segment::{Access, DIRECT_ALIGNMENT, Files, OpenFile};
use wal_testkit::{SimDisk, SimFile, SimLock};

/// The files of a simulated disk, for `FileStore::over`.
#[derive(Debug)]
pub(crate) struct SimFiles(pub(crate) SimDisk);

#[derive(Debug)]
struct SimOpenFile {
    disk: SimDisk,
    name: String,
    file: SimFile,
    access: Access,
    lock: Mutex<Option<SimLock>>,
}

impl SimFiles {
    fn opened(&self, name: &str, file: SimFile, access: Access) -> Arc<dyn OpenFile> {
        let (disk, name) = (self.0.clone(), name.to_owned());
        Arc::new(SimOpenFile { disk, name, file, access, lock: Mutex::default() })
    }
}

impl Files for SimFiles {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        Ok(self.opened(name, self.0.create_new(name)?, Access::Write))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        Ok(self.opened(name, self.0.open(name)?, access))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }
}

impl SimOpenFile {
    /// What is written in the lock file is for people, and differs from process to process: it is
    /// kept off the disk, so that the same case gives the same bytes.
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

    fn try_lock(&self) -> io::Result<()> {
        let lock = self.disk.lock(&self.name)?;
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
        Ok(())
    }
}
