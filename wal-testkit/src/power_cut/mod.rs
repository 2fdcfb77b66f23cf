//! Real power cuts: a real file system of the kernel, a real program, and a disk of ours that
//! forgets what it was not told to keep.
//!
//! A [`Disk`] is served through FUSE as a file. A loop device with sectors of 512 bytes lies on it,
//! and on that a file system of the kernel ([`Machine`]). The kernel sees a disk with a volatile
//! write cache: what it writes is noted, and every flush. A [`Subject`], which is the shipped
//! program or a deliberately broken one, appends there; what it acknowledges is noted in the same
//! order. Then the power is cut, afterwards and as often as one likes, at any point of that order:
//! a [`Cut`] leaves everything up to the last flush, and of the writes since then nothing, all, or
//! any 512-byte sectors. The kernel mounts what is left, replays its journal, and the log must show
//! that it kept its word:
//!
//! - every record that was acknowledged is there, with its own bytes;
//! - what is there is a prefix of what was appended, dense, and no record is another one's;
//! - the log recovers, takes more records, and still has every record it has once shown;
//! - so it is after a second cut in the middle of that recovery, and then it takes more records.
//!
//! A file system that does not mount is counted as inconclusive, never as held. The cut is at most
//! as late as the last thing the workload did: what the kernel writes when it unmounts is not cut.
//!
//! **What this does not show**: disks that lie about a flush, that lose what was flushed, or that
//! leave garbage in a sector; those belong to the simulated disk.
//!
//! A run counts only if its controls fail: a log that acknowledges before it syncs, on every file
//! system, and [`RenameWriter`] without a sync of the directory, on ext4.
//!
//! Needs Linux, root, `/dev/fuse`, `/dev/loop-control`, `losetup` and the `mkfs` programs.

mod case;
mod disk;
mod file_system;
mod image;
mod machine;
mod rename_writer;
mod run;
mod story;
mod subject;
mod trace;
mod wal_binary;
mod workload;

pub use case::Depth;
pub use disk::Disk;
pub use file_system::FileSystem;
pub use image::Image;
pub use machine::{Machine, MountFailed, Running};
pub use rename_writer::{Rename, RenameWriter};
pub use run::{Progress, Run, Tally, Violation};
pub use story::Story;
pub use subject::{Session, Subject};
pub use trace::{Cut, Event, Images, SECTOR, Survivors, Trace};
pub use wal_binary::WalBinary;
