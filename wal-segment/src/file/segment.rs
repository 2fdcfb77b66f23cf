//! The writer, the syncer and the reader of a segment that is a file.

use std::io;
use std::sync::Arc;

use wal_core::{SegmentReader, SegmentSyncer, SegmentWriter};

use super::OpenFile;
use super::preparation::Prepared;
use super::syncs::Syncs;
use super::transfer::{read_full, write_all};

/// Appends to one file. Refuses once a sync of the file has failed.
#[derive(Debug)]
pub(super) struct FileWriter {
    syncer: Arc<FileSyncer>,
    prepared: Prepared,
    end: u64,
}

impl FileWriter {
    /// The writer of an empty segment.
    pub(super) fn new(file: Arc<dyn OpenFile>, prepared: Prepared) -> Self {
        let syncer = Arc::new(FileSyncer { file, syncs: Syncs::default() });
        Self { syncer, prepared, end: 0 }
    }
}

impl SegmentWriter for FileWriter {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let FileSyncer { file, syncs } = &*self.syncer;
        syncs.check()?;
        let end = self.end + bytes.len() as u64;
        self.prepared.reach(&**file, end)?;
        write_all(&**file, self.end, bytes)?;
        self.end = end;
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        Arc::clone(&self.syncer) as _
    }
}

/// Syncs the open file that the writer writes to, so that no failed write-back goes unseen by it.
#[derive(Debug)]
struct FileSyncer {
    file: Arc<dyn OpenFile>,
    syncs: Syncs,
}

impl SegmentSyncer for FileSyncer {
    fn sync(&self) -> io::Result<()> {
        self.syncs.run(|| self.file.sync_data())
    }
}

/// Reads one file, through an open file of its own.
#[derive(Debug)]
pub(super) struct FileReader {
    file: Arc<dyn OpenFile>,
}

impl FileReader {
    /// Reads this file.
    pub(super) fn new(file: Arc<dyn OpenFile>) -> Self {
        Self { file }
    }
}

impl SegmentReader for FileReader {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        read_full(&*self.file, offset, buffer)
    }
}
