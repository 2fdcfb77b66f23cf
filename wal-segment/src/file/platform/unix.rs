//! What every Unix has.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use crate::file::{FileId, FileInfo, FileKind};

pub(in crate::file) fn info_of(metadata: &Metadata) -> FileInfo {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => FileKind::File,
        kind if kind.is_dir() => FileKind::Directory,
        kind if kind.is_symlink() => FileKind::Link,
        _ => FileKind::Other,
    };
    let id = FileId { device: metadata.dev(), inode: metadata.ino() };
    FileInfo::new(Some(id), kind, metadata.nlink(), metadata.len())
}

pub(in crate::file) fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

pub(in crate::file) fn write_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    file.write_at(bytes, offset)
}

pub(in crate::file) fn block_size(file: &File) -> io::Result<u64> {
    file.metadata().map(|metadata| metadata.blksize())
}

pub(in crate::file) fn open_dir(dir: &Path) -> io::Result<File> {
    File::open(dir)
}

/// Whether this is the directory that the path leads to.
pub(in crate::file) fn is_at(dir: &File, path: &Path) -> io::Result<bool> {
    let (opened, there) = (dir.metadata()?, fs::metadata(path)?);
    Ok((opened.dev(), opened.ino()) == (there.dev(), there.ino()))
}

pub(in crate::file) fn sync_dir(dir: &File) -> io::Result<()> {
    dir.sync_all()
}
