//! [`FileSystem`]: what a directory's file system is, and what of a [`FileStore`] suits it.

use std::fmt;
use std::io;

use super::platform;
use super::writing::Block;
use super::{Ahead, DIRECT_ALIGNMENT, OsFiles, Preparation, Recycling, Writing};
use crate::FileStore;

/// Zeros are asked for in steps of so many bytes.
const STEP: u64 = 16 << 20;

/// The file system of a directory: its kind, and whether it takes writes past its cache, which is
/// found by trying, where it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileSystem {
    /// What it is.
    pub kind: FileSystemKind,
    /// Whether it takes writes past its cache.
    pub direct: Direct,
}

/// The kinds of file system that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileSystemKind {
    /// ext2, ext3 or ext4: one number for all three.
    Ext,
    /// XFS.
    Xfs,
    /// Btrfs, ZFS, bcachefs: what is overwritten gets new blocks.
    CopiesOnWrite,
    /// tmpfs or ramfs: in memory, and gone with the power.
    InMemory,
    /// A layer over another file system, as in a container.
    Overlay,
    /// On another machine: NFS, SMB, Ceph, FUSE.
    Remote,
    /// Any other, or one of another system than Linux.
    Other,
}

/// Whether a file system takes writes past its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direct {
    /// It wrote a block so.
    Works,
    /// It would not.
    Refused,
    /// It did not matter, there was no room to try, or the trial failed in another way.
    Untried,
}

/// How a [`FileStore`] works: what suits its file system, or what was asked for instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fit {
    /// What it was chosen for.
    pub file_system: FileSystem,
    /// How space is taken.
    pub preparation: Preparation,
    /// What becomes of the files of removed segments.
    pub recycling: Recycling,
    /// How bytes are written.
    pub writing: Writing,
}

impl FileSystem {
    /// Looks at the file system of these files, for a log that pads its flushes to `alignment` bytes.
    /// Where those could pass the cache it writes one block so, into a file that has no name
    /// (`O_TMPFILE`): nothing in the directory changes, whether another handle has the log open or
    /// not. That costs a durable write, which may be more than all else about an open. A file system
    /// that knows no such files is not tried.
    pub fn of(files: &OsFiles, alignment: u32) -> io::Result<Self> {
        let kind = platform::kind(files.handle())?;
        if (alignment as usize) < DIRECT_ALIGNMENT {
            return Ok(Self { kind, direct: Direct::Untried });
        }
        let direct = match try_direct(files) {
            Ok(()) => Direct::Works,
            Err(error) => match error.kind() {
                io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput => Direct::Refused,
                // What else it means is found out soon.
                _ => Direct::Untried,
            },
        };
        Ok(Self { kind, direct })
    }

    /// What suits it:
    ///
    /// | | space | writing |
    /// |---|---|---|
    /// | ext4, XFS | zeros ahead, files used again | direct where flushes are padded to 4096 bytes, else buffered |
    /// | an overlay | by `fallocate` | buffered |
    /// | copies on write, in memory, remote, other | none taken | buffered |
    ///
    /// Zeros ahead halve the cost of a sync on ext4 and XFS; where overwriting takes new blocks they
    /// only cost. Direct writing spares a copy and the page cache; unpadded it cannot be done.
    pub fn fit(self) -> Fit {
        let (preparation, recycling, writing) = match self.kind {
            FileSystemKind::Ext | FileSystemKind::Xfs => {
                let writing = match self.direct {
                    Direct::Works => Writing::Direct,
                    Direct::Refused | Direct::Untried => Writing::Buffered,
                };
                (Preparation::ZerosAhead(STEP), Recycling::Keep(1), writing)
            }
            FileSystemKind::Overlay => (Preparation::Whole, Recycling::Off, Writing::Buffered),
            _ => (Preparation::None, Recycling::Off, Writing::Buffered),
        };
        Fit { file_system: self, preparation, recycling, writing }
    }
}

impl FileStore {
    /// Works in this way, with a thread that prepares what is needed next.
    pub fn fitted(self, fit: Fit) -> Self {
        let Fit { preparation, recycling, writing, file_system: _ } = fit;
        self.preparation(preparation).recycling(recycling).writing(writing).ahead(Ahead::Thread)
    }
}

fn try_direct(files: &OsFiles) -> io::Result<()> {
    let file = platform::unnamed_direct(files.handle())?;
    let mut block = Block::default();
    match platform::write_at(&file, 0, &block.bytes()[..DIRECT_ALIGNMENT])? {
        DIRECT_ALIGNMENT => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file_system: FileSystem { kind, .. }, preparation, recycling, writing } = self;
        write!(f, "{kind}: ")?;
        match preparation {
            Preparation::None => f.write_str("space taken as it is written")?,
            Preparation::Whole => f.write_str("space taken by the segment")?,
            Preparation::Chunks(step) => write!(f, "space taken {step} bytes at a time")?,
            Preparation::ZeroFill => f.write_str("segments filled with zeros")?,
            Preparation::ZerosAhead(step) => write!(f, "zeros written {step} bytes ahead")?,
        }
        match recycling {
            Recycling::Off => f.write_str(", files of removed segments deleted")?,
            Recycling::Keep(1) => f.write_str(", one file of a removed segment used again")?,
            Recycling::Keep(files) => write!(f, ", {files} files of removed segments used again")?,
        }
        match writing {
            Writing::Buffered => f.write_str(", writes through the page cache and fdatasync"),
            Writing::Synced => f.write_str(", writes that sync themselves (O_DSYNC)"),
            Writing::Direct => f.write_str(", writes past the page cache (O_DIRECT and O_DSYNC)"),
        }
    }
}

impl fmt::Display for FileSystemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext => "ext2, ext3 or ext4",
            Self::Xfs => "XFS",
            Self::CopiesOnWrite => "a file system that copies on write",
            Self::InMemory => "a file system in memory, where nothing survives a power cut",
            Self::Overlay => "an overlay",
            Self::Remote => "a file system on another machine",
            Self::Other => "a file system that is not known",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trial is a durable write, and every open had one. (It took twice as long as all the rest.)
    #[test]
    fn direct_writing_is_tried_where_it_matters_only() {
        let dir = tempfile::tempdir().unwrap();
        let files = OsFiles::create(dir.path()).unwrap();
        let direct = |alignment| FileSystem::of(&files, alignment).unwrap().direct;
        assert_eq!(direct(8), Direct::Untried);
        assert_eq!(direct(2048), Direct::Untried);
        assert_ne!(direct(4096), Direct::Untried);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
