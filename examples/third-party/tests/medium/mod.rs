//! The medium on the kit's simulated disk.

use std::io;

use third_party::Medium;
use wal_core::StoreLock;
use wal_testkit::{SimDisk, SimFile, SimLock};

/// One file of a simulated disk.
#[derive(Debug)]
pub(crate) struct SimMedium {
    disk: SimDisk,
    file: SimFile,
}

impl SimMedium {
    /// The file on this disk.
    pub(crate) fn open(disk: SimDisk) -> io::Result<Self> {
        let file = match disk.open("segments") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create_new("segments")?,
            found => found?,
        };
        disk.sync_dir()?;
        Ok(Self { disk, file })
    }
}

impl Medium for SimMedium {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        Ok(Box::new(Lock { _lock: self.disk.lock("segments")? }))
    }
}

#[derive(Debug)]
struct Lock {
    _lock: SimLock,
}

impl StoreLock for Lock {}
