//! One segment: its writer, its syncer, its reader.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use wal_core::{SegmentId, SegmentReader, SegmentSpace, SegmentSyncer, SegmentWriter, Unwritten};

use super::store::{Life, Shared};
use super::{Change, Order, Persist};

#[derive(Debug)]
pub(super) struct KvWriter {
    store: Arc<Shared>,
    id: SegmentId,
    end: u64,
    life: Option<Arc<Life>>,
}

impl KvWriter {
    /// The writer of a segment that is empty, which keeps the store locked.
    pub(super) fn new(store: Arc<Shared>, id: SegmentId, life: Option<Arc<Life>>) -> Self {
        Self { store, id, end: 0, life }
    }
}

impl SegmentWriter for KvWriter {
    /// A piece that an append left which failed after all begins where the next one does, and is
    /// put anew by it.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let store = &self.store;
        let _changing = store.changing();
        if store.length(self.id)?.is_none() {
            return Err(store.missing(self.id));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let end = self.end + bytes.len() as u64;
        let (piece, marker) = (store.keys.piece(self.id, self.end), store.keys.segment(self.id));
        let length = end.to_le_bytes();
        let batch = [Change::Put(&piece, bytes), Change::Put(&marker, &length)];
        store.kv.apply(&batch, Persist::AtSync)?;
        self.end = end;
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn space(&self) -> SegmentSpace {
        SegmentSpace { durable_len: 0, unwritten: Unwritten::Zeros }
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        Arc::new(KvSyncer { store: Arc::clone(&self.store), _life: self.life.clone() })
    }
}

#[derive(Debug)]
struct KvSyncer {
    store: Arc<Shared>,
    _life: Option<Arc<Life>>,
}

impl SegmentSyncer for KvSyncer {
    fn sync(&self) -> io::Result<()> {
        self.store.kv.sync()
    }
}

#[derive(Debug)]
pub(super) struct KvReader {
    store: Arc<Shared>,
    id: SegmentId,
}

impl KvReader {
    pub(super) fn new(store: Arc<Shared>, id: SegmentId) -> Self {
        Self { store, id }
    }

    /// Where the piece begins that holds this offset, if there is one.
    fn piece_before(&self, offset: u64) -> io::Result<Option<u64>> {
        let Shared { kv, keys, .. } = &*self.store;
        let (range, mut found) = (keys.pieces(self.id, 0, offset), None);
        kv.scan(&range.start..&range.end, Order::Descending, &mut |key, _| {
            found = keys.offset_of(self.id, key);
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }
}

impl SegmentReader for KvReader {
    fn size(&self) -> io::Result<u64> {
        self.store.length(self.id)?.ok_or_else(|| self.store.missing(self.id))
    }

    /// Where a crash has lost a piece and kept the marker of a later one, there are zeros.
    ///
    /// The marker and the pieces are looked at one after the other, and a removal may come in
    /// between. It takes all of them away in one batch, and numbers are not used again: where the
    /// marker is still there behind the pieces, and says no less, they were all there, too.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut size = self.size()?;
        loop {
            let read = self.read_within(size, offset, buffer)?;
            let now = self.size()?;
            if now >= size {
                return Ok(read);
            }
            size = now;
        }
    }
}

impl KvReader {
    fn read_within(&self, size: u64, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let there = size.saturating_sub(offset);
        let len = usize::try_from(there).map_or(buffer.len(), |there| there.min(buffer.len()));
        let buffer = &mut buffer[..len];
        let Some(last) = offset.checked_add((len as u64).saturating_sub(1)) else { return Ok(0) };
        if len == 0 {
            return Ok(0);
        }
        buffer.fill(0);
        let Shared { kv, keys, .. } = &*self.store;
        let first = self.piece_before(offset)?.unwrap_or(offset);
        let range = keys.pieces(self.id, first, last);
        kv.scan(&range.start..&range.end, Order::Ascending, &mut |key, piece| {
            if let Some(at) = keys.offset_of(self.id, key) {
                put(buffer, offset, at, piece);
            }
            ControlFlow::Continue(())
        })?;
        Ok(len)
    }
}

/// Copies what the piece at `at` has for a buffer that begins at `offset`. A later piece overwrites
/// what an earlier one has behind its beginning.
fn put(buffer: &mut [u8], offset: u64, at: u64, piece: &[u8]) {
    let skipped = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
    let start = usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
    let piece = piece.get(skipped..).unwrap_or_default();
    let room = buffer.get_mut(start..).unwrap_or_default();
    let len = piece.len().min(room.len());
    room[..len].copy_from_slice(&piece[..len]);
}
