//! A file store that prepares ahead without a thread, so that the same case does the same calls.

use std::io;

use wal::parts::core::{
    Guarantees, SegmentId, SegmentReader, SegmentStore, SegmentWriter, StoreLock,
};
use wal::parts::segment::FileStore;

/// Prepares the segment that is wanted just before one is made: as late as a thread may.
#[derive(Debug)]
pub(crate) struct PreparedAhead(pub(crate) FileStore);

impl SegmentStore for PreparedAhead {
    fn guarantees(&self) -> Guarantees {
        self.0.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.0.lock()
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        self.0.list()
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        // As a thread does: whoever needs the segment finds out what is wrong.
        self.0.prepare_next().ok();
        self.0.create(id, size)
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
