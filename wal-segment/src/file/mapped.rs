//! The reader of a segment that is a file, through a map of it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use wal_core::SegmentReader;

use super::reader::FileReader;
use super::reading::opened;
use super::{Access, Files};
use crate::system::map::Map;

/// Bytes. A read of more costs less by `pread`, which has no page to look up and none to fault in.
/// And a scan of a cold file fell to a tenth where a map was to be read in sequence.
const MANY: usize = 64 << 10;

/// Reads one file through a map of it, and as the buffered reader does what that is better at or the
/// map has no answer to: many bytes at once, what lies behind the map's end, a file for which there
/// was no map left, and all from the first time that the file was cut off under its map.
#[derive(Debug)]
pub(crate) struct MappedReader {
    buffered: FileReader,
    pub(crate) map: Option<Map>,
    /// The file's size when it was last looked at.
    seen: AtomicU64,
}

impl MappedReader {
    /// A reader of the file of this name.
    pub(crate) fn open(files: &dyn Files, name: &str) -> io::Result<Self> {
        let file = opened(files, name, Access::Read)?;
        let Some(os_file) = file.as_file() else {
            let what = format!("only a file of the operating system can be mapped: {file:?}");
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        };
        let map = Map::new(os_file).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot map {file:?}: {error}"))
        })?;
        Ok(Self { buffered: FileReader::new(file), map, seen: AtomicU64::new(0) })
    }

    /// Fills as much of `buffer` as there is from `offset` on, where the map can.
    fn by_map(&self, map: &Map, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let end = offset.saturating_add(buffer.len() as u64);
        let mut size = self.seen.load(Ordering::Relaxed);
        if end > size {
            size = self.size()?;
            self.seen.store(size, Ordering::Relaxed);
        }
        let end = end.min(size).max(offset);
        let len = usize::try_from(end - offset).unwrap_or(0);
        Ok((end <= Map::LEN && map.copy(offset, &mut buffer[..len])).then_some(len))
    }
}

impl SegmentReader for MappedReader {
    fn size(&self) -> io::Result<u64> {
        self.buffered.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(map) = &self.map
            && buffer.len() <= MANY
            && let Some(read) = self.by_map(map, offset, buffer)?
        {
            return Ok(read);
        }
        self.buffered.read_at(offset, buffer)
    }
}
