//! [`Throttled`]: a store on a slow disk.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use wal_core::{
    Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer, SegmentWriter,
    StoreLock,
};

use crate::chance::Chance;

/// Makes the calls of the store below take longer, by sleeping first: every sync by a fixed time, for
/// benchmarks and demonstrations of what batching buys on a slow disk; or every call that changes
/// something by a random one, for tests that want threads to meet in other orders. A test that must
/// not depend on time wants [`Counting`](crate::Counting) instead.
#[derive(Clone, Debug)]
pub struct Throttled {
    store: Arc<dyn SegmentStore>,
    pauses: Pauses,
}

#[derive(Clone, Debug)]
enum Pauses {
    Syncs(Duration),
    All { chance: Arc<Mutex<Chance>>, longest: Duration },
}

impl Throttled {
    /// Every sync takes `sync` longer.
    pub fn new(store: Arc<dyn SegmentStore>, sync: Duration) -> Self {
        Self { store, pauses: Pauses::Syncs(sync) }
    }

    /// Every call that changes something takes longer by a random time of up to `longest`, half of
    /// them by none. Calls that come in the same order pause alike with the same seed.
    pub fn at_random(store: Arc<dyn SegmentStore>, longest: Duration, seed: u64) -> Self {
        let chance = Arc::new(Mutex::new(Chance::new(seed)));
        Self { store, pauses: Pauses::All { chance, longest } }
    }
}

impl Pauses {
    fn before_sync(&self) {
        match self {
            Self::Syncs(time) => thread::sleep(*time),
            Self::All { .. } => self.before_change(),
        }
    }

    fn before_change(&self) {
        let Self::All { chance, longest } = self else { return };
        let steps = chance.lock().unwrap_or_else(PoisonError::into_inner).below(512);
        if let Some(steps) = steps.checked_sub(256) {
            thread::sleep(*longest * steps / 256);
        }
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
        self.pauses.before_change();
        let writer = self.store.create(id, size)?;
        Ok(Box::new(ThrottledWriter { writer, pauses: self.pauses.clone() }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.store.open(id)
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.pauses.before_change();
        self.store.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.pauses.before_change();
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
struct ThrottledWriter {
    writer: Box<dyn SegmentWriter>,
    pauses: Pauses,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for ThrottledWriter {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pauses.before_change();
        self.writer.append(bytes)
    }

    fn end(&self) -> u64 {
        self.writer.end()
    }

    fn space(&self) -> SegmentSpace {
        self.writer.space()
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        Arc::new(ThrottledSyncer { syncer: self.writer.syncer(), pauses: self.pauses.clone() })
    }
}

#[derive(Debug)]
struct ThrottledSyncer {
    syncer: Arc<dyn SegmentSyncer>,
    pauses: Pauses,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentSyncer for ThrottledSyncer {
    fn sync(&self) -> io::Result<()> {
        self.pauses.before_sync();
        self.syncer.sync()
    }
}
