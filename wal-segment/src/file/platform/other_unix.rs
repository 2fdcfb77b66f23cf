//! Unix without what Linux has beyond it.

use std::fs::{File, OpenOptions};
use std::io;

use crate::file::Access;

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

pub(in crate::file) fn allocate(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(in crate::file) fn forget(_file: &File, _offset: u64, _len: u64) {}
