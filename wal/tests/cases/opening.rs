//! [`Opening`]: a file store of which a test opens the segments.

use std::fmt;
use std::io;

use wal::SegmentId;
use wal::parts::core::{Guarantees, SegmentReader, SegmentStore, SegmentWriter, StoreLock};
use wal::parts::segment::FileStore;

/// A store that passes everything on to the one below, but has its segments opened by `open`.
pub(crate) struct Opening<F> {
    pub(crate) below: FileStore,
    pub(crate) open: F,
}

impl<F> SegmentStore for Opening<F>
where
    F: Fn(&FileStore, SegmentId) -> io::Result<Box<dyn SegmentReader>> + Send + Sync,
{
    fn guarantees(&self) -> Guarantees {
        self.below.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.below.lock()
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        self.below.list()
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        self.below.create(id, size)
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        (self.open)(&self.below, id)
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.below.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.below.remove(ids)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.below.read_anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.below.write_anchor(bytes)
    }
}

impl<F> fmt::Debug for Opening<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("below", &self.below).finish_non_exhaustive()
    }
}
