//! [`Throttled`]: a store on a slow disk.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wal_core::{
    Guarantees, SegmentId, SegmentReader, SegmentStore, SegmentSyncer, SegmentWriter, StoreLock,
};

/// Makes every sync of the store below take at least so long, by sleeping first. For benchmarks
/// and demonstrations of what batching buys on a slow disk; a test that must not depend on time
/// wants [`Counting`](crate::Counting) instead.
#[derive(Clone, Debug)]
pub struct Throttled {
    store: Arc<dyn SegmentStore>,
    sync: Duration,
}

impl Throttled {
    /// Every sync takes `sync` longer.
    pub fn new(store: Arc<dyn SegmentStore>, sync: Duration) -> Self {
        Self { store, sync }
    }
}

#[deny(clippy::missing_trait_methods)]
impl SegmentStore for Throttled {
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
        let writer = self.store.create(id, size)?;
        Ok(Box::new(ThrottledWriter { writer, sync: self.sync }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.store.open(id)
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.store.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.store.remove(ids)
    }
}

#[derive(Debug)]
struct ThrottledWriter {
    writer: Box<dyn SegmentWriter>,
    sync: Duration,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for ThrottledWriter {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.append(bytes)
    }

    fn end(&self) -> u64 {
        self.writer.end()
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        Arc::new(ThrottledSyncer { syncer: self.writer.syncer(), sync: self.sync })
    }
}

#[derive(Debug)]
struct ThrottledSyncer {
    syncer: Arc<dyn SegmentSyncer>,
    sync: Duration,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentSyncer for ThrottledSyncer {
    fn sync(&self) -> io::Result<()> {
        thread::sleep(self.sync);
        self.syncer.sync()
    }
}
