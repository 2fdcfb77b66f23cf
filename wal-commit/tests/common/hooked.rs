//! [`Hooked`]: a store that asks before every step.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wal_core::{
    Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer, SegmentWriter,
    StoreLock,
};

/// What a store is about to do. A hook may wait, fail the step, or panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create(SegmentId),
    /// An append to a segment at this end.
    Append(SegmentId, u64),
    Sync(SegmentId),
    /// A sync has done its work and is about to return.
    Synced(SegmentId),
    Trim(SegmentId),
    Remove,
}

type Hook = Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;

/// Asks the hook before every step that changes the store below, and holds the pipeline to the
/// store's word how many syncs of one segment may overlap. And a segment is written to only when all
/// syncs of the one before it have ended, so that its end vouches for what no sync can still deny.
#[derive(Clone)]
pub(crate) struct Hooked {
    store: Arc<dyn SegmentStore>,
    hook: Hook,
    overlapping_syncs: u32,
    /// The syncs that run of the segment that was written to last.
    running: Arc<Mutex<Arc<AtomicU32>>>,
}

impl Hooked {
    pub(crate) fn new(
        store: impl SegmentStore + 'static,
        hook: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let overlapping_syncs = store.guarantees().overlapping_syncs;
        let running = Arc::default();
        Self { store: Arc::new(store), hook: Arc::new(hook), overlapping_syncs, running }
    }

    /// Says that so many syncs of one segment may overlap.
    pub(crate) fn overlapping_syncs(mut self, syncs: u32) -> Self {
        self.overlapping_syncs = syncs;
        self
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl SegmentStore for Hooked {
    fn guarantees(&self) -> Guarantees {
        self.store.guarantees().overlapping_syncs(self.overlapping_syncs)
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.store.lock()
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        self.store.list()
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        (self.hook)(Step::Create(id))?;
        let below = self.store.create(id, size)?;
        let (hook, limit) = (Arc::clone(&self.hook), self.overlapping_syncs);
        let running = Arc::clone(&self.running);
        Ok(Box::new(Writer { below, id, hook, limit, syncs: Arc::default(), running }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.store.open(id)
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        (self.hook)(Step::Trim(id))?;
        self.store.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        (self.hook)(Step::Remove)?;
        self.store.remove(ids)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.store.read_anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.store.write_anchor(bytes)
    }
}

struct Writer {
    below: Box<dyn SegmentWriter>,
    id: SegmentId,
    hook: Hook,
    limit: u32,
    syncs: Arc<AtomicU32>,
    running: Arc<Mutex<Arc<AtomicU32>>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.below.fmt(f)
    }
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A header may be written ahead.
        if self.below.end() > 0 {
            let before = std::mem::replace(
                &mut *self.running.lock().unwrap_or_else(PoisonError::into_inner),
                Arc::clone(&self.syncs),
            );
            let running = before.load(Ordering::SeqCst);
            let same = Arc::ptr_eq(&before, &self.syncs);
            assert!(same || running == 0, "a segment ended with {running} syncs under way");
        }
        (self.hook)(Step::Append(self.id, self.below.end()))?;
        self.below.append(bytes)
    }

    fn end(&self) -> u64 {
        self.below.end()
    }

    fn space(&self) -> SegmentSpace {
        self.below.space()
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        Arc::new(Syncer {
            below: self.below.syncer(),
            id: self.id,
            hook: Arc::clone(&self.hook),
            limit: self.limit,
            syncs: Arc::clone(&self.syncs),
        })
    }
}

struct Syncer {
    below: Arc<dyn SegmentSyncer>,
    id: SegmentId,
    hook: Hook,
    limit: u32,
    syncs: Arc<AtomicU32>,
}

impl fmt::Debug for Syncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.below.fmt(f)
    }
}

impl SegmentSyncer for Syncer {
    fn sync(&self) -> io::Result<()> {
        let running = self.syncs.fetch_add(1, Ordering::SeqCst);
        assert!(running < self.limit, "{running} syncs of one segment overlap already");
        let result = (self.hook)(Step::Sync(self.id))
            .and_then(|()| self.below.sync())
            .and_then(|()| (self.hook)(Step::Synced(self.id)));
        self.syncs.fetch_sub(1, Ordering::SeqCst);
        result
    }
}
