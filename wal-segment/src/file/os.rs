//! [`OsFiles`]: the operating system's files.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::fs::{File, TryLockError};
use std::hash::BuildHasher;
use std::io;
use std::path::{self, Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use wal_core::Fenced;

use super::{Access, FileInfo, Files, OpenFile, directory, platform};

/// The files of one directory of the operating system.
///
/// Errors name the path and repeat what the system said. Everything goes through the C library, so
/// that interposed libraries see it.
///
/// On Linux every call starts from the handle of the directory: one that is moved is the same
/// directory still. Where another directory was put in its place, the log has a new home that is not
/// this one: what makes, renames, removes or lists fails as [`Fenced`], and touches nothing there.
/// Elsewhere than on Linux calls go by the path, and fail also where the directory was moved.
///
/// The lock of the directory ([`open_dir`](Files::open_dir)) is `flock` of its own handle:
///
/// | where | that lock |
/// |---|---|
/// | ext4, XFS, btrfs, tmpfs and other Linux file systems on this machine | works |
/// | an overlay, as in a container | works between those that come by the overlay; one that goes to the layer below has another directory |
/// | NFS, SMB | refused by the system ([`Unsupported`](io::ErrorKind::Unsupported)): a directory cannot be opened for writing, which the server wants |
/// | macOS and other Unix | works |
/// | Windows | refused |
pub struct OsFiles {
    dir: PathBuf,
    handle: File,
}

impl OsFiles {
    /// The files of `dir`, which is made if it is missing, with all directories above it.
    ///
    /// When it returns, the directory survives a power cut, whoever made it: the directory above
    /// each one made is synced, and so is the one above the first that was there, since a process
    /// that made that may have died before it could. Only that last sync is passed over where the
    /// directory above may not be read.
    pub fn create(dir: impl AsRef<Path>) -> io::Result<Self> {
        let dir = absolute(dir.as_ref())?;
        directory::create(&dir)?;
        Self::open(dir)
    }

    /// The files of `dir`; [`io::ErrorKind::NotFound`] where there is no such directory.
    pub fn open(dir: impl AsRef<Path>) -> io::Result<Self> {
        let dir = absolute(dir.as_ref())?;
        let handle = platform::open_dir(&dir).map_err(|error| {
            let dangling = match error.kind() {
                io::ErrorKind::NotFound => directory::dangling(&dir),
                _ => None,
            };
            dangling.unwrap_or_else(|| cannot("open", &dir, &error))
        })?;
        if !handle.metadata().map_err(|error| cannot("look at", &dir, &error))?.is_dir() {
            return Err(cannot("open", &dir, &io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { dir, handle })
    }

    /// The directory, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The handle of the directory.
    pub(super) fn handle(&self) -> &File {
        &self.handle
    }

    /// No other directory has the path of the one that was opened. Where it has, the files there are
    /// another log's.
    fn check_place(&self) -> io::Result<()> {
        match platform::is_at(&self.handle, &self.dir) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let what = format!("{} is another directory by now", self.dir.display());
                Err(Fenced(what).into())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.was_moved() => Ok(()),
            Err(error) => Err(cannot("find", &self.dir, &error)),
        }
    }

    /// The directory has no name here any more, and is there all the same.
    fn was_moved(&self) -> bool {
        let by_handle = cfg!(target_os = "linux");
        by_handle && self.handle.metadata().is_ok_and(|dir| platform::info_of(&dir).links > 0)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn file(file: File, path: PathBuf) -> Arc<dyn OpenFile> {
        Arc::new(OsFile { file, path, renamed: OnceLock::new() })
    }
}

impl Files for OsFiles {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        self.check_place()?;
        let path = self.at(name);
        match platform::create_new(&self.handle, &path) {
            Ok(file) => Ok(Self::file(file, path)),
            Err(error) => Err(cannot("create", &path, &error)),
        }
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        self.check_place()?;
        let path = self.at(name);
        match platform::open(&self.handle, &path, access) {
            Ok(file) => Ok(Self::file(file, path)),
            // What a file system says that does not know how to pass the cache.
            Err(error) if access.passes_cache() && error.kind() == io::ErrorKind::InvalidInput => {
                let error = cannot("open", &path, &error);
                let what = format!("{error}; this file system knows no direct access (O_DIRECT)");
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            }
            Err(error) => Err(cannot("open", &path, &error)),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.check_place()?;
        let names = platform::names(&self.handle, &self.dir);
        names.map_err(|error| cannot("list", &self.dir, &error))
    }

    fn look(&self, name: &str) -> io::Result<FileInfo> {
        let path = self.at(name);
        platform::look(&self.handle, &path).map_err(|error| cannot("look at", &path, &error))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.check_place()?;
        let path = self.at(name);
        platform::remove(&self.handle, &path).map_err(|error| cannot("remove", &path, &error))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.check_place()?;
        let (from, to) = (self.at(from), self.at(to));
        platform::rename(&self.handle, &from, &to).map_err(|error| {
            let what = format!("cannot rename {} to {}: {error}", from.display(), to.display());
            io::Error::new(error.kind(), what)
        })
    }

    fn open_dir(&self) -> io::Result<Arc<dyn OpenFile>> {
        if cfg!(windows) {
            let unsupported = io::ErrorKind::Unsupported.into();
            return Err(cannot("lock the directory", &self.dir, &unsupported));
        }
        match platform::reopen_dir(&self.handle, &self.dir) {
            Ok(file) => Ok(Self::file(file, self.dir.clone())),
            Err(error) => Err(cannot("open", &self.dir, &error)),
        }
    }

    fn sync_dir(&self) -> io::Result<()> {
        platform::sync_dir(&self.handle).map_err(|error| cannot("sync", &self.dir, &error))
    }

    /// By way of the standard library, whose hashers take their keys from the system once a thread;
    /// the time tells two calls of one thread apart.
    fn random(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        RandomState::new().hash_one((now, std::process::id()))
    }
}

impl fmt::Debug for OsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsFiles").field("dir", &self.dir).finish_non_exhaustive()
    }
}

struct OsFile {
    file: File,
    path: PathBuf,
    /// The path it got since.
    renamed: OnceLock<PathBuf>,
}

impl OsFile {
    fn path(&self) -> &Path {
        self.renamed.get().unwrap_or(&self.path)
    }

    fn is_dir(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.is_dir())
    }

    fn told<T>(&self, verb: &str, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| cannot(verb, self.path(), &error))
    }
}

impl OpenFile for OsFile {
    fn size(&self) -> io::Result<u64> {
        self.told("look at", self.file.metadata().map(|metadata| metadata.len()))
    }

    fn info(&self) -> io::Result<FileInfo> {
        let metadata = self.file.metadata();
        self.told("look at", metadata.map(|metadata| platform::info_of(&metadata)))
    }

    fn block_size(&self) -> io::Result<u64> {
        self.told("look at", platform::block_size(&self.file))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if i64::try_from(offset).is_err() {
            // No file reaches as far as this, and the system would call the offset invalid.
            return Ok(0);
        }
        self.told("read", platform::read_at(&self.file, offset, buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.told("write", platform::write_at(&self.file, offset, bytes))
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.told("prepare space in", platform::allocate(&self.file, offset, len))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.told("set the length of", self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.told("sync", self.file.sync_data())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.told("sync", self.file.sync_all())
    }

    fn forget(&self, offset: u64, len: u64) {
        platform::forget(&self.file, offset, len);
    }

    fn reads_on(&self) {
        platform::reads_on(&self.file);
    }

    fn as_file(&self) -> Option<&File> {
        Some(&self.file)
    }

    fn is_called(&self, name: &str) {
        // A file is renamed once, from the name it is made under.
        self.renamed.set(self.path.with_file_name(name)).ok();
    }

    fn try_lock(&self) -> io::Result<()> {
        self.file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                cannot("lock", self.path(), &io::ErrorKind::WouldBlock.into())
            }
            TryLockError::Error(error) if self.is_dir() => {
                // NFS says EBADF, since it locks only what is open for writing; others ENOLCK,
                // EISDIR, EINVAL or EOPNOTSUPP. Whatever it is, this is no way to lock here.
                let unsupported = io::Error::new(io::ErrorKind::Unsupported, error);
                cannot("lock the directory", self.path(), &unsupported)
            }
            TryLockError::Error(error) => cannot("lock", self.path(), &error),
        })
    }

    fn unlock(&self) -> io::Result<()> {
        self.told("unlock", self.file.unlock())
    }
}

impl fmt::Debug for OsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsFile").field("path", &self.path()).finish_non_exhaustive()
    }
}

/// The error, of the same kind, with what was tried and where.
pub(super) fn cannot(verb: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(kind_of(error), format!("cannot {verb} {}: {error}", path.display()))
}

/// The error's kind. The standard library has none for want of file handles, of the process or of the
/// system (EMFILE, ENFILE), and the number is lost with the words that are put round it: it is told as
/// want of memory, which passes as that does.
fn kind_of(error: &io::Error) -> io::ErrorKind {
    const HANDLES: [i32; 2] = if cfg!(windows) { [4, 4] } else { [23, 24] };
    match error.raw_os_error() {
        Some(code) if HANDLES.contains(&code) => io::ErrorKind::OutOfMemory,
        _ => error.kind(),
    }
}

fn absolute(dir: &Path) -> io::Result<PathBuf> {
    path::absolute(dir).map_err(|error| cannot("find", dir, &error))
}
