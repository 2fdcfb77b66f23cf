//! [`Behind`]: a store in which every segment begins with bytes that the law does not see.
//!
//! A store with an inner unit, be it a block, a page or a value of another store, may be right in
//! the first of them and wrong behind it. Seen through this, every law takes place from any byte on.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wal_core::{
    Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer, SegmentWriter,
    StoreLock,
};

/// Later segments have no front: what a law says of many segments, it says of these too.
const LAST_WITH_FRONT: u64 = 3;

/// The segments whose front a sync has covered: there it must be, whole. Outlives crashes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Synced(Arc<Mutex<BTreeSet<SegmentId>>>);

/// Hides the first `front` bytes of the segments of the store below.
#[derive(Debug)]
pub(crate) struct Behind {
    store: Arc<dyn SegmentStore>,
    front: u64,
    synced: Synced,
}

impl Behind {
    pub(crate) fn new(store: Arc<dyn SegmentStore>, front: u64, synced: Synced) -> Self {
        Self { store, front, synced }
    }

    /// A multiple of the alignment, on the same side of the unit as what was asked for.
    fn front(&self, id: SegmentId) -> u64 {
        let (front, align) = (self.front, self.align());
        match (front + 1) % align {
            _ if id.get() > LAST_WITH_FRONT => 0,
            0 => front + 1 - align,
            _ => front.next_multiple_of(align),
        }
    }

    fn align(&self) -> u64 {
        u64::from(self.store.guarantees().alignment.max(1))
    }

    /// In pieces: one that ends within the first unit, and one that goes on over all that follow.
    fn lay(&self, id: SegmentId, writer: &mut dyn SegmentWriter) -> io::Result<()> {
        let bytes = filler(self.front(id), id);
        let align = usize::try_from(self.align()).expect("an alignment fits into memory");
        let first = (bytes.len() / 7).next_multiple_of(align).min(bytes.len());
        writer.append(&bytes[..first])?;
        writer.append(&bytes[first..])
    }
}

impl SegmentStore for Behind {
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
        let front = self.front(id);
        let prepared = if size == 0 { 0 } else { size + front };
        let mut writer = self.store.create(id, prepared)?;
        self.synced.set().remove(&id);
        if let Err(error) = self.lay(id, &mut *writer) {
            drop(writer);
            // The first error is the one that counts; nothing of the number need remain.
            let _ = self.store.remove(&[id]);
            return Err(error);
        }
        Ok(Box::new(Writer { below: writer, id, front, synced: self.synced.clone() }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        let (reader, front) = (self.store.open(id)?, self.front(id));
        if self.synced.set().contains(&id) {
            is_filler(&*reader, front, id)?;
        }
        Ok(Box::new(Reader { below: reader, front }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.store.trim(id, len + self.front(id))
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.store.remove(ids)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.store.read_anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.store.write_anchor(bytes)
    }
}

impl Synced {
    fn set(&self) -> MutexGuard<'_, BTreeSet<SegmentId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Writer {
    below: Box<dyn SegmentWriter>,
    id: SegmentId,
    front: u64,
    synced: Synced,
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.below.append(bytes)
    }

    fn end(&self) -> u64 {
        self.below.end() - self.front
    }

    fn space(&self) -> SegmentSpace {
        let SegmentSpace { durable_len, unwritten } = self.below.space();
        SegmentSpace { durable_len: durable_len.saturating_sub(self.front), unwritten }
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        let (id, synced) = (self.id, self.synced.clone());
        Arc::new(Syncer { below: self.below.syncer(), id, synced })
    }
}

#[derive(Debug)]
struct Syncer {
    below: Arc<dyn SegmentSyncer>,
    id: SegmentId,
    synced: Synced,
}

impl SegmentSyncer for Syncer {
    fn sync(&self) -> io::Result<()> {
        self.below.sync()?;
        self.synced.set().insert(self.id);
        Ok(())
    }
}

#[derive(Debug)]
struct Reader {
    below: Box<dyn SegmentReader>,
    front: u64,
}

impl SegmentReader for Reader {
    fn size(&self) -> io::Result<u64> {
        Ok(self.below.size()?.saturating_sub(self.front))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.below.read_at(offset + self.front, buffer)
    }
}

/// By how many bytes and for which segment.
type Fillers = BTreeMap<(u64, SegmentId), Arc<[u8]>>;

/// Bytes that differ from segment to segment and from block to block, whatever the block.
fn filler(count: u64, id: SegmentId) -> Arc<[u8]> {
    /// Made once: the same few are asked for thousands of times.
    static MADE: Mutex<Fillers> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let filler = made.entry((count, id)).or_insert_with(|| {
        let word = |at: u64| (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        let words = (0..count.div_ceil(8)).flat_map(|at| (word(at) ^ id.get()).to_le_bytes());
        words.take(usize::try_from(count).expect("a front fits into memory")).collect()
    });
    Arc::clone(filler)
}

fn is_filler(reader: &dyn SegmentReader, front: u64, id: SegmentId) -> io::Result<()> {
    let wanted = filler(front, id);
    let mut seen = vec![0xaa; wanted.len()];
    let read = reader.read_at(0, &mut seen)?;
    if seen[..read] == *wanted {
        return Ok(());
    }
    let same =
        seen[..read].iter().zip(&*wanted).take_while(|(seen, wanted)| seen == wanted).count();
    let what = format!("of {front} synced bytes of segment {id} only {same} are as they should be");
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}
