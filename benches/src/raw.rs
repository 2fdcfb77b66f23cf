//! [`RawFile`]: the floor of a durable write.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, ensure};
use wal::Preparation;
use wal::parts::segment::{Access, DIRECT_ALIGNMENT, Files, OpenFile, OsFiles};

/// Where the bytes lie in the file that is open.
const NAME: &str = "raw";

/// A file whose space is prepared, and nothing else: what is left of a log when only the write and
/// the sync remain.
pub struct RawFile {
    files: OsFiles,
    fill: Fill,
    access: Access,
    size: u64,
    open: Arc<dyn OpenFile>,
    end: u64,
}

/// How the space of a [`RawFile`] is prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Not at all, as [`Preparation::None`].
    Nothing,
    /// By `fallocate`, as [`Preparation::Whole`] does.
    Allocated,
    /// By writing zeros and syncing them, as [`Preparation::ZeroFill`] does.
    Zeros,
}

impl Fill {
    /// The setting that prepares a log's segments in the same way.
    pub fn as_preparation(self) -> Preparation {
        match self {
            Self::Nothing => Preparation::None,
            Self::Allocated => Preparation::Whole,
            Self::Zeros => Preparation::ZeroFill,
        }
    }
}

impl RawFile {
    /// A file of `size` bytes in `dir`, which is made, written through the page cache.
    pub fn new(dir: PathBuf, fill: Fill, size: u64) -> Result<Self> {
        Self::with_access(dir, fill, size, Access::Write)
    }

    /// As [`new`](Self::new), opened for this.
    pub fn with_access(dir: PathBuf, fill: Fill, size: u64, access: Access) -> Result<Self> {
        let files = OsFiles::create(dir)?;
        let open = prepared(&files, fill, size, access)?;
        Ok(Self { files, fill, access, size, open, end: 0 })
    }

    /// Writes `bytes` behind what was written before, and syncs.
    pub fn commit(&mut self, bytes: &[u8]) -> Result<()> {
        self.write(bytes)?;
        self.sync()
    }

    /// Writes `bytes` behind what was written before. Where the file is full, makes the next one
    /// first, as a log makes its next segment.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.end + bytes.len() as u64 > self.size {
            self.renew()?;
        }
        ensure!(self.open.write_at(self.end, bytes)? == bytes.len(), "a short write");
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Goes on in a new file, prepared as the first was.
    pub fn renew(&mut self) -> Result<()> {
        self.open = prepared(&self.files, self.fill, self.size, self.access)?;
        self.end = 0;
        Ok(())
    }

    /// Goes back to the file's start: what is written next is written over.
    pub fn rewind(&mut self) {
        self.end = 0;
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> Result<()> {
        if self.access == Access::Write {
            self.open.sync_data()?;
        }
        Ok(())
    }
}

impl fmt::Debug for RawFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fill, access, size, end, .. } = self;
        f.debug_struct("RawFile")
            .field("fill", fill)
            .field("access", access)
            .field("size", size)
            .field("end", end)
            .finish_non_exhaustive()
    }
}

/// Bytes that any access takes: they begin at a multiple of [`DIRECT_ALIGNMENT`].
#[derive(Debug)]
pub struct Aligned {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// So many bytes.
    pub fn new(len: usize) -> Self {
        let memory = vec![7; len + DIRECT_ALIGNMENT];
        let start = memory.as_ptr().align_offset(DIRECT_ALIGNMENT);
        Self { memory, start, len }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..][..self.len]
    }
}

fn prepared(files: &OsFiles, fill: Fill, size: u64, access: Access) -> Result<Arc<dyn OpenFile>> {
    if files.list()?.iter().any(|name| name == NAME) {
        files.remove(NAME)?;
    }
    let raw = files.create_new(NAME)?;
    match fill {
        Fill::Nothing => {}
        Fill::Allocated => raw.allocate(0, size)?,
        Fill::Zeros => {
            let zeros = vec![0; 1 << 20];
            let mut end = 0;
            while end < size {
                let piece = usize::try_from(size - end).map_or(zeros.len(), |n| n.min(zeros.len()));
                raw.write_at(end, &zeros[..piece])?;
                end += piece as u64;
            }
        }
    }
    raw.sync_all()?;
    files.sync_dir()?;
    Ok(files.open(NAME, access)?)
}
