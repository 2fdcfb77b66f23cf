//! Linux.

use std::fs::File;
use std::io;

use rustix::fs::{Advice, FallocateFlags, Mode, OFlags, fadvise, fallocate, fstatfs, openat};
use rustix::io::Errno;

use crate::file::FileSystemKind;

/// A file of no name in this directory, past the cache: nothing in the directory changes by it, and
/// it goes with the handle.
pub(in crate::file) fn unnamed_direct(dir: &File) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::DSYNC | OFlags::DIRECT | OFlags::CLOEXEC;
    match openat(dir, ".", flags, Mode::RUSR | Mode::WUSR) {
        // It knows no files without a name, which says nothing of the cache.
        Err(Errno::OPNOTSUPP | Errno::ISDIR) => Err(io::ErrorKind::IsADirectory.into()),
        opened => Ok(opened?.into()),
    }
}

/// The name of this machine, or of the container.
pub(in crate::file) fn host() -> Option<String> {
    Some(rustix::system::uname().nodename().to_str().ok()?.to_owned())
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

/// The kind of the file system that `dir` is in, by the number that `fstatfs` gives, see statfs(2).
pub(in crate::file) fn kind(dir: &File) -> io::Result<FileSystemKind> {
    let number = u64::try_from(fstatfs(dir)?.f_type).unwrap_or_default() & 0xffff_ffff;
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
