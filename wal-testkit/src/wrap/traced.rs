//! [`Traced`]: a store whose calls are written down.

use std::io;
use std::sync::Arc;

use wal_core::{
    Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer, SegmentWriter,
    StoreLock,
};

use crate::History;

/// Writes every call that the store below gets, and how it failed, into a [`History`].
#[derive(Clone, Debug)]
pub struct Traced {
    store: Arc<dyn SegmentStore>,
    history: History,
}

impl Traced {
    /// Writes the calls of this store down there.
    pub fn new(store: Arc<dyn SegmentStore>, history: History) -> Self {
        Self { store, history }
    }
}

#[deny(clippy::missing_trait_methods)]
impl SegmentStore for Traced {
    fn guarantees(&self) -> Guarantees {
        self.store.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.history.call("lock", self.store.lock())
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        self.history.call("list", self.store.list())
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let what = format!("create {id} for {size} bytes");
        let writer = self.history.call(what, self.store.create(id, size))?;
        Ok(Box::new(TracedWriter { writer, id, history: self.history.clone() }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        let reader = self.history.call(format!("open {id}"), self.store.open(id))?;
        Ok(Box::new(TracedReader { reader, id, history: self.history.clone() }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.history.call(format!("trim {id} to {len} bytes"), self.store.trim(id, len))
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        let numbers: Vec<_> = ids.iter().map(|id| id.get()).collect();
        self.history.call(format!("remove {numbers:?}"), self.store.remove(ids))
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.history.call("read the anchor", self.store.read_anchor())
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        let what = format!("write an anchor of {} bytes", bytes.len());
        self.history.call(what, self.store.write_anchor(bytes))
    }
}

#[derive(Debug)]
struct TracedWriter {
    writer: Box<dyn SegmentWriter>,
    id: SegmentId,
    history: History,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for TracedWriter {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let what = format!("append {} bytes to {} at {}", bytes.len(), self.id, self.writer.end());
        let result = self.writer.append(bytes);
        self.history.call(what, result)
    }

    fn end(&self) -> u64 {
        self.writer.end()
    }

    fn space(&self) -> SegmentSpace {
        self.writer.space()
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        let (id, history) = (self.id, self.history.clone());
        Arc::new(TracedSyncer { syncer: self.writer.syncer(), id, history })
    }
}

#[derive(Debug)]
struct TracedSyncer {
    syncer: Arc<dyn SegmentSyncer>,
    id: SegmentId,
    history: History,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentSyncer for TracedSyncer {
    fn sync(&self) -> io::Result<()> {
        self.history.call(format!("sync {}", self.id), self.syncer.sync())
    }
}

#[derive(Debug)]
struct TracedReader {
    reader: Box<dyn SegmentReader>,
    id: SegmentId,
    history: History,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentReader for TracedReader {
    fn size(&self) -> io::Result<u64> {
        self.history.call(format!("size of {}", self.id), self.reader.size())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let what = format!("read {} bytes of {} at {offset}", buffer.len(), self.id);
        self.history.call(what, self.reader.read_at(offset, buffer))
    }
}
