//! What goes by name, on systems without Linux's calls for it: by the path of the directory, which
//! the caller has found to lead there still.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::{info_of, open_dir, options};
use crate::file::{Access, FileInfo};

pub(in crate::file) fn create_new(_dir: &File, path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}

pub(in crate::file) fn open(_dir: &File, path: &Path, access: Access) -> io::Result<File> {
    options(access)?.open(path)
}

pub(in crate::file) fn names(_dir: &File, path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

pub(in crate::file) fn look(_dir: &File, path: &Path) -> io::Result<FileInfo> {
    fs::symlink_metadata(path).map(|metadata| info_of(&metadata))
}

pub(in crate::file) fn remove(_dir: &File, path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// By a link, which replaces nothing. Where the file system knows no links, the new name is looked
/// for first: between that and the renaming another process might make it, which only one that does
/// not take the lock would.
pub(in crate::file) fn rename(_dir: &File, from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => return fs::remove_file(from),
        Err(error) => match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound => return Err(error),
            _ => {}
        },
    }
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

pub(in crate::file) fn reopen_dir(_dir: &File, path: &Path) -> io::Result<File> {
    open_dir(path)
}
