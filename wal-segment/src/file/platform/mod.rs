//! What differs from one operating system to the next.
//!
//! | | Linux | other Unix | Windows |
//! |---|---|---|---|
//! | a sync of a file | `fdatasync`, `fsync` | macOS: `F_FULLFSYNC`; else `fsync` | `FlushFileBuffers` |
//! | a sync of a directory | `fsync` of it | macOS: `F_FULLFSYNC`; else `fsync` | none: a name rests with the journal of NTFS |
//! | a directory put in the place of another | seen | seen | not seen |
//! | taking space | `fallocate` | by writing zeros | by writing zeros |
//! | writes that sync themselves, or pass the cache | `O_DSYNC`, `O_DIRECT` | refused | refused |
//! | letting go of cached bytes, reading further ahead | `posix_fadvise` | nothing | nothing |
//! | reads past the cache | `O_DIRECT` | refused | refused |
//! | mapped reads, with the feature `mmap` | on 64 bits | refused | refused |
//!
//! Each function is one call, and its error what the system said.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(unix, not(target_os = "linux")))]
mod other_unix;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub(super) use linux::{allocate, forget, kind, options, reads_on};
#[cfg(all(unix, not(target_os = "linux")))]
pub(super) use other_unix::{allocate, forget, kind, options, reads_on};
#[cfg(unix)]
pub(super) use unix::{block_size, is_at, open_dir, read_at, sync_dir, write_at};
#[cfg(windows)]
pub(super) use windows::{
    allocate, block_size, forget, is_at, kind, open_dir, options, read_at, reads_on, sync_dir,
    write_at,
};
