//! [`Counting`]: a store that counts what it is asked for.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wal_core::{
    Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer, SegmentWriter,
    StoreLock,
};

/// Counts the calls that change the store below, make a change durable, or look at what is there, so
/// that "one sync for a hundred records" is something a test can assert. Calls that fail are counted
/// too. A clone shares the counts: keep one, give one to the log.
#[derive(Clone, Debug)]
pub struct Counting {
    store: Arc<dyn SegmentStore>,
    tally: Arc<Tally>,
}

/// How often a store was asked for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreCounts {
    /// Segments made.
    pub creates: u64,
    /// Appends.
    pub appends: u64,
    /// Bytes in these appends.
    pub bytes: u64,
    /// Syncs of segments.
    pub syncs: u64,
    /// Segments trimmed.
    pub trims: u64,
    /// Segments removed.
    pub removes: u64,
    /// Times that the segments were listed.
    pub lists: u64,
    /// Segments opened for reading.
    pub opens: u64,
    /// Reads.
    pub reads: u64,
    /// Bytes that these gave.
    pub read_bytes: u64,
}

/// Plain counters: nothing is concluded from one about another, so `Relaxed` will do.
#[derive(Debug, Default)]
struct Tally {
    creates: AtomicU64,
    appends: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    trims: AtomicU64,
    removes: AtomicU64,
    lists: AtomicU64,
    opens: AtomicU64,
    reads: AtomicU64,
    read_bytes: AtomicU64,
}

impl Counting {
    /// Counts from zero.
    pub fn new(store: Arc<dyn SegmentStore>) -> Self {
        Self { store, tally: Arc::default() }
    }

    /// The counts so far.
    pub fn counts(&self) -> StoreCounts {
        let Tally {
            creates,
            appends,
            bytes,
            syncs,
            trims,
            removes,
            lists,
            opens,
            reads,
            read_bytes,
        } = &*self.tally;
        StoreCounts {
            creates: creates.load(Ordering::Relaxed),
            appends: appends.load(Ordering::Relaxed),
            bytes: bytes.load(Ordering::Relaxed),
            syncs: syncs.load(Ordering::Relaxed),
            trims: trims.load(Ordering::Relaxed),
            removes: removes.load(Ordering::Relaxed),
            lists: lists.load(Ordering::Relaxed),
            opens: opens.load(Ordering::Relaxed),
            reads: reads.load(Ordering::Relaxed),
            read_bytes: read_bytes.load(Ordering::Relaxed),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl SegmentStore for Counting {
    fn guarantees(&self) -> Guarantees {
        self.store.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.store.lock()
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        add(&self.tally.lists, 1);
        self.store.list()
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        add(&self.tally.creates, 1);
        let writer = self.store.create(id, size)?;
        Ok(Box::new(CountingWriter { writer, tally: Arc::clone(&self.tally) }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        add(&self.tally.opens, 1);
        let reader = self.store.open(id)?;
        Ok(Box::new(CountingReader { reader, tally: Arc::clone(&self.tally) }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        add(&self.tally.trims, 1);
        self.store.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        add(&self.tally.removes, ids.len() as u64);
        self.store.remove(ids)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.store.read_anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.store.write_anchor(bytes)
    }
}

#[derive(Debug)]
struct CountingWriter {
    writer: Box<dyn SegmentWriter>,
    tally: Arc<Tally>,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for CountingWriter {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        add(&self.tally.appends, 1);
        add(&self.tally.bytes, bytes.len() as u64);
        self.writer.append(bytes)
    }

    fn end(&self) -> u64 {
        self.writer.end()
    }

    fn space(&self) -> SegmentSpace {
        self.writer.space()
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        Arc::new(CountingSyncer { syncer: self.writer.syncer(), tally: Arc::clone(&self.tally) })
    }
}

#[derive(Debug)]
struct CountingSyncer {
    syncer: Arc<dyn SegmentSyncer>,
    tally: Arc<Tally>,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentSyncer for CountingSyncer {
    fn sync(&self) -> io::Result<()> {
        add(&self.tally.syncs, 1);
        self.syncer.sync()
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
        add(&self.tally.reads, 1);
        let read = self.reader.read_at(offset, buffer)?;
        add(&self.tally.read_bytes, read as u64);
        Ok(read)
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
