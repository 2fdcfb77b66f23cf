//! Windows.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::file::{Access, FileInfo, FileKind, FileSystemKind};

/// Without this flag a directory cannot be opened.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;

/// The unit that NTFS keeps files in unless it was told otherwise.
const CLUSTER: u64 = 4096;

pub(in crate::file) fn unnamed_direct(_dir: &File) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The standard library does not say which file a handle is of, nor how many names it has.
pub(in crate::file) fn info_of(metadata: &Metadata) -> FileInfo {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => FileKind::File,
        kind if kind.is_dir() => FileKind::Directory,
        kind if kind.is_symlink() => FileKind::Link,
        _ => FileKind::Other,
    };
    FileInfo::new(None, kind, 1, metadata.len())
}

/// How a file is opened for this.
pub(in crate::file) fn options(access: Access) -> io::Result<OpenOptions> {
    let mut options = OpenOptions::new();
    match access {
        Access::Read => options.read(true),
        Access::Write => options.read(true).write(true),
        _ => return Err(io::ErrorKind::Unsupported.into()),
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

pub(in crate::file) fn host() -> Option<String> {
    None
}

pub(in crate::file) fn allocate(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[expect(clippy::unnecessary_wraps, reason = "the same shape on every system")]
pub(in crate::file) fn kind(_dir: &File) -> io::Result<FileSystemKind> {
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
