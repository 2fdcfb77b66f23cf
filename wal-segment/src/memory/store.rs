//! [`MemoryStore`]: segments in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wal_core::{
    Durability, Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer,
    SegmentWriter, StoreLock, Unwritten,
};

use super::segment::{Budget, Segment};

/// Segments in memory, for tests and for logs that need not outlive their process.
///
/// Clones are the same store: to open a log again, give it a clone. What is appended stays until it
/// is removed or the last clone, writer and reader is dropped.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    segments: Mutex<BTreeMap<SegmentId, Arc<Segment>>>,
    anchor: Mutex<Option<Vec<u8>>>,
    /// Held by the lock, and by every writer and syncer made under it.
    life: Mutex<Weak<Life>>,
    budget: Arc<Budget>,
}

impl MemoryStore {
    /// An empty store that holds as much as memory does.
    pub fn new() -> Self {
        Self::with_capacity_limit(u64::MAX)
    }

    /// An empty store that holds this many bytes, prepared space included, and is full then. A
    /// segment that was removed counts until its last writer and reader are dropped.
    pub fn with_capacity_limit(bytes: u64) -> Self {
        let budget = Arc::new(Budget::new(bytes));
        let (segments, anchor, life) = Default::default();
        let shared = Shared { segments, anchor, life, budget };
        Self { shared: Arc::new(shared) }
    }

    /// How many bytes the store holds, prepared space included.
    pub fn bytes(&self) -> u64 {
        self.shared.budget.taken()
    }

    fn segments(&self) -> MutexGuard<'_, BTreeMap<SegmentId, Arc<Segment>>> {
        // Nothing panics half-way through a change of the map.
        self.shared.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn anchor(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.shared.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self) -> MutexGuard<'_, Weak<Life>> {
        self.shared.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: SegmentId) -> io::Result<Arc<Segment>> {
        let found = self.segments().get(&id).cloned();
        found.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("no segment {id} in memory"))
        })
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("segments", &self.segments().len())
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

impl SegmentStore for MemoryStore {
    fn guarantees(&self) -> Guarantees {
        Guarantees::new(Durability::Handle)
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        let mut holder = self.life();
        if holder.strong_count() > 0 {
            let what = "another writer has this memory store open";
            return Err(io::Error::new(io::ErrorKind::WouldBlock, what));
        }
        let life = Arc::new(Life);
        *holder = Arc::downgrade(&life);
        Ok(Box::new(MemoryLock { _life: life }))
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        Ok(self.segments().keys().copied().collect())
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let mut segments = self.segments();
        let Entry::Vacant(place) = segments.entry(id) else {
            let what = format!("segment {id} is in memory already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        };
        let segment = Arc::new(Segment::prepared(Arc::clone(&self.shared.budget), size)?);
        place.insert(Arc::clone(&segment));
        let life = self.life().upgrade();
        Ok(Box::new(MemoryWriter { segment, size, end: 0, life }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        Ok(Box::new(MemoryReader { segment: self.find(id)? }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.find(id)?.trim(len);
        Ok(())
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        let mut segments = self.segments();
        for id in ids {
            segments.remove(id);
        }
        Ok(())
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.anchor().clone())
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        *self.anchor() = Some(bytes.to_vec());
        Ok(())
    }
}

/// What keeps the store locked.
#[derive(Debug)]
struct Life;

#[derive(Debug)]
struct MemoryLock {
    _life: Arc<Life>,
}

impl StoreLock for MemoryLock {}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct MemoryWriter {
    segment: Arc<Segment>,
    size: u64,
    end: u64,
    life: Option<Arc<Life>>,
}

impl SegmentWriter for MemoryWriter {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.segment.write(self.end, bytes)?;
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
        Arc::new(MemorySyncer { _life: self.life.clone() })
    }
}

/// What was appended to memory is as durable as it gets.
#[derive(Debug)]
struct MemorySyncer {
    _life: Option<Arc<Life>>,
}

impl SegmentSyncer for MemorySyncer {
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryReader {
    segment: Arc<Segment>,
}

impl SegmentReader for MemoryReader {
    fn size(&self) -> io::Result<u64> {
        Ok(self.segment.size())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.segment.read(offset, buffer))
    }
}
