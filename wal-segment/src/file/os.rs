//! [`OsFiles`]: the operating system's files.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{self, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::{Access, Files, OpenFile, directory, platform};

/// The files of one directory of the operating system.
///
/// Errors name the path and repeat what the system said. Where the directory is moved and another one
/// is made in its place, every call that goes by a name fails, and touches nothing there. Everything goes through the C library, so
/// that interposed libraries see it.
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
        let handle = platform::open_dir(&dir).map_err(|error| cannot("open", &dir, &error))?;
        if !handle.metadata().map_err(|error| cannot("look at", &dir, &error))?.is_dir() {
            return Err(cannot("open", &dir, &io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { dir, handle })
    }

    /// The directory, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path still leads to the directory that was opened. Where that was moved, and another one
    /// made in its place, the files there are somebody else's.
    fn check_place(&self) -> io::Result<()> {
        match platform::is_at(&self.handle, &self.dir) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let what = format!("{} is another directory by now", self.dir.display());
                Err(io::Error::other(what))
            }
            Err(error) => Err(cannot("find", &self.dir, &error)),
        }
    }

    fn opened(&self, name: &str, options: &OpenOptions, verb: &str) -> io::Result<OsFile> {
        self.check_place()?;
        let path = self.dir.join(name);
        match options.open(&path) {
            Ok(file) => Ok(OsFile { file, path, renamed: OnceLock::new() }),
            Err(error) => Err(cannot(verb, &path, &error)),
        }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            // A file that is removed while the directory is read was not there.
            match entry.file_type() {
                Ok(kind) if kind.is_file() => names.extend(entry.file_name().into_string().ok()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(names)
    }
}

impl Files for OsFiles {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        Ok(Arc::new(self.opened(name, &options, "create")?))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        let options = platform::options(access);
        let options = options.map_err(|error| cannot("open", &self.dir.join(name), &error))?;
        match self.opened(name, &options, "open") {
            // What a file system says that does not know how to pass the cache.
            Err(error) if access.passes_cache() && error.kind() == io::ErrorKind::InvalidInput => {
                let what = format!("{error}; this file system knows no direct access (O_DIRECT)");
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            }
            opened => Ok(Arc::new(opened?)),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.check_place()?;
        self.names().map_err(|error| cannot("list", &self.dir, &error))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.check_place()?;
        let path = self.dir.join(name);
        fs::remove_file(&path).map_err(|error| cannot("remove", &path, &error))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.check_place()?;
        let path = self.dir.join(from);
        fs::rename(&path, self.dir.join(to)).map_err(|error| cannot("rename", &path, &error))
    }

    fn sync_dir(&self) -> io::Result<()> {
        platform::sync_dir(&self.handle).map_err(|error| cannot("sync", &self.dir, &error))
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

    fn told<T>(&self, verb: &str, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| cannot(verb, self.path(), &error))
    }
}

impl OpenFile for OsFile {
    fn size(&self) -> io::Result<u64> {
        self.told("look at", self.file.metadata().map(|metadata| metadata.len()))
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
    io::Error::new(error.kind(), format!("cannot {verb} {}: {error}", path.display()))
}

fn absolute(dir: &Path) -> io::Result<PathBuf> {
    path::absolute(dir).map_err(|error| cannot("find", dir, &error))
}
