//! [`KvStore`]: segments in an ordered key-value store.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wal_core::{Guarantees, SegmentId, SegmentReader, SegmentStore, SegmentWriter, StoreLock};

use super::key::Keys;
use super::segment::{KvReader, KvWriter};
use super::{Change, KeyShape, Order, OrderedKv, Persist};

/// Segments in an [`OrderedKv`]. Every append is one value, under the numbers of its segment and of
/// its first byte; the segment's length is another, and both are put in one atomic batch, so that
/// no crash leaves one without the other.
///
/// Several logs share one key-value store under different names. Space is not prepared. A reader
/// finds the piece that holds an offset by one ordered scan, and copies no other.
///
/// | key | value |
/// |---|---|
/// | name, segment | the segment's length, 8 bytes, little-endian |
/// | name, segment, offset | the bytes of one append |
/// | name | the anchor |
///
/// What the two keys look like says [`KeyShape`].
///
/// A sync covers the whole key-value store, so one at a time runs for a segment. An append to a
/// segment that is gone fails with [`io::ErrorKind::NotFound`] and brings nothing back.
#[derive(Clone)]
pub struct KvStore {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) kv: Arc<dyn OrderedKv>,
    pub(super) keys: Keys,
    /// Held while a marker is read and put anew.
    changing: Mutex<()>,
    /// Held by the lock, and by every writer and syncer made under it.
    life: Mutex<Weak<Life>>,
}

/// What keeps the name locked.
#[derive(Debug)]
pub(super) struct Life {
    _lock: Box<dyn StoreLock>,
}

#[derive(Debug)]
struct KvLock {
    _life: Arc<Life>,
}

impl StoreLock for KvLock {}

impl KvStore {
    /// The log of this name: letters and digits of ASCII, `-`, `_`, `.`, `/`.
    ///
    /// - [`io::ErrorKind::InvalidInput`]: that is no name.
    /// - [`io::ErrorKind::InvalidData`]: the log of this name has keys of the other shape, or the
    ///   keys of something else.
    pub fn open(kv: Arc<dyn OrderedKv>, name: &str, shape: KeyShape) -> io::Result<Self> {
        let keys = Keys::new(name, shape)?;
        for order in [Order::Ascending, Order::Descending] {
            let mut foreign = false;
            let all = keys.all();
            kv.scan(&all.start..&all.end, order, &mut |key, _| {
                foreign = !keys.is_ours(key);
                ControlFlow::Break(())
            })?;
            if foreign {
                let what = format!("the keys of log {name} are not of the shape {shape:?}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
        let (changing, life) = Default::default();
        Ok(Self { shared: Arc::new(Shared { kv, keys, changing, life }) })
    }
}

impl Shared {
    /// The segment's length, as its marker says; `None` where there is no segment.
    pub(super) fn length(&self, id: SegmentId) -> io::Result<Option<u64>> {
        let Some(marker) = self.kv.get(&self.keys.segment(id))? else { return Ok(None) };
        let bytes = <[u8; 8]>::try_from(&*marker).map_err(|_| {
            let what = format!("the marker of segment {id} has {} bytes, not 8", marker.len());
            io::Error::new(io::ErrorKind::InvalidData, what)
        })?;
        Ok(Some(u64::from_le_bytes(bytes)))
    }

    pub(super) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self) -> MutexGuard<'_, Weak<Life>> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn missing(&self, id: SegmentId) -> io::Error {
        let what = format!("no segment {id} in log {}", self.keys.name());
        io::Error::new(io::ErrorKind::NotFound, what)
    }

    /// The keys of the pieces that begin at `offset` or behind it.
    fn pieces_from(&self, id: SegmentId, offset: u64) -> io::Result<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        let range = self.keys.pieces(id, offset, u64::MAX);
        self.kv.scan(&range.start..&range.end, Order::Ascending, &mut |key, _| {
            found.push(key.to_vec());
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }
}

impl SegmentStore for KvStore {
    fn guarantees(&self) -> Guarantees {
        Guarantees::new(self.shared.kv.durability())
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        let lock = self.shared.kv.lock(self.shared.keys.name())?;
        let life = Arc::new(Life { _lock: lock });
        *self.shared.life() = Arc::downgrade(&life);
        Ok(Box::new(KvLock { _life: life }))
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        let Shared { kv, keys, .. } = &*self.shared;
        let (range, mut found) = (keys.segments(), Vec::new());
        kv.scan(&range.start..&range.end, Order::Ascending, &mut |key, _| {
            found.extend(keys.segment_of(key));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Takes no space ahead, whatever the size.
    fn create(&self, id: SegmentId, _size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let shared = &self.shared;
        let _changing = shared.changing();
        if shared.length(id)?.is_some() {
            let what = format!("segment {id} is in log {} already", shared.keys.name());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        let marker = Change::Put(&shared.keys.segment(id), &0_u64.to_le_bytes());
        shared.kv.apply(&[marker], Persist::Now)?;
        let life = shared.life().upgrade();
        Ok(Box::new(KvWriter::new(Arc::clone(shared), id, life)))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        match self.shared.length(id)? {
            Some(_) => Ok(Box::new(KvReader::new(Arc::clone(&self.shared), id))),
            None => Err(self.shared.missing(id)),
        }
    }

    /// Rewrites no piece: one that begins before `len` stays as it is, and reads stop at `len`.
    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        let shared = &self.shared;
        let _changing = shared.changing();
        let length = shared.length(id)?.ok_or_else(|| shared.missing(id))?;
        let gone = shared.pieces_from(id, length.min(len))?;
        // Also where nothing is cut: an earlier trim may have failed before it was durable.
        let (key, marker) = (shared.keys.segment(id), length.min(len).to_le_bytes());
        let mut batch = vec![Change::Put(&key, &marker)];
        batch.extend(gone.iter().map(|key| Change::Delete(key)));
        shared.kv.apply(&batch, Persist::Now)
    }

    /// One durable batch a segment.
    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        let shared = &self.shared;
        let _changing = shared.changing();
        let gone = |id: &SegmentId| {
            let pieces = shared.pieces_from(*id, 0)?;
            // Also where it is gone: an earlier removal may have failed before it was durable.
            let key = shared.keys.segment(*id);
            let mut batch = vec![Change::Delete(&key)];
            batch.extend(pieces.iter().map(|key| Change::Delete(key)));
            shared.kv.apply(&batch, Persist::Now)
        };
        // One that cannot go does not keep the ones behind it.
        ids.iter().map(gone).fold(Ok(()), io::Result::and)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.shared.kv.get(&self.shared.keys.anchor())
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.shared.kv.apply(&[Change::Put(&self.shared.keys.anchor(), bytes)], Persist::Now)
    }
}

impl fmt::Debug for KvStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { kv, keys, .. } = &*self.shared;
        f.debug_struct("KvStore").field("keys", keys).field("kv", kv).finish()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("keys", &self.keys).finish_non_exhaustive()
    }
}
