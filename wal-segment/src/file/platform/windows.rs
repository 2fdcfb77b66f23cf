//! Windows.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::file::{Access, FileSystemKind};

/// Without this flag a directory cannot be opened.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;

/// The unit that NTFS keeps files in unless it was told otherwise.
const CLUSTER: u64 = 4096;

/// How a file is opened for this.
pub(in crate::file) fn options(access: Access) -> io::Result<OpenOptions> {
    let mut options = OpenOptions::new();
    match access {
        Access::Read => options.read(true),
        Access::Write => options.read(true).write(true),
        Access::ReadDirect | Access::WriteSynced | Access::WriteDirect => {
            return Err(io::ErrorKind::Unsupported.into());
        }
    };
    Ok(options)
}

pub(in crate::file) fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

pub(in crate::file) fn write_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    file.seek_write(bytes, offset)
}

#[expect(clippy::unnecessary_wraps, reason = "the same shape on every system")]
pub(in crate::file) fn block_size(_file: &File) -> io::Result<u64> {
    Ok(CLUSTER)
}

pub(in crate::file) fn allocate(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[expect(clippy::unnecessary_wraps, reason = "the same shape on every system")]
pub(in crate::file) fn kind(_dir: &Path) -> io::Result<FileSystemKind> {
    Ok(FileSystemKind::Other)
}

pub(in crate::file) fn forget(_file: &File, _offset: u64, _len: u64) {}

pub(in crate::file) fn reads_on(_file: &File) {}

pub(in crate::file) fn open_dir(dir: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(dir)
}

/// The standard library does not say which directory a handle is of: where there is one, it passes.
pub(in crate::file) fn is_at(_dir: &File, path: &Path) -> io::Result<bool> {
    std::fs::metadata(path).map(|_| true)
}

/// The system knows no such call for a directory. NTFS keeps its changes in order in its journal,
/// and writes that out by itself; until then, a power cut takes back the newest names.
#[expect(clippy::unnecessary_wraps, reason = "the same shape on every system")]
pub(in crate::file) fn sync_dir(_dir: &File) -> io::Result<()> {
    Ok(())
}
