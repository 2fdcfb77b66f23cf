//! The reader of a segment that is a file, through a map of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wal_core::SegmentReader;

use super::map::Map;
use super::sequence::Sequence;
use super::transfer::read_full;
use super::{Access, Files, OpenFile};

/// Reads one file through a map of it, and as the buffered reader does where that has no answer:
/// behind the map's end, where too many files are mapped, and from the first time that the map was
/// cut off.
#[derive(Debug)]
pub(super) struct MappedReader {
    file: Arc<dyn OpenFile>,
    pub(super) map: Option<Map>,
    /// The file's size when it was last looked at.
    seen: AtomicU64,
    sequence: Sequence,
}

impl MappedReader {
    /// A reader of the file of this name.
    pub(super) fn open(files: &dyn Files, name: &str) -> io::Result<Self> {
        let file = files.open(name, Access::Read)?;
        let Some(os_file) = file.as_file() else {
            let what = format!("only a file of the operating system can be mapped: {file:?}");
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        };
        let map = Map::new(os_file).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot map {file:?}: {error}"))
        })?;
        Ok(Self { file, map, seen: AtomicU64::new(0), sequence: Sequence::default() })
    }

    /// How many bytes there are of `len` at `offset`.
    fn there(&self, offset: u64, len: u64) -> io::Result<u64> {
        let end = offset.saturating_add(len);
        let mut size = self.seen.load(Ordering::Relaxed);
        if end > size {
            size = self.file.size()?;
            self.seen.store(size, Ordering::Relaxed);
        }
        Ok(end.min(size).saturating_sub(offset))
    }
}

impl SegmentReader for MappedReader {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let in_sequence = self.sequence.begins(offset, buffer.len());
        if let Some(map) = &self.map {
            if in_sequence {
                map.reads_on();
            }
            let there = self.there(offset, buffer.len() as u64)?;
            let len = usize::try_from(there).unwrap_or(0);
            if offset.saturating_add(there) <= Map::LEN && map.copy(offset, &mut buffer[..len]) {
                return Ok(len);
            }
        }
        read_full(&*self.file, offset, buffer)
    }
}
