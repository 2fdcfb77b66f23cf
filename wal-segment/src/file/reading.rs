//! [`Reading`]: how the bytes of a segment are read.

use std::io;
use std::sync::Arc;

use wal_core::SegmentReader;

use super::direct::DirectReader;
use super::reader::FileReader;
use super::{Access, FileKind, Files, OpenFile};

/// How the bytes of a segment are read. All ways give the same bytes, and none keeps a writer or
/// another reader waiting.
///
/// | way | the bytes come from | good for |
/// |---|---|---|
/// | `Buffered` | the page cache, by `pread` | all there is |
/// | `Mapped` | the page cache, through a map | many small reads of bytes that are in the cache |
/// | `Direct` | the disk, past the page cache | verification: what is read is what the disk has |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reading {
    /// Through the page cache. Who reads a segment from front to back has the system read twice as
    /// far ahead.
    #[default]
    Buffered,
    /// Through a map of the file: no system call for bytes that are in the page cache. Reads of more
    /// than 64 KiB go as under `Buffered`, which is faster at them.
    ///
    /// Needs the feature `mmap`, 64-bit Linux and [`OsFiles`](super::OsFiles); without them opening
    /// a segment fails with [`io::ErrorKind::Unsupported`].
    ///
    /// - A file that is cut off, or that the disk cannot read, under the map raises a `SIGBUS`. It is
    ///   caught, and the read is done again as `Buffered` does it, with the end or the error that
    ///   `pread` finds. Bytes cut off within a page may read as zeros.
    /// - To catch it, the first segment that is mapped sets a handler for `SIGBUS` in the process.
    ///   Any other `SIGBUS` goes to the handler that was there before, and kills the process where
    ///   there was none. A host that sets its own handler later has to pass on to this one what it
    ///   does not know, and a thread that reads must not block the signal.
    /// - What is mapped counts as memory of the process while it is in the page cache. A process that
    ///   locks all its memory (`mlockall` with `MCL_FUTURE`) locks whole segments so.
    /// - It takes 32 GiB of addresses, and no memory, for 128 segments at a time and 256 MiB of each;
    ///   what is beyond is read as `Buffered` does.
    Mapped,
    /// Past the page cache (`O_DIRECT`): what somebody has written is written out first, and then
    /// read from the disk, whatever the cache holds. Where the file system does not know it, opening
    /// a segment fails with [`io::ErrorKind::Unsupported`]. A few take the flag and read from the
    /// cache all the same, such as ext4 with `data=journal`.
    ///
    /// Reads 4096 bytes at the least, by way of memory of its own.
    Direct,
}

impl Reading {
    /// Whether this build and this operating system know the way. A file system may refuse it still.
    pub fn is_known(self) -> bool {
        match self {
            Self::Buffered => true,
            Self::Mapped => {
                cfg!(all(feature = "mmap", target_os = "linux", target_pointer_width = "64"))
            }
            Self::Direct => cfg!(target_os = "linux"),
        }
    }

    /// A reader of the file of this name.
    pub(super) fn open(self, files: &dyn Files, name: &str) -> io::Result<Box<dyn SegmentReader>> {
        match self {
            Self::Buffered => Ok(Box::new(FileReader::new(opened(files, name, Access::Read)?))),
            Self::Mapped => mapped(files, name),
            Self::Direct => {
                Ok(Box::new(DirectReader::new(opened(files, name, Access::ReadDirect)?)))
            }
        }
    }
}

/// The file behind a segment's name. Whatever else is there is told as what it is, and not passed over
/// as if there were nothing.
pub(super) fn opened(
    files: &dyn Files,
    name: &str,
    access: Access,
) -> io::Result<Arc<dyn OpenFile>> {
    let strange = |kind: FileKind, more: &str| {
        let what = format!("{name} is no segment but {kind}{more}: {files:?}");
        io::Error::new(io::ErrorKind::InvalidData, what)
    };
    let error = match files.open(name, access) {
        Err(error) => error,
        Ok(file) => {
            return match file.info()?.kind {
                FileKind::File => Ok(file),
                kind => Err(strange(kind, "")),
            };
        }
    };
    match (files.look(name).map(|info| info.kind), error.kind()) {
        (Ok(FileKind::Link), io::ErrorKind::NotFound) => {
            Err(strange(FileKind::Link, " that leads nowhere"))
        }
        (Ok(kind @ (FileKind::Directory | FileKind::Other)), _) => Err(strange(kind, "")),
        _ => Err(error),
    }
}

#[cfg(all(feature = "mmap", target_os = "linux", target_pointer_width = "64"))]
fn mapped(files: &dyn Files, name: &str) -> io::Result<Box<dyn SegmentReader>> {
    Ok(Box::new(super::mapped::MappedReader::open(files, name)?))
}

#[cfg(not(all(feature = "mmap", target_os = "linux", target_pointer_width = "64")))]
fn mapped(_files: &dyn Files, _name: &str) -> io::Result<Box<dyn SegmentReader>> {
    let what = "mapped reading takes the feature mmap and 64-bit Linux";
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}
