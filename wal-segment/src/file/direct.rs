//! The reader of a segment that is a file, past the page cache.

use std::io;
use std::sync::Arc;

use wal_core::SegmentReader;

use super::transfer::uninterrupted;
use super::writing::Block;
use super::{DIRECT_ALIGNMENT, OpenFile};
use crate::sync::{self, Mutex};

/// Bytes that go in one read at the most.
const PIECE: usize = 2 << 20;

/// Reads one file past the page cache.
#[derive(Debug)]
pub(super) struct DirectReader {
    file: Arc<dyn OpenFile>,
    /// Memory that nobody is reading into just now.
    spare: Mutex<Option<Block>>,
}

impl DirectReader {
    /// Reads this file, which was opened for [`ReadDirect`](super::Access::ReadDirect).
    pub(super) fn new(file: Arc<dyn OpenFile>) -> Self {
        Self { file, spare: Mutex::new(None) }
    }

    fn read_by(&self, block: &mut Block, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let Some(at) = offset.checked_add(filled as u64) else { break };
            let rest = &mut buffer[filled..];
            let start = at - at % DIRECT_ALIGNMENT as u64;
            // Less than the alignment.
            let skip = usize::try_from(at - start).unwrap_or(0);
            let span = rest.len().min(PIECE - skip) + skip;
            let span = span.next_multiple_of(DIRECT_ALIGNMENT);
            let read = uninterrupted(|| self.file.read_at(start, block.of(span)))?;
            let found = read.saturating_sub(skip).min(rest.len());
            rest[..found].copy_from_slice(&block.of(span)[skip..skip + found]);
            filled += found;
            // Only the end of a file breaks off inside of a block.
            if found == 0 || !read.is_multiple_of(DIRECT_ALIGNMENT) {
                break;
            }
        }
        Ok(filled)
    }
}

impl SegmentReader for DirectReader {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let spare = || sync::lock(&self.spare);
        let mut block = spare().take().unwrap_or_default();
        let read = self.read_by(&mut block, offset, buffer);
        *spare() = Some(block);
        read
    }
}
