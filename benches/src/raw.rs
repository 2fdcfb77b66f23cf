//! [`RawFile`]: the floor of a durable write.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use wal::Preparation;

/// A file whose space is prepared, and nothing else: what is left of a log when only the write and
/// the sync remain.
#[derive(Debug)]
pub struct RawFile {
    dir: PathBuf,
    fill: Fill,
    size: u64,
    open: File,
    end: u64,
}

/// How the space of a [`RawFile`] is prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// By `fallocate`, as [`Preparation::Whole`] does.
    Allocated,
    /// By writing zeros and syncing them, as [`Preparation::ZeroFill`] does.
    Zeros,
}

impl Fill {
    /// The setting that prepares a log's segments in the same way.
    pub fn as_preparation(self) -> Preparation {
        match self {
            Self::Allocated => Preparation::Whole,
            Self::Zeros => Preparation::ZeroFill,
        }
    }
}

impl RawFile {
    /// A file of `size` bytes in `dir`, which is made.
    pub fn new(dir: PathBuf, fill: Fill, size: u64) -> Result<Self> {
        fs::create_dir_all(&dir)?;
        let open = prepared(&dir, fill, size)?;
        Ok(Self { dir, fill, size, open, end: 0 })
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
            self.open = prepared(&self.dir, self.fill, self.size)?;
            self.end = 0;
        }
        self.open.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> Result<()> {
        Ok(self.open.sync_data()?)
    }
}

fn prepared(dir: &Path, fill: Fill, size: u64) -> Result<File> {
    let path = dir.join("raw");
    if path.exists() {
        fs::remove_file(&path)?;
    }
    let raw = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    match fill {
        Fill::Allocated => {
            rustix::fs::fallocate(&raw, rustix::fs::FallocateFlags::empty(), 0, size)?;
        }
        Fill::Zeros => {
            let zeros = vec![0; 1 << 20];
            let mut end = 0;
            while end < size {
                let piece = usize::try_from(size - end).map_or(zeros.len(), |n| n.min(zeros.len()));
                raw.write_all_at(&zeros[..piece], end)?;
                end += piece as u64;
            }
        }
    }
    raw.sync_all()?;
    File::open(dir)?.sync_all()?;
    Ok(raw)
}
