//! [`Files`]: the file operations that a store of files is made of.
//!
//! Implemented by `wal_segment::OsFiles` for the operating system, by `wal_testkit::SimFiles` for a
//! simulated disk, and by whatever keeps files for a `wal_segment::FileStore`.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// The files of one directory.
///
/// Every method is one system call and promises what POSIX promises, and no more: the store above
/// makes the rest of its contract itself, out of these. A simulated disk may therefore do anything
/// that POSIX allows. In particular:
///
/// - After a power cut, a file that was made or removed since the last
///   [`sync_dir`](Self::sync_dir) is there or not, each for itself, in no order, and whether or not
///   the file's own bytes were synced.
/// - Bytes written since the last sync of their file are there or not, block by block, in no order,
///   and the file's length apart from them.
///
/// Any call may fail, before or after it took effect. A name is a plain file name, with no
/// directory in it.
pub trait Files: Send + Sync + fmt::Debug {
    /// Makes a file that is empty, for reading and writing (`open` with `O_CREAT | O_EXCL`). Fails
    /// with [`io::ErrorKind::AlreadyExists`] where there is anything of that name.
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>>;

    /// Opens a file that exists (`open`). Fails with [`io::ErrorKind::NotFound`] where there is
    /// none, and with [`io::ErrorKind::Unsupported`] where the file system does not know this access.
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>>;

    /// The names of all there is in the directory, in no order (`readdir`), whatever is behind them:
    /// files, links, directories. [`look`](Self::look) tells them apart. May leave out names that
    /// are not UTF-8: nothing the store makes is called so.
    fn list(&self) -> io::Result<Vec<String>>;

    /// What is behind a name, looked at without opening it and without following it where it is a
    /// link (`lstat`). Fails with [`io::ErrorKind::NotFound`] where the name is not there.
    fn look(&self, name: &str) -> io::Result<FileInfo>;

    /// Takes the name away (`unlink`): of a link the link, never what it leads to. The space is free
    /// once the last name is gone and nothing has the file open. Fails with
    /// [`io::ErrorKind::NotFound`] where the name is not there, and with
    /// [`io::ErrorKind::IsADirectory`], or another error, where it is a directory's.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Gives the file of one name another one, and never takes the other name from anything
    /// (`renameat2` with `RENAME_NOREPLACE`, or `link` and then `unlink`): fails with
    /// [`io::ErrorKind::AlreadyExists`] where there is anything of that name, and changes nothing
    /// then.
    ///
    /// After a power cut the file has the old name or the new; both where it was done in two steps.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Opens the directory itself, so that it can be locked and looked at: a file of its own each
    /// time, on which [`OpenFile::try_lock`], [`OpenFile::unlock`] and [`OpenFile::info`] work.
    ///
    /// Fails with [`io::ErrorKind::Unsupported`] where a directory cannot be opened; where it can be
    /// opened and not locked, the locking fails so.
    fn open_dir(&self) -> io::Result<Arc<dyn OpenFile>>;

    /// Makes every earlier change of names survive a
    /// power cut (`fsync` of the directory). After a failure nothing is known about any of them,
    /// and a later success says nothing about them.
    fn sync_dir(&self) -> io::Result<()>;

    /// 64 bits of chance (`getrandom`), for names that no other handle chooses. A test gives its
    /// own, and the same test then does the same calls.
    fn random(&self) -> u64;
}

/// One open file: an *open file description* in the words of POSIX. All calls are safe from any
/// number of threads; the file stays open until this is dropped.
pub trait OpenFile: Send + Sync + fmt::Debug {
    /// The file's length in bytes (`fstat`).
    fn size(&self) -> io::Result<u64>;

    /// What this is, whatever its name means by now (`fstat`). Whether a name still leads to this
    /// file is told by comparing [`FileInfo::id`] with that of [`Files::look`].
    fn info(&self) -> io::Result<FileInfo>;

    /// The unit in bytes that the file system keeps the file in (`st_blksize` of `fstat`).
    fn block_size(&self) -> io::Result<u64>;

    /// Reads bytes from `offset` on into the start of `buffer` and says how many (`pread`): any
    /// number, zero only at the end of the file or for an empty buffer. What was never written
    /// reads as zeros. May fail with [`io::ErrorKind::Interrupted`].
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes bytes from the start of `bytes` at `offset` and says how many (`pwrite`): any number,
    /// also fewer than asked for. Readers see them at once, in this process and in others. May fail
    /// with [`io::ErrorKind::Interrupted`], having written nothing.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Sees to it that writes to these `len` bytes find room, and makes the file at least as long
    /// as they reach; what was not there reads as zeros (`fallocate`).
    ///
    /// Fails with [`io::ErrorKind::StorageFull`] where there is no room; a part may stay taken.
    /// Fails with [`io::ErrorKind::Unsupported`] where the file system cannot do this.
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Makes the file this long (`ftruncate`): what is cut off is gone, what is added reads as
    /// zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes every byte written before the call survive a power cut, with as much of the file's
    /// length as it takes to read them (`fdatasync`). Says nothing of the file's name.
    ///
    /// After a failure nothing is known about those bytes, and a later success says nothing about
    /// them. Where two calls overlap, a failure may be told to only one of them.
    fn sync_data(&self) -> io::Result<()>;

    /// As [`sync_data`](Self::sync_data), and everything else the file system knows about the file,
    /// its exact length included (`fsync`).
    fn sync_all(&self) -> io::Result<()>;

    /// Says that these bytes, all of them synced, will not be read soon: the page cache may let go of
    /// them (`posix_fadvise` with `POSIX_FADV_DONTNEED`). Files without a cache have nothing to do.
    fn forget(&self, offset: u64, len: u64);

    /// Says that the file is read from front to back from here on: the system may read further ahead
    /// than it does by itself (`posix_fadvise` with `POSIX_FADV_SEQUENTIAL`). Files without a cache
    /// have nothing to do.
    fn reads_on(&self);

    /// The operating system's file, where this is one, so that it can be mapped into memory; else
    /// `None`.
    fn as_file(&self) -> Option<&File>;

    /// Says that the file has this name from now on, for what errors say.
    fn is_called(&self, name: &str);

    /// Locks the file for this open file alone (`flock` with `LOCK_EX | LOCK_NB`), until it is
    /// dropped or the process ends. The lock is the file's, not its name's: one that was removed and
    /// made anew is another file. Fails with [`io::ErrorKind::WouldBlock`] where another open
    /// file holds the lock, in this process or another, and with [`io::ErrorKind::Unsupported`]
    /// where a file of this kind cannot be locked.
    fn try_lock(&self) -> io::Result<()>;

    /// Frees the lock. Dropping the file frees it too, but not before every copy of the open file is
    /// gone, and a process that this one is just starting holds one until it runs its own program.
    /// Files whose locks end with the drop have nothing to do.
    fn unlock(&self) -> io::Result<()>;
}

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileInfo {
    /// Which file it is. `None` where the system does not say (Windows): two files cannot be told
    /// apart there.
    pub id: Option<FileId>,
    /// What kind it is of.
    pub kind: FileKind,
    /// How many names it has; 1 where the system does not say. A removed file that is still open
    /// has none.
    pub links: u64,
    /// Its length in bytes.
    pub size: u64,
}

impl FileInfo {
    /// What is known of a file.
    pub const fn new(id: Option<FileId>, kind: FileKind, links: u64, size: u64) -> Self {
        Self { id, kind, links, size }
    }

    /// Whether the two may be one file. Certain where the system says which file is which.
    pub fn may_be(&self, other: &Self) -> bool {
        self.id.is_none() || other.id.is_none() || self.id == other.id
    }
}

/// Which file it is: a file keeps this for its life, whatever it is called. Another file may have it
/// when the first is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The device it is on (`st_dev`).
    pub device: u64,
    /// Its number there (`st_ino`).
    pub inode: u64,
}

/// What is behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, wherever it leads.
    Link,
    /// Anything else, such as a pipe, a socket or a device.
    Other,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Link => "a symbolic link",
            Self::Other => "neither a file nor a directory",
        })
    }
}

/// What an existing file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Reading alone.
    Read,
    /// Reading alone, past the page cache (`O_DIRECT`): what the disk has. Offset, length and the
    /// address of the buffer must be multiples of [`DIRECT_ALIGNMENT`].
    ReadDirect,
    /// Reading and writing.
    Write,
    /// Reading and writing; what a write wrote survives a power cut once it has returned
    /// (`O_DSYNC`), as if by [`OpenFile::sync_data`].
    WriteSynced,
    /// As [`WriteSynced`](Self::WriteSynced), and past the page cache (`O_DIRECT | O_DSYNC`).
    /// Offset, length and the address of the bytes must be multiples of [`DIRECT_ALIGNMENT`].
    WriteDirect,
}

impl Access {
    /// Whether offset, length and memory have to be aligned.
    pub fn passes_cache(self) -> bool {
        matches!(self, Self::ReadDirect | Self::WriteDirect)
    }
}

/// Bytes. The largest block of any disk that direct access has to keep to.
pub const DIRECT_ALIGNMENT: usize = 4096;
