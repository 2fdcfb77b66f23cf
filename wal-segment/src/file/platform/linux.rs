//! Linux.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{Advice, FallocateFlags, OFlags, fadvise, fallocate};
use rustix::io::Errno;

use crate::file::Access;

/// How a file is opened for this.
pub(in crate::file) fn options(access: Access) -> io::Result<OpenOptions> {
    let (write, flags) = match access {
        Access::Read => (false, OFlags::empty()),
        Access::ReadDirect => (false, OFlags::DIRECT),
        Access::Write => (true, OFlags::empty()),
        Access::WriteSynced => (true, OFlags::DSYNC),
        Access::WriteDirect => (true, OFlags::DSYNC | OFlags::DIRECT),
    };
    let mut options = OpenOptions::new();
    options.read(true).write(write).custom_flags(flags.bits().cast_signed());
    Ok(options)
}

pub(in crate::file) fn allocate(file: &File, offset: u64, len: u64) -> io::Result<()> {
    // Beyond this the system says EINVAL, which is also what it says where it cannot at all.
    if offset.checked_add(len).is_none_or(|end| i64::try_from(end).is_err()) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    match fallocate(file, FallocateFlags::empty(), offset, len) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) if len > 0 => {
            Err(io::ErrorKind::Unsupported.into())
        }
        Err(errno) => Err(errno.into()),
    }
}

pub(in crate::file) fn forget(file: &File, offset: u64, len: u64) {
    // A hint: where the system does not take it, the bytes stay in the cache.
    fadvise(file, offset, std::num::NonZeroU64::new(len), Advice::DontNeed).ok();
}
