//! What goes by name, on Linux: every call starts from the directory's own handle, so that a
//! directory that is moved is the same one still, and one put in its place is never touched.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat, linkat, openat, renameat,
    renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

use crate::file::{Access, FileId, FileInfo, FileKind};

/// The permissions of a new file, before the process's mask.
const NEW: Mode = Mode::from_raw_mode(0o666);

pub(in crate::file) fn create_new(dir: &File, path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    Ok(openat(dir, name(path), flags, NEW)?.into())
}

pub(in crate::file) fn open(dir: &File, path: &Path, access: Access) -> io::Result<File> {
    let flags = match access {
        // A pipe in the place of a segment is opened and refused, and not waited for.
        Access::Read => OFlags::RDONLY | OFlags::NONBLOCK,
        Access::ReadDirect => OFlags::RDONLY | OFlags::DIRECT | OFlags::NONBLOCK,
        Access::Write => OFlags::RDWR,
        Access::WriteSynced => OFlags::RDWR | OFlags::DSYNC,
        Access::WriteDirect => OFlags::RDWR | OFlags::DSYNC | OFlags::DIRECT,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    Ok(openat(dir, name(path), flags | OFlags::CLOEXEC, Mode::empty())?.into())
}

pub(in crate::file) fn names(dir: &File, _path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        match entry.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) => names.push(name.to_owned()),
        }
    }
    Ok(names)
}

pub(in crate::file) fn look(dir: &File, path: &Path) -> io::Result<FileInfo> {
    let stat = statat(dir, name(path), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(known(&stat))
}

pub(in crate::file) fn remove(dir: &File, path: &Path) -> io::Result<()> {
    Ok(unlinkat(dir, name(path), AtFlags::empty())?)
}

/// Never replaces anything. Where the file system does not know how to rename so (NFS, FAT and some
/// others say EINVAL), the file gets its second name by a link, which replaces nothing either, and
/// loses the first then. Where it knows no links, the new name is looked for first: between that and
/// the renaming another process might make it, which only one that does not take the lock would.
pub(in crate::file) fn rename(dir: &File, from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (name(from), name(to));
    match renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        renamed => return Ok(renamed?),
    }
    match linkat(dir, from, dir, to, AtFlags::empty()) {
        Ok(()) => return Ok(unlinkat(dir, from, AtFlags::empty())?),
        Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::MLINK) => {}
        Err(errno) => return Err(errno.into()),
    }
    match statat(dir, to, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(Errno::NOENT) => Ok(renameat(dir, from, dir, to)?),
        Err(errno) => Err(errno.into()),
    }
}

pub(in crate::file) fn reopen_dir(dir: &File, _path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(dir, ".", flags, Mode::empty())?.into())
}

fn known(stat: &Stat) -> FileInfo {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Link,
        _ => FileKind::Other,
    };
    #[allow(clippy::useless_conversion, reason = "the types differ from one processor to the next")]
    let (device, links) = (stat.st_dev.into(), stat.st_nlink.into());
    let id = FileId { device, inode: stat.st_ino };
    FileInfo::new(Some(id), kind, links, u64::try_from(stat.st_size).unwrap_or(0))
}

/// The last part of a path of ours.
fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}
