//! [`Capped`]: a store that takes no more than so many bytes.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wal_core::{Guarantees, SegmentId, SegmentReader, SegmentStore, SegmentWriter, StoreLock};

/// A store whose segments have no more than so many bytes in all: making one that would go beyond
/// that fails with [`io::ErrorKind::StorageFull`], as on a full disk, and succeeds once segments
/// have been removed.
///
/// What counts is the space that segments were made with, or have where they were there before. It
/// is counted by this handle: who writes beside it, which a lock forbids, is not seen. A segment that
/// grows beyond the space it was made with goes beyond the limit, too, until the next is made. Files
/// that are kept to be [used again](crate::Recycling) are no segments, and come on top.
///
/// Segments of no more than [`Capped::FREE`] bytes are always made: that a log now begins later has
/// to be written somewhere before anything is removed.
#[derive(Debug)]
pub struct Capped {
    store: Arc<dyn SegmentStore>,
    limit: u64,
    /// Bytes of each segment; `None` before they are counted.
    sizes: Mutex<Option<BTreeMap<SegmentId, u64>>>,
}

impl Capped {
    /// Bytes of a segment that is made whatever there is.
    pub const FREE: u64 = 16 << 10;

    /// This store, and no more than `limit` bytes in it.
    pub fn new(store: Arc<dyn SegmentStore>, limit: u64) -> Self {
        Self { store, limit, sizes: Mutex::default() }
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
        let mut sizes = self.sizes();
        if sizes.is_none() {
            let mut counted = BTreeMap::new();
            for id in self.store.list()? {
                counted.insert(id, self.store.open(id)?.size()?);
            }
            *sizes = Some(counted);
        }
        Ok(with(sizes.get_or_insert_default()))
    }

    fn sizes(&self) -> MutexGuard<'_, Option<BTreeMap<SegmentId, u64>>> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn count(&self, id: SegmentId, size: Option<u64>) {
        if let Some(sizes) = &mut *self.sizes() {
            match size {
                Some(size) => sizes.insert(id, size),
                None => sizes.remove(&id),
            };
        }
    }
}

impl SegmentStore for Capped {
    fn guarantees(&self) -> Guarantees {
        self.store.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        let lock = self.store.lock()?;
        // Whoever had it before may have changed everything.
        *self.sizes() = None;
        Ok(lock)
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        self.store.list()
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let before = self.take(id, size)?;
        self.store.create(id, size).inspect_err(|_| self.count(id, before))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.store.open(id)
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.store.trim(id, len)?;
        let size = self.store.open(id).and_then(|reader| reader.size());
        self.count(id, Some(size?));
        Ok(())
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        // One by one, as they go: a failure leaves those that are still there counted.
        for &id in ids {
            self.store.remove(&[id])?;
            self.count(id, None);
        }
        Ok(())
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.store.read_anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.store.write_anchor(bytes)
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
}
