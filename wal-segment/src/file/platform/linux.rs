//! Linux.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{Advice, FallocateFlags, OFlags, fadvise, fallocate, statfs};
use rustix::io::Errno;

use crate::file::{Access, FileSystemKind};

/// How a file is opened for this.
#[expect(clippy::unnecessary_wraps, reason = "the same shape on every system")]
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

/// The kind of the file system that `dir` is in, by the number that `statfs` gives, see statfs(2).
pub(in crate::file) fn kind(dir: &Path) -> io::Result<FileSystemKind> {
    let number = u64::try_from(statfs(dir)?.f_type).unwrap_or_default() & 0xffff_ffff;
    Ok(match number {
        0xef53 => FileSystemKind::Ext,
        0x5846_5342 => FileSystemKind::Xfs,
        // Btrfs, ZFS, bcachefs.
        0x9123_683e | 0x2fc1_2fc1 | 0xca45_1a4e => FileSystemKind::CopiesOnWrite,
        // tmpfs, ramfs, hugetlbfs.
        0x0102_1994 | 0x8584_58f6 | 0x9584_58f6 => FileSystemKind::InMemory,
        0x794c_7630 => FileSystemKind::Overlay,
        // NFS, SMB (three numbers), Ceph, FUSE, 9P.
        0x6969 | 0x517b | 0xff53_4d42 | 0xfe53_4d42 | 0x00c3_6400 | 0x6573_5546 | 0x0102_1997 => {
            FileSystemKind::Remote
        }
        _ => FileSystemKind::Other,
    })
}

pub(in crate::file) fn reads_on(file: &File) {
    // A hint, and for this open file alone.
    fadvise(file, 0, None, Advice::Sequential).ok();
}

pub(in crate::file) fn forget(file: &File, offset: u64, len: u64) {
    // A hint: where the system does not take it, the bytes stay in the cache.
    fadvise(file, offset, std::num::NonZeroU64::new(len), Advice::DontNeed).ok();
}
