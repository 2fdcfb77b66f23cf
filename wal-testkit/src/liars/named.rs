//! A store that names a segment at its first sync, and lies about names.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wal_core::{
    Durability, Guarantees, Naming, SegmentId, SegmentReader, SegmentSpace, SegmentStore,
    SegmentSyncer, SegmentWriter, StoreLock, Unwritten,
};

use crate::life::Life;
use crate::{SimDisk, SimFile, SimLock};

/// The one way in which a [`LyingNames`] lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameLie {
    /// It is honest.
    None,
    /// It tidies up what is pending before it knows that nobody writes to it.
    CleansBeforeItHasTheLock,
    /// When a number is taken, what has it goes.
    DeletesWhatIsInTheWay,
    /// Files that it does not know go when the lock is taken.
    DeletesWhatItDoesNotKnow,
    /// A segment has its name as soon as it is made.
    NamesAtCreate,
    /// A segment has its name before its bytes are durable.
    NamesBeforeTheBytes,
    /// Segments without a byte are not listed.
    PassesOverTheEmpty,
    /// The number of a writer that went away stays taken.
    PendingKeepsItsNumber,
    /// A segment takes its name from whatever has it.
    ReplacesAtNaming,
}

impl NameLie {
    /// Every lie, with the laws that are there to catch it. A lie may break others too.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::CleansBeforeItHasTheLock, &["a_refused_lock_changes_nothing"]),
        (Self::DeletesWhatIsInTheWay, &["what_has_a_segments_name_is_never_replaced"]),
        (Self::DeletesWhatItDoesNotKnow, &["what_it_did_not_make_is_left_alone"]),
        (Self::NamesAtCreate, &["a_segment_is_there_from_when_it_says"]),
        (Self::NamesBeforeTheBytes, &["an_interrupted_naming_leaves_all_or_nothing"]),
        (Self::PassesOverTheEmpty, &["what_cannot_be_read_is_not_passed_over"]),
        (Self::PendingKeepsItsNumber, &["nothing_is_left_of_a_writer_that_went_away"]),
        (Self::ReplacesAtNaming, &["what_has_a_segments_name_is_never_replaced"]),
    ];
}

/// A store on a simulated disk in which a segment is there from its first sync on, with all that was
/// appended before; it lies in one way, or, with [`NameLie::None`], in none.
#[derive(Debug)]
pub struct LyingNames {
    disk: SimDisk,
    lie: NameLie,
    life: Life,
}

impl LyingNames {
    /// The store that is on this disk.
    pub fn new(disk: SimDisk, lie: NameLie) -> Self {
        Self { disk, lie, life: Life::default() }
    }

    fn clean(&self) -> io::Result<()> {
        for name in self.disk.list()? {
            let unknown =
                !matches!(name.as_str(), "LOCK" | "ANCHOR") && name.strip_suffix(".seg").is_none();
            let deletes = self.lie == NameLie::DeletesWhatItDoesNotKnow && unknown;
            if deletes || name.starts_with(PENDING) {
                self.disk.remove(&name)?;
            }
        }
        Ok(())
    }

    fn taken(&self, id: SegmentId) -> bool {
        let pending = |name: &String| name.starts_with(&format!("{PENDING}{id}."));
        let names = self.disk.list().unwrap_or_default();
        names.contains(&name_of(id))
            || (self.lie == NameLie::PendingKeepsItsNumber && names.iter().any(pending))
    }
}

/// How many pending files were ever made: each has a name of its own.
static MADE: AtomicU64 = AtomicU64::new(0);

/// No person calls a file so, and no number gives it.
const PENDING: &str = "pending.of-a-lying-store.";

fn name_of(id: SegmentId) -> String {
    format!("{:020}.seg", id.get())
}

impl SegmentStore for LyingNames {
    fn guarantees(&self) -> Guarantees {
        Guarantees::new(Durability::Power).naming(Naming::AtSync)
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        if self.lie == NameLie::CleansBeforeItHasTheLock {
            self.clean()?;
        }
        let lock = self.life.begin(self.disk.lock("LOCK")?);
        self.clean()?;
        Ok(Box::new(Lock { _lock: lock }))
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        let names = self.disk.list()?;
        let empty =
            |name: &&String| self.disk.open(name).is_ok_and(|file| file.size().ok() == Some(0));
        let skipped = |name: &&String| self.lie == NameLie::PassesOverTheEmpty && empty(name);
        let number = |name: &String| name.strip_suffix(".seg").and_then(|id| id.parse().ok());
        let shown = names.iter().filter(|name| !skipped(name));
        Ok(shown.filter_map(number).map(SegmentId::new).collect())
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        if self.taken(id) {
            if self.lie == NameLie::DeletesWhatIsInTheWay {
                let _ = self.disk.remove(&name_of(id));
            }
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{id} is there")));
        }
        let pending = format!("{PENDING}{id}.{}", MADE.fetch_add(1, Ordering::Relaxed));
        let file = self.disk.create_new(&pending)?;
        if let Err(error) = file.allocate(0, size) {
            let _ = self.disk.remove(&pending);
            return Err(error);
        }
        let (disk, lie) = (self.disk.clone(), self.lie);
        let naming =
            NamedFile { disk, lie, file, name: name_of(id), pending: Mutex::new(Some(pending)) };
        if lie == NameLie::NamesAtCreate {
            naming.publish()?;
        }
        let naming = Arc::new(naming);
        Ok(Box::new(Writer { naming, size, end: 0, life: self.life.share() }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        Ok(Box::new(Reader { file: self.disk.open(&name_of(id))? }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        let file = self.disk.open(&name_of(id))?;
        if file.size()? > len {
            file.set_len(len)?;
        }
        file.sync_data()
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        let mut first = Ok(());
        for &id in ids {
            match self.disk.remove(&name_of(id)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    first = first.and(Err(error));
                }
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

#[derive(Debug)]
struct Lock {
    _lock: Arc<SimLock>,
}

impl StoreLock for Lock {}

/// A file on its way to its name.
struct NamedFile {
    disk: SimDisk,
    lie: NameLie,
    file: SimFile,
    name: String,
    /// What it is called until then.
    pending: Mutex<Option<String>>,
}

impl NamedFile {
    fn pending(&self) -> MutexGuard<'_, Option<String>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self) -> io::Result<()> {
        let mut pending = self.pending();
        let Some(from) = pending.take() else { return Ok(()) };
        match self.lie {
            NameLie::ReplacesAtNaming => self.disk.rename(&from, &self.name)?,
            _ => self.disk.rename_new(&from, &self.name)?,
        }
        self.disk.sync_dir()
    }

    fn sync(&self) -> io::Result<()> {
        if self.lie == NameLie::NamesBeforeTheBytes {
            self.publish()?;
        }
        self.file.sync_data()?;
        self.publish()
    }
}

impl Drop for NamedFile {
    /// Nothing is left of a writer that went away.
    fn drop(&mut self) {
        if let Some(pending) = self.pending().take()
            && self.lie != NameLie::PendingKeepsItsNumber
        {
            let _ = self.disk.remove(&pending);
        }
    }
}

impl fmt::Debug for NamedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedFile").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Writer {
    naming: Arc<NamedFile>,
    size: u64,
    end: u64,
    /// Keeps the store from the next owner.
    life: Option<Arc<SimLock>>,
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.naming.file.write_all_at(self.end, bytes)?;
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
        Arc::new(Syncer { naming: Arc::clone(&self.naming), _life: self.life.clone() })
    }
}

#[derive(Debug)]
struct Syncer {
    naming: Arc<NamedFile>,
    _life: Option<Arc<SimLock>>,
}

impl SegmentSyncer for Syncer {
    fn sync(&self) -> io::Result<()> {
        self.naming.sync()
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
