//! [`Kept`]: what was replaced in a half, and is in neither any more.

use std::io;

use wal_core::format::{SLOT_LEN, Slots};
use wal_core::{Naming, SegmentId, SegmentReader, SegmentStore};

use super::copy::copy_as;
use super::history::FIRST_KEPT;
use super::lenient::Lenient;
use super::plain::Bytes;

const MAGIC: [u8; 8] = *b"waltee\x01k";

/// A segment that a half of a pair held and that was replaced there, or taken away, because the other
/// half was whole: see [`TeeStore::kept`](super::TeeStore::kept).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// The number that it had.
    pub segment: SegmentId,
    /// Bytes that it had, prepared space included.
    pub bytes: u64,
    /// The number that it has in its store now.
    pub number: SegmentId,
}

fn is_kept(id: SegmentId) -> bool {
    id.get() >= FIRST_KEPT
}

/// Copies a segment to a number of the pair's own, durably when it returns. One that an earlier attempt
/// has copied already is not copied again: where there is not room for all, each attempt gets further.
pub(super) fn keep(store: &dyn SegmentStore, id: SegmentId) -> io::Result<()> {
    let reader = store.open(id)?;
    // What of it can be read.
    let reader = Lenient(&*reader);
    let size = reader.size()?;
    // What a crash has left of an attempt: each of them begins with a sound block.
    let all: Vec<_> = store.list()?.into_iter().filter(|id| is_kept(*id)).collect();
    for &number in &all {
        let Some(kept) = read(store, number)? else {
            store.remove(&[number])?;
            continue;
        };
        // Elsewhere, one that is there and complete may not be durable.
        let durable = store.guarantees().naming == Naming::AtSync;
        if durable && kept.segment == id && kept.bytes == size {
            let copy = KeptReader::open(store, &kept)?;
            if Bytes::of(&reader, &copy)?.are_same() {
                return Ok(());
            }
        }
    }
    let number = all.last().map_or(SegmentId::new(FIRST_KEPT), |last| last.next());
    let mut head = MAGIC.to_vec();
    head.extend(id.get().to_le_bytes());
    head.extend(size.to_le_bytes());
    let head = Slots::default().replace(&head).1;
    copy_as(&reader, store, number, &head).map_err(|error| {
        let what = format!("segment {id} is to be replaced, and cannot be kept before: {error}");
        io::Error::new(error.kind(), what)
    })
}

/// What is kept in a store.
pub(super) fn all(store: &dyn SegmentStore) -> io::Result<Vec<Kept>> {
    let mut found = Vec::new();
    for number in store.list()?.into_iter().filter(|id| is_kept(*id)) {
        found.extend(read(store, number)?);
    }
    Ok(found)
}

fn read(store: &dyn SegmentStore, number: SegmentId) -> io::Result<Option<Kept>> {
    let mut head = vec![0; SLOT_LEN];
    let count = store.open(number)?.read_at(0, &mut head)?;
    let slots = Slots::decode(&head[..count]);
    let Some(bytes) = slots.as_ref().and_then(Slots::bytes) else { return Ok(None) };
    let (Some(magic), Some(segment), Some(size)) =
        (bytes.get(..8), bytes.get(8..16), bytes.get(16..24))
    else {
        return Ok(None);
    };
    let number_of = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok();
    let (Some(segment), Some(bytes)) = (number_of(segment), number_of(size)) else {
        return Ok(None);
    };
    Ok((magic == MAGIC).then_some(Kept { segment: SegmentId::new(segment), bytes, number }))
}

/// Takes away all that is kept; the caller holds the lock.
pub(super) fn discard(store: &dyn SegmentStore) -> io::Result<()> {
    let all: Vec<_> = store.list()?.into_iter().filter(|id| is_kept(*id)).collect();
    if all.is_empty() { Ok(()) } else { store.remove(&all) }
}

/// The bytes of a kept segment, as they were.
#[derive(Debug)]
pub(super) struct KeptReader {
    reader: Box<dyn SegmentReader>,
    head: u64,
    bytes: u64,
}

impl KeptReader {
    pub(super) fn open(store: &dyn SegmentStore, kept: &Kept) -> io::Result<Self> {
        let head = SLOT_LEN.max(store.guarantees().alignment as usize) as u64;
        Ok(Self { reader: store.open(kept.number)?, head, bytes: kept.bytes })
    }
}

impl SegmentReader for KeptReader {
    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = left.min(buffer.len());
        self.reader.read_at(self.head.saturating_add(offset), &mut buffer[..len])
    }
}
