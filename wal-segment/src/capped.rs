//! [`Capped`]: a store that takes no more than so many bytes.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wal_core::{
    Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer, SegmentWriter,
    StoreLock,
};

/// A store whose segments have no more than so many bytes in all: making one that would go beyond
/// that fails with [`io::ErrorKind::StorageFull`], as on a full disk, and succeeds once segments
/// have been removed.
///
/// What counts is the space that segments have, or will have by the word of the store: a file that is
/// [used again](crate::Recycling) counts with its whole length, also where less was asked for, and a
/// segment that grows beyond the space it was made with counts with what it grew to. It is counted
/// by this handle: what is written beside it, which a lock forbids, is not seen. A segment that grows
/// may go beyond the limit, until the next is made. Files that are kept to be used again are no
/// segments, and come on top.
///
/// Segments of no more than [`Capped::FREE`] bytes are always made: that a log now begins later has
/// to be written somewhere before anything is removed.
#[derive(Debug)]
pub struct Capped {
    store: Arc<dyn SegmentStore>,
    limit: u64,
    sizes: Arc<Sizes>,
}

impl Capped {
    /// Bytes of a segment that is made whatever there is.
    pub const FREE: u64 = 16 << 10;

    /// This store, and no more than `limit` bytes in it.
    pub fn new(store: Arc<dyn SegmentStore>, limit: u64) -> Self {
        Self { store, limit, sizes: Arc::default() }
    }

    /// The most that its segments may have, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What its segments have, in bytes.
    pub fn used(&self) -> io::Result<u64> {
        self.counted(|sizes| sizes.values().sum())
    }

    fn counted<T>(&self, with: impl FnOnce(&mut BTreeMap<SegmentId, u64>) -> T) -> io::Result<T> {
        let mut sizes = self.sizes.lock();
        if sizes.is_none() {
            let mut counted = BTreeMap::new();
            for id in self.store.list()? {
                // One that was removed since it was listed has nothing that counts.
                if let Some(size) = measured(&*self.store, id)? {
                    counted.insert(id, size);
                }
            }
            *sizes = Some(counted);
        }
        Ok(with(sizes.get_or_insert_default()))
    }

    /// Counts `size` bytes for a segment, if there is room for them; says what was counted for it.
    fn take(&self, id: SegmentId, size: u64) -> io::Result<Option<u64>> {
        self.counted(|sizes| {
            let used: u64 = sizes.values().sum();
            if size > Self::FREE && used.saturating_add(size) > self.limit {
                let what = format!(
                    "{size} bytes for segment {id} beside {used} are over the limit of {}; what is \
                     removed makes room",
                    self.limit
                );
                return Err(io::Error::new(io::ErrorKind::StorageFull, what));
            }
            Ok(sizes.insert(id, size))
        })?
    }
}

/// What a segment has; `None` where there is no such segment.
fn measured(store: &dyn SegmentStore, id: SegmentId) -> io::Result<Option<u64>> {
    match store.open(id).and_then(|reader| reader.size()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        size => size.map(Some),
    }
}

/// Bytes of each segment; `None` before they are counted.
#[derive(Debug, Default)]
struct Sizes(Mutex<Option<BTreeMap<SegmentId, u64>>>);

impl Sizes {
    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<SegmentId, u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, id: SegmentId, size: Option<u64>) {
        if let Some(sizes) = &mut *self.lock() {
            match size {
                Some(size) => sizes.insert(id, size),
                None => sizes.remove(&id),
            };
        }
    }

    /// Counts no less than this for a segment that is counted at all.
    fn count_no_less(&self, id: SegmentId, size: u64) {
        if let Some(counted) = self.lock().as_mut().and_then(|sizes| sizes.get_mut(&id)) {
            *counted = size.max(*counted);
        }
    }
}

impl SegmentStore for Capped {
    fn guarantees(&self) -> Guarantees {
        self.store.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        let lock = self.store.lock()?;
        // Another handle that had it before may have changed everything.
        *self.sizes.lock() = None;
        Ok(lock)
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        self.store.list()
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let before = self.take(id, size)?;
        let made = self.store.create(id, size).inspect_err(|_| self.sizes.count(id, before))?;
        self.sizes.count_no_less(id, made.space().durable_len);
        let sizes = Arc::clone(&self.sizes);
        Ok(Box::new(CappedWriter { writer: made, id, sizes }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.store.open(id)
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.store.trim(id, len)?;
        self.sizes.count(id, measured(&*self.store, id)?);
        Ok(())
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        // One by one, as they go: a failure leaves those that are still there counted, and does not
        // keep the ones behind.
        let mut all = Ok(());
        for &id in ids {
            match self.store.remove(&[id]) {
                Ok(()) => self.sizes.count(id, None),
                failed => all = all.and(failed),
            }
        }
        all
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.store.read_anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.store.write_anchor(bytes)
    }
}

/// Counts what its segment grows to.
#[derive(Debug)]
struct CappedWriter {
    writer: Box<dyn SegmentWriter>,
    id: SegmentId,
    sizes: Arc<Sizes>,
}

impl SegmentWriter for CappedWriter {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.append(bytes)?;
        self.sizes.count_no_less(self.id, self.writer.end());
        Ok(())
    }

    fn end(&self) -> u64 {
        self.writer.end()
    }

    fn space(&self) -> SegmentSpace {
        self.writer.space()
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        self.writer.syncer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    const ONE: SegmentId = SegmentId::FIRST;
    const TWO: SegmentId = ONE.next();
    const THREE: SegmentId = TWO.next();
    const MUCH: u64 = 100 << 10;

    fn capped(store: &MemoryStore, limit: u64) -> Capped {
        Capped::new(Arc::new(store.clone()), limit)
    }

    #[test]
    fn what_is_removed_or_trimmed_makes_room() {
        let store = capped(&MemoryStore::new(), 2 * MUCH);
        let mut writer = store.create(ONE, MUCH).unwrap();
        writer.append(&[7; 100]).unwrap();
        store.create(TWO, MUCH).unwrap();
        let full = store.create(THREE, MUCH).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert!(full.to_string().contains("over the limit of 204800"), "{full}");
        assert_eq!((store.used().unwrap(), store.limit()), (2 * MUCH, 2 * MUCH));

        store.trim(ONE, 100).unwrap();
        store.create(THREE, MUCH / 2).unwrap();
        store.remove(&[ONE, TWO, THREE]).unwrap();
        assert_eq!(store.used().unwrap(), 0);
        store.create(ONE, 2 * MUCH).unwrap();
    }

    #[test]
    fn what_was_there_before_counts_and_a_failed_create_does_not() {
        let below = MemoryStore::new();
        below.create(ONE, MUCH).unwrap();
        let store = capped(&below, 2 * MUCH);
        assert_eq!(store.create(ONE, MUCH).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(store.used().unwrap(), MUCH);
        store.create(TWO, MUCH).unwrap();
        let _lock = store.lock().unwrap();
        assert_eq!(store.used().unwrap(), 2 * MUCH);
    }

    #[test]
    fn a_small_segment_is_always_made() {
        let store = capped(&MemoryStore::new(), 0);
        store.create(ONE, Capped::FREE).unwrap();
        assert!(store.create(TWO, Capped::FREE + 1).is_err());
    }

    /// Passes a memory store on, and does one thing after it was listed.
    #[derive(Debug)]
    struct Beside(MemoryStore, fn(&MemoryStore));

    impl SegmentStore for Beside {
        fn guarantees(&self) -> Guarantees {
            self.0.guarantees()
        }

        fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
            self.0.lock()
        }

        fn list(&self) -> io::Result<Vec<SegmentId>> {
            let listed = self.0.list();
            self.1(&self.0);
            listed
        }

        /// Takes twice what was asked for, as a file that is used again does.
        fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
            self.0.create(id, 2 * size)
        }

        fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
            self.0.open(id)
        }

        fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
            self.0.trim(id, len)
        }

        fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
            self.0.remove(ids)
        }

        fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
            self.0.read_anchor()
        }

        fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
            self.0.write_anchor(bytes)
        }
    }

    /// The first count listed the segments and then opened them one by one; a prune in between took one
    /// away, and the append that had come to this count poisoned the log with its `NotFound`.
    #[test]
    fn the_first_count_beside_a_prune_does_not_fail() {
        let below = MemoryStore::new();
        below.create(ONE, MUCH).unwrap();
        below.create(TWO, MUCH).unwrap();
        let store = Beside(below, |store| store.remove(&[ONE]).unwrap());
        let store = Capped::new(Arc::new(store), 3 * MUCH);
        store.create(THREE, MUCH / 2).unwrap();
        assert_eq!(store.used().unwrap(), 2 * MUCH);
    }

    /// A file of 60 MiB that went on as a segment of 1 MiB counted as 1 until the log was opened again.
    #[test]
    fn oversize() {
        let below = Beside(MemoryStore::new(), |_| ());
        let store = Capped::new(Arc::new(below), 10 * MUCH);
        let mut writer = store.create(ONE, MUCH).unwrap();
        assert_eq!(store.used().unwrap(), 2 * MUCH);
        let much = usize::try_from(3 * MUCH).unwrap();
        writer.append(&vec![7; much]).unwrap();
        assert_eq!(store.used().unwrap(), 3 * MUCH);
        let _lock = store.lock().unwrap();
        assert_eq!(store.used().unwrap(), 3 * MUCH);
        store.trim(ONE, MUCH).unwrap();
        assert_eq!(store.used().unwrap(), MUCH);
    }
}
