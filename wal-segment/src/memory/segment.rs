//! One segment in memory, and the budget it lives on.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The bytes of a segment. What it takes of the budget goes back when it is dropped.
pub(super) struct Segment {
    budget: Arc<Budget>,
    contents: RwLock<Contents>,
}

/// `size` bytes, of which those behind `written` are zeros.
struct Contents {
    written: Vec<u8>,
    size: u64,
}

impl Segment {
    /// An empty segment of `size` bytes.
    pub(super) fn prepared(budget: Arc<Budget>, size: u64) -> io::Result<Self> {
        let mut written = Vec::new();
        reserve(&mut written, size)?;
        budget.take(size)?;
        Ok(Self { budget, contents: RwLock::new(Contents { written, size }) })
    }

    /// Puts `bytes` at `offset`, all or none of them, and drops what was written behind.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        // Nothing panics half-way through a change of the contents.
        let mut contents = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        let end = offset + bytes.len() as u64;
        let missing = end.saturating_sub(contents.written.len() as u64);
        reserve(&mut contents.written, missing)?;
        self.budget.take(end.saturating_sub(contents.size))?;
        let offset = usize::try_from(offset).expect("room for more than that is reserved");
        contents.written.resize(offset, 0);
        contents.written.extend_from_slice(bytes);
        contents.size = contents.size.max(end);
        Ok(())
    }

    /// Fills `buffer` from `offset` on and says how far.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let contents = self.contents.read().unwrap_or_else(PoisonError::into_inner);
        let there = contents.size.saturating_sub(offset);
        let len = usize::try_from(there).map_or(buffer.len(), |there| there.min(buffer.len()));
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let written = contents.written.get(start..).unwrap_or_default();
        let copied = written.len().min(len);
        buffer[..copied].copy_from_slice(&written[..copied]);
        buffer[copied..len].fill(0);
        len
    }

    /// How many bytes there are, prepared space included.
    pub(super) fn size(&self) -> u64 {
        self.contents.read().unwrap_or_else(PoisonError::into_inner).size
    }

    /// Gives back everything behind the first `len` bytes.
    pub(super) fn trim(&self, len: u64) {
        let mut contents = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        let size = contents.size.min(len);
        self.budget.give_back(contents.size - size);
        contents.size = size;
        contents.written.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        contents.written.shrink_to_fit();
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.budget.give_back(self.size());
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment").field("size", &self.size()).finish_non_exhaustive()
    }
}

/// How much a store may hold, and how much it does.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    taken: Mutex<u64>,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, taken: Mutex::new(0) }
    }

    /// How many bytes are taken.
    pub(super) fn taken(&self) -> u64 {
        *self.lock()
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        let mut taken = self.lock();
        match taken.checked_add(bytes) {
            Some(sum) if sum <= self.limit => {
                *taken = sum;
                Ok(())
            }
            _ => Err(full()),
        }
    }

    fn give_back(&self, bytes: u64) {
        *self.lock() -= bytes;
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reserve(bytes: &mut Vec<u8>, more: u64) -> io::Result<()> {
    let more = usize::try_from(more).map_err(|_| full())?;
    bytes.try_reserve(more).map_err(|_| full())
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "the memory store is full")
}
