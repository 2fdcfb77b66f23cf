//! Each part under all laws of its seam, with one macro call.

use std::io;

use third_party::{Courier, FileMedium, Medium, OneFile, Transfer, Transfers};
use wal_core::StoreLock;
use wal_testkit::{
    OnDisk, Profile, Sample, Samples, SimDisk, SimFile, SimLock, codec_laws, commit_strategy_laws,
    segment_store_laws,
};

// On a real file nothing can be made to fail.
segment_store_laws!(
    one_file,
    || {
        let dir = tempfile::tempdir().expect("a temporary directory");
        move || FileMedium::open(dir.path().join("segments")).map(OneFile::new)
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

// On a simulated one everything can.
segment_store_laws!(one_file_simulated, || OnDisk::new(Profile::STRICT, |disk| {
    SimMedium::open(disk).map(OneFile::new)
}));

codec_laws!(transfers, || Samples::new(Transfers, |sample: &mut Sample| Transfer {
    from: sample.text(),
    to: sample.text(),
    cents: sample.number(),
}));

commit_strategy_laws!(courier, Courier::new);

#[derive(Debug)]
struct SimMedium {
    disk: SimDisk,
    file: SimFile,
}

impl SimMedium {
    fn open(disk: SimDisk) -> io::Result<Self> {
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
