//! [`FileLock`]: one writer a directory.

use std::io;
use std::process;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use wal_core::{Fenced, Utc};

use super::transfer::{read_full, write_all};
use super::{Access, FileInfo, FileKind, Files, OpenFile, platform};
use crate::system;

/// The file that is locked. It stays when the lock goes.
const NAME: &str = "LOCK";

/// How often the file may be another one when it is locked.
const TRIES: u32 = 16;

/// The operating system's lock on the directory itself, and on the file `LOCK` in it. The system
/// frees both when the process ends, however it ends.
///
/// The directory cannot be removed or replaced as a file in it can: with that lock, whatever becomes
/// of `LOCK` lets no second writer in. Where the system cannot lock directories, the file is all there
/// is, and [`check`](Self::check) tells whether it still has its name.
///
/// The file says who holds it, for people. Nothing is decided by that: it may be stale.
#[derive(Debug)]
pub(super) struct FileLock {
    /// What of the file is locked. Freed first, so that whoever has the directory has the file.
    file: Locked,
    info: FileInfo,
    directory: Option<Locked>,
}

/// A locked file, freed when this is dropped: not before every copy of the open file is gone, were it
/// left to the system, and a process that is being started holds one.
#[derive(Debug)]
struct Locked {
    file: Arc<dyn OpenFile>,
    process: u32,
}

impl Locked {
    fn new(file: Arc<dyn OpenFile>) -> Self {
        Self { file, process: system::process() }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // A process that was forked off shares the lock with the one that took it.
        if self.process == system::process() {
            // Where it fails, the lock goes with the file.
            self.file.unlock().ok();
        }
    }
}

impl FileLock {
    /// Takes the lock; [`io::ErrorKind::WouldBlock`] where another holds it.
    pub(super) fn take(files: &dyn Files) -> io::Result<Self> {
        let directory = match files.open_dir().and_then(|dir| dir.try_lock().map(|()| dir)) {
            Ok(dir) => Some(Locked::new(dir)),
            Err(error) => match error.kind() {
                io::ErrorKind::Unsupported => None,
                io::ErrorKind::WouldBlock => return Err(held(files, &error)),
                _ => return Err(error),
            },
        };
        for _ in 0..TRIES {
            let file = opened(files)?;
            match file.try_lock() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(held(files, &error));
                }
                locked => locked?,
            }
            let file = Locked::new(file);
            let info = file.file.info()?;
            // It may have been removed between the opening and the locking.
            if has_its_name(files, &info)? {
                sign(files, &*file.file, &info);
                return Ok(Self { file, info, directory });
            }
        }
        let what = format!("the file {NAME} is replaced all the time: {files:?}");
        Err(io::Error::new(io::ErrorKind::WouldBlock, what))
    }

    /// Fails as [`Fenced`] where another writer may have the lock: where only the file could be
    /// locked, and its name is another file's by now, or nothing's.
    pub(super) fn check(&self, files: &dyn Files) -> io::Result<()> {
        if self.directory.is_some() || has_its_name(files, &self.info)? {
            return Ok(());
        }
        let what = format!(
            "the file {NAME} was removed or replaced, so another writer may have the log: {:?}",
            self.file.file
        );
        Err(Fenced(what).into())
    }
}

fn opened(files: &dyn Files) -> io::Result<Arc<dyn OpenFile>> {
    match files.create_new(NAME) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            files.open(NAME, Access::Write)
        }
        made => made,
    }
}

fn has_its_name(files: &dyn Files, info: &FileInfo) -> io::Result<bool> {
    match files.look(NAME) {
        // A link is not the file, and leads to it or elsewhere.
        Ok(there) if there.kind == FileKind::Link => match files.open(NAME, Access::Read) {
            Ok(file) => Ok(file.info()?.may_be(info)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        },
        Ok(there) => Ok(there.may_be(info)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes down who holds the lock. A full disk must not keep the lock from being taken, so failing
/// is no failure. What has another name too, or what a link leads to, is somebody's file, and is not
/// written to.
fn sign(files: &dyn Files, file: &dyn OpenFile, info: &FileInfo) {
    let by_name = files.look(NAME).is_ok_and(|there| there.kind == FileKind::File);
    if !by_name || info.kind != FileKind::File || info.links > 1 {
        return;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = Utc(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    let (process, of) = (process::id(), platform::host().map(|host| format!(" of {host}")));
    let text = format!(
        "process {process}{} since {since}\n\
         Do not delete or replace this file. That it is there, and whom it names, means nothing: what \
         counts is a lock that the system holds on it and on this directory while a writer has the \
         log open, and frees by itself.\n",
        of.unwrap_or_default()
    );
    let signed = write_all(file, 0, text.as_bytes());
    signed.and_then(|()| file.set_len(text.len() as u64)).ok();
}

fn held(files: &dyn Files, error: &io::Error) -> io::Error {
    let mut start = [0; 200];
    let file = files.open(NAME, Access::Read);
    let read = file.and_then(|file| read_full(&*file, 0, &mut start)).unwrap_or(0);
    let text = String::from_utf8_lossy(&start[..read]);
    let is_text = |char: &char| !char.is_control() && *char != char::REPLACEMENT_CHARACTER;
    let line: String = text.chars().take_while(is_text).collect();
    let holder = if line.is_empty() { "nothing about the holder" } else { &*line };
    let what =
        format!("{error}; another writer has the log open, and the file {NAME} says: {holder}");
    io::Error::new(io::ErrorKind::WouldBlock, what)
}
