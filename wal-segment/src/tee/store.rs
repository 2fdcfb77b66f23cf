//! [`TeeStore`]: every segment in two stores.

use std::io;
use std::sync::Arc;

use wal_core::{
    Guarantees, Naming, SegmentId, SegmentReader, SegmentStore, SegmentWriter, StoreLock,
};

use super::copy::{rebuild, segments};
use super::history::{History, Standing, is_reserved};
use super::kept::{self, Kept, KeptReader};
use super::pair::Pair;
use super::segment::{TeeReader, TeeWriter};
use super::{Half, Mismatch, OnLoss};

/// Every segment in two stores, so that the log outlives either of them.
///
/// Every append and every sync goes to both; the syncs run at the same time. What is synced survives
/// what both stores survive, and the loss of one. What one half's failure means says [`OnLoss`].
///
/// **Space.** Where one half is full and the other is not, making a segment fails as on a full disk, and
/// goes once there is room. An append that reaches one half only is no such error: it ends the writing of
/// that segment, since no half takes bytes back. So the halves prepare their space whole.
///
/// **Reading.** All is read from one half, the first while it is there; never a part from one and a
/// part from the other. What no sync covered may differ between the halves after a crash, so taking
/// the [`lock`](SegmentStore::lock) reads all bytes of both, each as a log by itself, and judges which
/// half is whole before it changes either. The half that lacks something or is damaged is made the
/// same as the one that is whole and has all that the other knows of; where there is no such half,
/// nothing is changed, and the pair is refused ([`Mismatch::Damaged`], [`Mismatch::Short`]). What is
/// replaced and is not in the good half is [kept](Self::kept). Segments whose bytes are not of the
/// format are compared byte by byte: less can be said of those.
///
/// **Loss.** Each half keeps a history of marks: segments with numbers from 2⁶³ on, which are not
/// listed and not to be made by others. A half that goes on alone is marked before anything is
/// acknowledged that the other has not, so a half that was lost and is back is known by its history,
/// and never wins over the one that went on. See [`Mismatch`] for what is refused.
///
/// What the stores cannot know, the caller says: that a half is gone for good and the other one was
/// not left behind before, by [`alone`](Self::alone) or [`rebuild`](Self::rebuild).
///
/// ```
/// use std::sync::Arc;
/// use wal_core::{SegmentId, SegmentStore};
/// use wal_segment::{Mismatch, Half, MemoryStore, OnLoss, TeeStore};
///
/// # fn main() -> std::io::Result<()> {
/// let (first, second) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
/// let store = TeeStore::open(first, second.clone(), OnLoss::Fail)?;
/// let lock = store.lock()?;
/// let mut writer = store.create(SegmentId::FIRST, 1 << 20)?;
/// writer.append(b"paid 4711")?;
/// writer.syncer().sync()?; // In both from here on.
/// drop((writer, lock, store));
///
/// // The first is gone, and a new one in its place.
/// let first = Arc::new(MemoryStore::new());
/// let error = TeeStore::open(first.clone(), second.clone(), OnLoss::Fail).unwrap_err();
/// assert_eq!(Mismatch::of(&error), Some(Mismatch::Blank(Half::First)));
/// TeeStore::rebuild(&*second, &*first)?;
/// let store = TeeStore::open(first, second, OnLoss::Fail)?;
/// assert_eq!(store.list()?, [SegmentId::FIRST]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TeeStore {
    pair: Arc<Pair>,
}

impl TeeStore {
    /// The segments in these two stores.
    ///
    /// - With [`OnLoss::GoOn`] a half that was left behind stays so, and is [`lost`](Self::lost).
    /// - Fails with [`io::ErrorKind::InvalidData`] and a [`Mismatch`] where the two are no pair.
    /// - A half that cannot be read fails it, whatever `on_loss` says: whether the other one was
    ///   left behind is then not known.
    pub fn open(
        first: Arc<dyn SegmentStore>,
        second: Arc<dyn SegmentStore>,
        on_loss: OnLoss,
    ) -> io::Result<Self> {
        Ok(Self { pair: Arc::new(Pair::new([first, second], on_loss)?) })
    }

    /// The segments in what is left of a pair: `store` was this half of it. The caller vouches that
    /// it was not left behind. Taking the lock marks it, so that the other half is the one behind,
    /// should it come back.
    ///
    /// Fails with [`Mismatch::Unfinished`] where the store was rebuilt in part.
    pub fn alone(store: Arc<dyn SegmentStore>, half: Half) -> io::Result<Self> {
        Ok(Self { pair: Arc::new(Pair::alone(store, half)?) })
    }

    /// Makes `to` the same as `from`, whatever it holds, marks that cannot be read included, and a
    /// pair of them, durably when it returns. The caller vouches for `from`. Copies only segments that
    /// differ in what counts, and the anchor. What is replaced and is not in `from` is
    /// [kept](Self::kept); where there is no room for that, empty the place of `to` first.
    ///
    /// - Fails with [`io::ErrorKind::WouldBlock`] where either is open for writing, and with
    ///   [`Mismatch::Unfinished`] where `from` was itself rebuilt in part.
    /// - Until it has succeeded, `to` is not used by any pair; after a crash or a failure it can be
    ///   done again.
    pub fn rebuild(from: &dyn SegmentStore, to: &dyn SegmentStore) -> io::Result<()> {
        let _locks = (from.lock()?, to.lock()?);
        let history = History::read_whatever(from)?;
        if history.last().is_some_and(|last| last.standing() == Standing::Unfinished) {
            return Err(Mismatch::Unfinished(Half::First).into());
        }
        rebuild(from, to)
    }

    /// What was replaced in this half of a pair, or taken away, because the other half was whole, or was
    /// vouched for by the caller of [`rebuild`](Self::rebuild), and did not hold it: the bytes are in
    /// the half still, under numbers that are not listed. [`open_kept`](Self::open_kept) gives them
    /// back; [`discard_kept`](Self::discard_kept) gives their space back.
    pub fn kept(half: &dyn SegmentStore) -> io::Result<Vec<Kept>> {
        kept::all(half)
    }

    /// Reads what was replaced, as it was.
    pub fn open_kept(half: &dyn SegmentStore, kept: &Kept) -> io::Result<Box<dyn SegmentReader>> {
        Ok(Box::new(KeptReader::open(half, kept)?))
    }

    /// Deletes what is [kept](Self::kept) in this half of a pair. Fails with
    /// [`io::ErrorKind::WouldBlock`] where it is open for writing.
    pub fn discard_kept(half: &dyn SegmentStore) -> io::Result<()> {
        let _lock = half.lock()?;
        kept::discard(half)
    }

    /// The half that is neither written nor read any more, if there is one. A handle that does not
    /// hold the lock learns of a loss by being opened again; until then it reads what that half has.
    pub fn lost(&self) -> Option<Half> {
        self.pair.lost()
    }
}

impl SegmentStore for TeeStore {
    /// The weaker durability, the larger alignment, the fewer syncs.
    fn guarantees(&self) -> Guarantees {
        self.pair.guarantees()
    }

    /// Takes both halves that are not lost, reads all bytes of both, and makes the one that lacks
    /// something the same as the other. Where something is to be [kept](TeeStore::kept), its half needs
    /// room for it. A failure of either fails it, as does a [`Mismatch`].
    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        let mut locks = Vec::new();
        for half in Half::BOTH {
            if let Some(store) = self.pair.store(half) {
                locks.push(store.lock()?);
            }
        }
        self.pair.reconcile()?;
        self.pair.set_locked(true);
        Ok(Box::new(TeeLock { pair: Arc::clone(&self.pair), _locks: locks }))
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        segments(self.pair.source_store()?)
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        if is_reserved(id) {
            let what = format!("a pair keeps the number {id} for itself");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let mut made = Vec::new();
        let created = self.pair.each(|half| {
            let created = self.pair.store(half)?.create(id, size);
            Some(created.inspect(|_| made.push(half)))
        });
        let writers = created.inspect_err(|_| {
            // What one half made is not the other's; where this fails too, it is empty. Where a segment
            // is there from its first sync on, it is gone with its writer.
            for store in made.iter().filter_map(|half| self.pair.store(*half)) {
                if store.guarantees().naming == Naming::AtCreate {
                    store.remove(&[id]).ok();
                }
            }
        })?;
        Ok(Box::new(TeeWriter::new(Arc::clone(&self.pair), writers)))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        if is_reserved(id) {
            let what = format!("the number {id} is no segment's");
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        Ok(Box::new(TeeReader::open(Arc::clone(&self.pair), id)?))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.pair.each(|half| Some(self.pair.store(half)?.trim(id, len))).map(drop)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        let ids: Vec<_> = ids.iter().copied().filter(|id| !is_reserved(*id)).collect();
        // In both, also where one cannot delete them all: what is behind those goes in both.
        let results = Half::BOTH.map(|half| Some(self.pair.store(half)?.remove(&ids)));
        if self.pair.on_loss() == OnLoss::Fail {
            return results.into_iter().flatten().fold(Ok(()), io::Result::and);
        }
        self.pair.settle(results).map(drop)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        // No bytes are left in a half that was made the same as one without an anchor.
        let read = self.pair.source_store()?.read_anchor()?;
        Ok(read.filter(|bytes| !bytes.is_empty()))
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.pair.each(|half| Some(self.pair.store(half)?.write_anchor(bytes))).map(drop)
    }
}

#[derive(Debug)]
struct TeeLock {
    pair: Arc<Pair>,
    _locks: Vec<Box<dyn StoreLock>>,
}

impl StoreLock for TeeLock {}

impl Drop for TeeLock {
    fn drop(&mut self) {
        self.pair.set_locked(false);
    }
}
