//! The reader of a segment that is a file.

use std::io;
use std::sync::Arc;

use wal_core::SegmentReader;

use super::OpenFile;
use super::sequence::Sequence;
use super::transfer::read_full;

/// Reads one file, through an open file of its own.
#[derive(Debug)]
pub(super) struct FileReader {
    file: Arc<dyn OpenFile>,
    sequence: Sequence,
}

impl FileReader {
    /// Reads this file.
    pub(super) fn new(file: Arc<dyn OpenFile>) -> Self {
        Self { file, sequence: Sequence::default() }
    }
}

impl SegmentReader for FileReader {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        // Three times as fast from a cold disk, where the system by itself reads 128 KiB ahead. Naming
        // what comes next (`POSIX_FADV_WILLNEED`) was slower than this, and on a disk with a larger
        // read-ahead slower than nothing.
        if self.sequence.begins(offset, buffer.len()) {
            self.file.reads_on();
        }
        read_full(&*self.file, offset, buffer)
    }
}
