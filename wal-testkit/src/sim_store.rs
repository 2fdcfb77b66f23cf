//! [`SimStore`]: the store seam on a simulated disk, plain and correct.

use std::io;
use std::sync::Arc;

use wal_core::{
    Durability, Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer,
    SegmentWriter, StoreLock, Unwritten,
};

use crate::life::Life;
use crate::{SimDisk, SimFile, SimLock};

/// Keeps every segment in one file of a [`SimDisk`].
///
/// It survives power cuts on any [`Profile`](crate::Profile), at the price of a directory sync for
/// every segment removed: only so do removals keep their order where the directory keeps none.
#[derive(Clone, Debug)]
pub struct SimStore {
    /// As it was given, for the test.
    given: SimDisk,
    disk: SimDisk,
    life: Arc<Life>,
}

impl SimStore {
    /// The store that is on this disk, as an [opener](SimDisk::opener) of its own; an empty disk is
    /// an empty store.
    pub fn new(disk: SimDisk) -> Self {
        Self { disk: disk.opener(), given: disk, life: Arc::default() }
    }

    /// The disk below, as it was given.
    #[expect(clippy::misnamed_getters, reason = "`disk` is what this store opens files as")]
    pub fn disk(&self) -> &SimDisk {
        &self.given
    }
}

impl SegmentStore for SimStore {
    fn guarantees(&self) -> Guarantees {
        Guarantees::new(Durability::Power)
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        Ok(Box::new(Lock { _lock: self.life.begin(self.disk.lock("LOCK")?) }))
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        Ok(self.disk.list()?.iter().filter_map(|name| segment_of(name)).collect())
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let name = name_of(id);
        let file = self.disk.create_new(&name)?;
        let prepared = file
            .allocate(0, size)
            .and_then(|()| file.sync_data())
            .and_then(|()| self.disk.sync_dir());
        if let Err(error) = prepared {
            // The first error is the one that counts; an empty segment left behind is allowed.
            let _ = self.disk.remove(&name).and_then(|()| self.disk.sync_dir());
            return Err(error);
        }
        Ok(Box::new(Writer { file, size, end: 0, life: self.life.share() }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        Ok(Box::new(Reader { file: self.disk.open(&name_of(id))? }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        let file = self.disk.open(&name_of(id))?;
        if file.size()? > len {
            file.set_len(len)?;
        }
        // Also where there was nothing to cut: an earlier trim may have failed at its sync.
        file.sync_data()
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        let mut first = Ok(());
        for &id in ids {
            match self.disk.remove(&name_of(id)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    first = first.and(Err(error));
                }
                // Also where it is gone: an earlier removal may have failed at its sync.
                _ => self.disk.sync_dir()?,
            }
        }
        first
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.disk.anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.disk.set_anchor(bytes)
    }
}

/// The digits make the order of the names that of the numbers.
fn name_of(id: SegmentId) -> String {
    format!("{:020}.seg", id.get())
}

fn segment_of(name: &str) -> Option<SegmentId> {
    let id = SegmentId::new(name.strip_suffix(".seg")?.parse().ok()?);
    (name == name_of(id)).then_some(id)
}

#[derive(Debug)]
struct Lock {
    _lock: Arc<SimLock>,
}

impl StoreLock for Lock {}

#[derive(Debug)]
struct Writer {
    file: SimFile,
    size: u64,
    end: u64,
    /// Keeps the store from the next owner.
    life: Option<Arc<SimLock>>,
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(self.end, bytes)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn space(&self) -> SegmentSpace {
        SegmentSpace { durable_len: self.size, unwritten: Unwritten::Zeros }
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        Arc::new(Syncer { file: self.file.clone(), _life: self.life.clone() })
    }
}

#[derive(Debug)]
struct Syncer {
    file: SimFile,
    _life: Option<Arc<SimLock>>,
}

impl SegmentSyncer for Syncer {
    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[derive(Debug)]
struct Reader {
    file: SimFile,
}

impl SegmentReader for Reader {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_all_at(offset, buffer)
    }
}
