//! A store that lies in one way, and is otherwise right.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use wal_core::{
    Durability, Guarantees, SegmentId, SegmentReader, SegmentStore, SegmentSyncer, SegmentWriter,
    StoreLock,
};
use wal_testkit::{SimDisk, SimFile, SimLock};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    AlignmentOfThree,
    AppendsAreBuffered,
    AppendsTradePlaces,
    CreateKeepsItsRoom,
    CreateOverwrites,
    CreateRecyclesOpenly,
    CreateRecyclesUnsynced,
    CreateSkipsDirectorySync,
    EndCountsPreparedSpace,
    FailedAppendMovesTheEnd,
    FullIsAnyError,
    ListIsUnsorted,
    ListKnowsOwnSegmentsOnly,
    ListShowsTheLock,
    LockIsAFile,
    LockIsNeverFreed,
    LockLetsTwoIn,
    OpenMakesTheSegment,
    PreparedSpaceIsGarbage,
    ReadsAreShort,
    RemoveDoesNothing,
    RemoveSkipsDirectorySync,
    RemoveStopsAtTheMissing,
    RemoveSyncsOnceForAll,
    ShortWritesAreTakenForWhole,
    SyncDoesNothing,
    SyncErrorsAreSwallowed,
    SyncWorksOnItsThreadOnly,
    SyncWorksOnce,
    TrimCutsTooMuch,
    TrimDoesNothing,
    TrimExtends,
    TrimRewrites,
    TrimSkipsSync,
}

#[derive(Debug)]
pub(crate) struct LyingStore {
    disk: SimDisk,
    lie: Lie,
    own: Mutex<Vec<SegmentId>>,
}

impl LyingStore {
    pub(crate) fn new(disk: SimDisk, lie: Lie) -> Self {
        Self { disk, lie, own: Mutex::default() }
    }

    fn prepare(&self, file: &SimFile, size: u64) -> io::Result<()> {
        let garbage = vec![0xdb; size as usize];
        match self.lie {
            Lie::PreparedSpaceIsGarbage => file.write_all_at(0, &garbage)?,
            Lie::CreateRecyclesUnsynced => {
                file.write_all_at(0, &garbage)?;
                file.sync_data()?;
                file.write_all_at(0, &vec![0; size as usize])?;
                return Ok(());
            }
            Lie::CreateRecyclesOpenly => {
                self.disk.sync_dir()?;
                file.write_all_at(0, &garbage)?;
                file.sync_data()?;
                file.write_all_at(0, &vec![0; size as usize])?;
            }
            Lie::CreateKeepsItsRoom => file.write_all_at(0, &vec![0; size as usize])?,
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
        if self.lie == Lie::AlignmentOfThree { honest.alignment(3) } else { honest }
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        match self.lie {
            Lie::LockLetsTwoIn => return Ok(Box::new(Lock { file: None, _lock: None })),
            Lie::LockIsAFile => {
                let taken = |_| io::Error::from(io::ErrorKind::WouldBlock);
                self.disk.create_new("LOCK").map_err(taken)?;
                return Ok(Box::new(Lock { file: Some(self.disk.clone()), _lock: None }));
            }
            _ => {}
        }
        let lock = self.disk.lock("LOCK")?;
        if self.lie == Lie::ListShowsTheLock && self.disk.open("LOCK").is_err() {
            self.disk.create_new("LOCK")?;
        }
        if self.lie == Lie::LockIsNeverFreed {
            std::mem::forget(lock);
            return Ok(Box::new(Lock { file: None, _lock: None }));
        }
        Ok(Box::new(Lock { file: None, _lock: Some(lock) }))
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        if self.lie == Lie::ListKnowsOwnSegmentsOnly {
            let mut own = self.own.lock().unwrap().clone();
            own.sort_unstable();
            return Ok(own);
        }
        let names = self.disk.list()?;
        let number = |name: &String| match name.strip_suffix(".seg") {
            Some(digits) => digits.parse().ok(),
            None => (self.lie == Lie::ListShowsTheLock).then_some(u64::MAX),
        };
        let mut ids: Vec<_> = names.iter().filter_map(number).map(SegmentId::new).collect();
        if self.lie == Lie::ListIsUnsorted {
            ids.sort_by_key(|id| id.get().to_string());
        }
        Ok(ids)
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let name = name_of(id);
        let file = match self.disk.create_new(&name) {
            Err(_) if self.lie == Lie::CreateOverwrites => {
                let file = self.disk.open(&name)?;
                file.set_len(0)?;
                file
            }
            made => made?,
        };
        if let Err(error) = self.prepare(&file, size) {
            if self.lie != Lie::CreateKeepsItsRoom {
                let _ = self.disk.remove(&name);
            }
            return Err(error);
        }
        if self.lie != Lie::CreateSkipsDirectorySync {
            self.disk.sync_dir()?;
        }
        self.own.lock().unwrap().push(id);
        let end = if self.lie == Lie::EndCountsPreparedSpace { size } else { 0 };
        let lie = self.lie;
        Ok(Box::new(Writer { file, lie, end, buffer: Arc::default(), held: Vec::new() }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        let file = match self.disk.open(&name_of(id)) {
            Err(_) if self.lie == Lie::OpenMakesTheSegment => self.disk.create_new(&name_of(id))?,
            found => found?,
        };
        Ok(Box::new(Reader { file, lie: self.lie }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        let file = self.disk.open(&name_of(id))?;
        let size = file.size()?;
        match self.lie {
            Lie::TrimDoesNothing => return Ok(()),
            Lie::TrimExtends => file.set_len(len)?,
            _ if size <= len => {}
            Lie::TrimCutsTooMuch => file.set_len(len / 512 * 512)?,
            Lie::TrimRewrites => {
                let mut kept = vec![0; len as usize];
                file.read_at(0, &mut kept)?;
                file.set_len(0)?;
                file.write_all_at(0, &kept)?;
            }
            _ => file.set_len(len)?,
        }
        if self.lie == Lie::TrimSkipsSync { Ok(()) } else { file.sync_data() }
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        if self.lie == Lie::RemoveDoesNothing {
            return Ok(());
        }
        for &id in ids {
            match self.disk.remove(&name_of(id)) {
                Err(error)
                    if error.kind() != io::ErrorKind::NotFound
                        || self.lie == Lie::RemoveStopsAtTheMissing =>
                {
                    return Err(error);
                }
                _ => {}
            }
            if !matches!(self.lie, Lie::RemoveSyncsOnceForAll | Lie::RemoveSkipsDirectorySync) {
                self.disk.sync_dir()?;
            }
        }
        if self.lie == Lie::RemoveSyncsOnceForAll { self.disk.sync_dir() } else { Ok(()) }
    }
}

#[derive(Debug)]
struct Lock {
    file: Option<SimDisk>,
    _lock: Option<SimLock>,
}

impl StoreLock for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(disk) = &self.file {
            let _ = disk.remove("LOCK");
        }
    }
}

/// Bytes that a lying writer keeps to itself, and where they belong.
type Buffer = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

#[derive(Debug)]
struct Writer {
    file: SimFile,
    lie: Lie,
    end: u64,
    buffer: Buffer,
    held: Vec<u8>,
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut at = self.end;
        let moved = self.end + bytes.len() as u64;
        match self.lie {
            Lie::AppendsAreBuffered => {
                self.buffer.lock().unwrap().push((at, bytes.to_vec()));
                self.end = moved;
                return Ok(());
            }
            Lie::AppendsTradePlaces if !self.held.is_empty() => {
                at -= self.held.len() as u64;
                let swapped = [bytes, &self.held].concat();
                self.held.clear();
                self.end = moved;
                return self.file.write_all_at(at, &swapped);
            }
            Lie::AppendsTradePlaces => self.held = bytes.to_vec(),
            Lie::ShortWritesAreTakenForWhole => {
                while let Err(error) = self.file.write_at(at, bytes) {
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
                self.end = moved;
                return Ok(());
            }
            Lie::FailedAppendMovesTheEnd => self.end = moved,
            _ => {}
        }
        self.file.write_all_at(at, bytes).map_err(|error| match self.lie {
            Lie::FullIsAnyError => io::Error::other(error),
            _ => error,
        })?;
        self.end = moved;
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        let (file, lie, buffer) = (self.file.clone(), self.lie, Arc::clone(&self.buffer));
        let (thread, synced) = (thread::current().id(), AtomicBool::new(false));
        Arc::new(Syncer { file, lie, buffer, thread, synced })
    }
}

#[derive(Debug)]
struct Syncer {
    file: SimFile,
    lie: Lie,
    buffer: Buffer,
    thread: ThreadId,
    synced: AtomicBool,
}

impl SegmentSyncer for Syncer {
    fn sync(&self) -> io::Result<()> {
        for (at, bytes) in self.buffer.lock().unwrap().drain(..) {
            self.file.write_all_at(at, &bytes)?;
        }
        let before = self.synced.swap(true, Ordering::Relaxed);
        match self.lie {
            Lie::SyncDoesNothing => Ok(()),
            Lie::SyncWorksOnce if before => Ok(()),
            Lie::SyncErrorsAreSwallowed => self.file.sync_data().or(Ok(())),
            Lie::SyncWorksOnItsThreadOnly if thread::current().id() != self.thread => {
                Err(io::Error::other("not my thread"))
            }
            _ => self.file.sync_data(),
        }
    }
}

#[derive(Debug)]
struct Reader {
    file: SimFile,
    lie: Lie,
}

impl SegmentReader for Reader {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let most = if self.lie == Lie::ReadsAreShort { 100 } else { usize::MAX };
        let count = buffer.len().min(most);
        self.file.read_at(offset, &mut buffer[..count])
    }
}
