//! [`CountingReads`]: a store that counts what is read of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wal::SegmentId;
use wal::parts::core::{Guarantees, SegmentReader, SegmentStore, SegmentWriter, StoreLock};

/// Counts what is read of the store below. A clone shares the counts: keep one, give one to the log.
#[derive(Clone, Debug)]
pub struct CountingReads {
    store: Arc<dyn SegmentStore>,
    tally: Arc<Tally>,
}

/// What was read of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadCounts {
    /// Segments opened.
    pub opens: u64,
    /// Reads.
    pub reads: u64,
    /// Bytes they gave.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct Tally {
    opens: AtomicU64,
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl CountingReads {
    /// Counts from zero.
    pub fn new(store: Arc<dyn SegmentStore>) -> Self {
        Self { store, tally: Arc::default() }
    }

    /// The counts so far.
    pub fn counts(&self) -> ReadCounts {
        let Tally { opens, reads, bytes } = &*self.tally;
        ReadCounts {
            opens: opens.load(Ordering::Relaxed),
            reads: reads.load(Ordering::Relaxed),
            bytes: bytes.load(Ordering::Relaxed),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl SegmentStore for CountingReads {
    fn guarantees(&self) -> Guarantees {
        self.store.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.store.lock()
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        self.store.list()
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        self.store.create(id, size)
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.tally.opens.fetch_add(1, Ordering::Relaxed);
        let reader = self.store.open(id)?;
        Ok(Box::new(CountingReader { reader, tally: Arc::clone(&self.tally) }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.store.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.store.remove(ids)
    }
}

#[derive(Debug)]
struct CountingReader {
    reader: Box<dyn SegmentReader>,
    tally: Arc<Tally>,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentReader for CountingReader {
    fn size(&self) -> io::Result<u64> {
        self.reader.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read_at(offset, buffer)?;
        self.tally.reads.fetch_add(1, Ordering::Relaxed);
        self.tally.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
