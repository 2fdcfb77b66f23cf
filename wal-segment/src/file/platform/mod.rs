//! What differs from one operating system to the next.
//!
//! | | Linux | other Unix | Windows |
//! |---|---|---|---|
//! | a sync of a file | `fdatasync`, `fsync` | macOS: `F_FULLFSYNC`; else `fsync` | `FlushFileBuffers` |
//! | a sync of a directory | `fsync` of it | macOS: `F_FULLFSYNC`; else `fsync` | none: a name rests with the journal of NTFS |
//! | a directory put in the place of another | seen | seen | not seen |
//! | names | from the directory's own handle | by its path | by its path |
//! | a new name that replaces nothing | `renameat2`, else `link` and `unlink` | `link` and `unlink` | `CreateHardLink`, then `DeleteFile` |
//! | the lock of a directory | `flock` | `flock` | none: the file `LOCK` alone |
//! | which file it is, how many names it has | said | said | not said |
//! | taking space | `fallocate` | by writing zeros | by writing zeros |
//! | writes that sync themselves, or pass the cache | `O_DSYNC`, `O_DIRECT` | refused | refused |
//! | letting go of cached bytes, reading further ahead | `posix_fadvise` | nothing | nothing |
//! | reads past the cache | `O_DIRECT` | refused | refused |
//! | mapped reads, with the feature `mmap` | on 64 bits | refused | refused |
//!
//! Each function is one call, and its error what the system said.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod linux_names;
#[cfg(all(unix, not(target_os = "linux")))]
mod other_unix;
#[cfg(not(target_os = "linux"))]
mod paths;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub(super) use linux::{allocate, forget, host, kind, reads_on, unnamed_direct};
#[cfg(target_os = "linux")]
pub(super) use linux_names::{create_new, look, names, open, remove, rename, reopen_dir};
#[cfg(all(unix, not(target_os = "linux")))]
pub(super) use other_unix::{allocate, forget, host, kind, options, reads_on, unnamed_direct};
#[cfg(not(target_os = "linux"))]
pub(super) use paths::{create_new, look, names, open, remove, rename, reopen_dir};
#[cfg(unix)]
pub(super) use unix::{block_size, info_of, is_at, open_dir, read_at, sync_dir, write_at};
#[cfg(windows)]
pub(super) use windows::{
    allocate, block_size, forget, host, info_of, is_at, kind, open_dir, options, read_at, reads_on,
    sync_dir, unnamed_direct, write_at,
};
