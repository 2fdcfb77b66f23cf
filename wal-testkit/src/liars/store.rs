//! A store that lies in one way, and is otherwise right.

#![expect(clippy::cast_possible_truncation, reason = "segments of tests are small")]

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wal_core::{
    Durability, Guarantees, SegmentId, SegmentReader, SegmentStore, SegmentWriter, StoreLock,
    Unwritten,
};

use super::anchor;
use crate::life::Life;
use crate::{SimDisk, SimFile, SimLock};

mod lie;
mod segment;

pub use lie::StoreLie;

use segment::{Reader, Writer};

/// A store on a simulated disk that lies in one way, or, with [`StoreLie::None`], in none.
#[derive(Debug)]
pub struct LyingStore {
    disk: SimDisk,
    lie: StoreLie,
    own: Mutex<Vec<SegmentId>>,
    life: Arc<Life>,
    /// The lock, where it goes with the handle.
    kept: Mutex<Option<Arc<SimLock>>>,
    anchor: Mutex<Option<Vec<u8>>>,
}

impl LyingStore {
    /// The store that is on this disk.
    pub fn new(disk: SimDisk, lie: StoreLie) -> Self {
        let (own, anchor) = (Mutex::default(), Mutex::default());
        Self { disk, lie, own, life: Arc::default(), kept: Mutex::default(), anchor }
    }

    fn prepare(&self, file: &SimFile, size: u64) -> io::Result<()> {
        let garbage = vec![0xdb; size as usize];
        match self.lie {
            StoreLie::PreparedSpaceIsGarbage | StoreLie::SpaceSaysZeros => {
                file.write_all_at(0, &garbage)?;
            }
            StoreLie::CreateRecyclesUnsynced => {
                file.write_all_at(0, &garbage)?;
                file.sync_data()?;
                file.write_all_at(0, &vec![0; size as usize])?;
                return Ok(());
            }
            StoreLie::CreateRecyclesOpenly => {
                self.disk.sync_dir()?;
                file.write_all_at(0, &garbage)?;
                file.sync_data()?;
                file.write_all_at(0, &vec![0; size as usize])?;
            }
            StoreLie::CreateKeepsItsRoom => file.write_all_at(0, &vec![0; size as usize])?,
            _ => file.allocate(0, size)?,
        }
        file.sync_data()
    }
}

fn name_of(id: SegmentId) -> String {
    format!("{:020}.seg", id.get())
}

impl SegmentStore for LyingStore {
    fn guarantees(&self) -> Guarantees {
        let honest = Guarantees::new(Durability::Power);
        match self.lie {
            StoreLie::AlignmentOfThree => honest.alignment(3),
            StoreLie::SpaceSaysZeros => honest.unwritten(Unwritten::Anything),
            _ => honest,
        }
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        match self.lie {
            StoreLie::LockLetsTwoIn => return Ok(Box::new(Lock { file: None, _lock: None })),
            StoreLie::LockGoesWithItsHandle => {
                let lock = self.life.begin(self.disk.lock("LOCK")?);
                self.kept.lock().unwrap_or_else(PoisonError::into_inner).replace(lock);
                return Ok(Box::new(Lock { file: None, _lock: None }));
            }
            StoreLie::LockIsAFile => {
                let taken = |_| io::Error::from(io::ErrorKind::WouldBlock);
                self.disk.create_new("LOCK").map_err(taken)?;
                return Ok(Box::new(Lock { file: Some(self.disk.clone()), _lock: None }));
            }
            _ => {}
        }
        let lock = self.disk.lock("LOCK")?;
        if self.lie == StoreLie::ListShowsTheLock && self.disk.open("LOCK").is_err() {
            self.disk.create_new("LOCK")?;
        }
        if self.lie == StoreLie::LockIsNeverFreed {
            std::mem::forget(lock);
            return Ok(Box::new(Lock { file: None, _lock: None }));
        }
        Ok(Box::new(Lock { file: None, _lock: Some(self.life.begin(lock)) }))
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        if self.lie == StoreLie::ListKnowsOwnSegmentsOnly {
            let mut own = lock(&self.own).clone();
            own.sort_unstable();
            return Ok(own);
        }
        let names = self.disk.list()?;
        let number = |name: &String| match name.strip_suffix(".seg") {
            Some(digits) => digits.parse().ok(),
            None => (self.lie == StoreLie::ListShowsTheLock).then_some(u64::MAX),
        };
        let mut ids: Vec<_> = names.iter().filter_map(number).map(SegmentId::new).collect();
        if self.lie == StoreLie::ListIsUnsorted {
            ids.sort_by_key(|id| id.get().to_string());
        }
        Ok(ids)
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let name = name_of(id);
        let file = match self.disk.create_new(&name) {
            Err(_) if self.lie == StoreLie::CreateOverwrites => {
                let file = self.disk.open(&name)?;
                file.set_len(0)?;
                file
            }
            made => made?,
        };
        if let Err(error) = self.prepare(&file, size) {
            if self.lie != StoreLie::CreateKeepsItsRoom {
                let _ = self.disk.remove(&name);
            }
            return Err(error);
        }
        if self.lie != StoreLie::CreateSkipsDirectorySync {
            self.disk.sync_dir()?;
        }
        lock(&self.own).push(id);
        let end = if self.lie == StoreLie::EndCountsPreparedSpace { size } else { 0 };
        let lie = self.lie;
        let shared = match lie {
            StoreLie::WriterOutlivesItsLock => None,
            _ => self.life.share(),
        };
        let (buffer, held) = (Arc::default(), Vec::new());
        Ok(Box::new(Writer { file, lie, size, end, buffer, held, life: shared }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        let file = match self.disk.open(&name_of(id)) {
            Err(_) if self.lie == StoreLie::OpenMakesTheSegment => {
                self.disk.create_new(&name_of(id))?
            }
            found => found?,
        };
        Ok(Box::new(Reader { file, lie: self.lie }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        let file = self.disk.open(&name_of(id))?;
        let size = file.size()?;
        match self.lie {
            StoreLie::TrimDoesNothing => return Ok(()),
            StoreLie::TrimExtends => file.set_len(len)?,
            _ if size <= len => {}
            StoreLie::TrimCutsTooMuch => file.set_len(len / 512 * 512)?,
            StoreLie::TrimRewrites => {
                let mut kept = vec![0; len as usize];
                file.read_at(0, &mut kept)?;
                file.set_len(0)?;
                file.write_all_at(0, &kept)?;
            }
            _ => file.set_len(len)?,
        }
        if self.lie == StoreLie::TrimSkipsSync { Ok(()) } else { file.sync_data() }
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        if self.lie == StoreLie::RemoveDoesNothing {
            return Ok(());
        }
        let mut first = Ok(());
        for &id in ids {
            match self.disk.remove(&name_of(id)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if self.lie == StoreLie::RemoveStopsAtTheMissing {
                        return Err(error);
                    }
                }
                Err(error) if self.lie == StoreLie::RemoveStopsAtAFailure => return Err(error),
                Err(error) => first = first.and(Err(error)),
                Ok(()) => {}
            }
            if !matches!(
                self.lie,
                StoreLie::RemoveSyncsOnceForAll | StoreLie::RemoveSkipsDirectorySync
            ) {
                self.disk.sync_dir()?;
            }
        }
        if self.lie == StoreLie::RemoveSyncsOnceForAll {
            self.disk.sync_dir()?;
        }
        first
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        match self.lie {
            StoreLie::AnchorHasOneSlot | StoreLie::AnchorNeedsRoom | StoreLie::AnchorSkipsSync => {
                anchor::read(&self.disk)
            }
            StoreLie::AnchorStaysWithItsHandle => Ok(lock(&self.anchor).clone()),
            StoreLie::AnchorDamageIsNone => self.disk.anchor().or(Ok(None)),
            _ => self.disk.anchor(),
        }
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        match self.lie {
            StoreLie::AnchorHasOneSlot => anchor::write_in_place(&self.disk, bytes, true),
            StoreLie::AnchorSkipsSync => anchor::write_in_place(&self.disk, bytes, false),
            StoreLie::AnchorNeedsRoom => anchor::write_anew(&self.disk, bytes),
            StoreLie::AnchorStaysWithItsHandle => {
                *lock(&self.anchor) = Some(bytes.to_vec());
                Ok(())
            }
            StoreLie::AnchorIsCutShort => self.disk.set_anchor(&bytes[..bytes.len().min(100)]),
            _ => self.disk.set_anchor(bytes),
        }
    }
}

#[derive(Debug)]
struct Lock {
    file: Option<SimDisk>,
    _lock: Option<Arc<SimLock>>,
}

impl StoreLock for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(disk) = &self.file {
            let _ = disk.remove("LOCK");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
