//! Unix without what Linux has beyond it.

use std::fs::{File, OpenOptions};
use std::io;

use crate::file::{Access, FileSystemKind};

pub(in crate::file) fn unnamed_direct(_dir: &File) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
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
