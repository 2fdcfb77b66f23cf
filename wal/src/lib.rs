//! A write-ahead log: what it acknowledged is still there.
//!
//! ```
//! # fn main() -> wal::Result<()> {
//! # let dir = tempfile::tempdir().expect("a temporary directory");
//! # let path = dir.path().join("orders.wal");
//! use wal::{Lsn, Wal};
//!
//! let (wal, recovered) = Wal::builder(path).open()?;
//! let lsn = wal.append(b"paid 4711")?; // staged and ordered; does not wait for the disk
//! wal.wait_for_lsn(lsn).wait()?; // durable
//! let lsns = wal.append_batch([b"shipped 4711", b"shipped 4712"])?; // all or nothing
//! # assert_eq!((recovered.valid_records, lsns.len()), (0, 2));
//!
//! for entry in wal.read_from(Lsn::FIRST)? {
//!     println!("{:?}", entry?.payload);
//! }
//! wal.close()
//! # }
//! ```
//!
//! The same with an async runtime, any of them:
//!
//! ```
//! # use wal::{Result, Wal};
//! async fn commit(wal: &Wal, entry: &[u8]) -> Result<()> {
//!     let lsn = wal.append(entry)?;
//!     wal.wait_for_lsn(lsn).await?;
//!     Ok(())
//! }
//! # let dir = tempfile::tempdir().expect("a temporary directory");
//! # let (wal, _) = Wal::builder(dir.path()).open()?;
//! # pollster::block_on(commit(&wal, b"paid 4711"))?;
//! # wal.close()?;
//! # Ok::<(), wal::Error>(())
//! ```
//!
//! This crate assembles the parts of the kit; each can be exchanged for one of your own through the
//! [`Builder`]: `wal_segment` stores, `wal_commit` strategies, `wal_codec` codecs. [`Reader`] looks
//! at a log without opening it.
//!
//! Features, none of them on by default: `bincode`, the codec for any serde type; `mmap`,
//! [`Reading::Mapped`] on 64-bit Linux; `tokio`, the strategy that is a task on the runtime.

mod backup;
mod builder;
mod compaction;
mod config;
mod env;
mod hold;
mod log;
mod lookup;
mod prune;
mod reader;
mod retention;
mod source;
mod space;
mod target;
mod typed;
mod unfinished;

pub use backup::Backup;
pub use builder::Builder;
pub use compaction::{Compaction, Key};
pub use config::{Config, ConfigFile, Grouping, Strategy, WhenDiskFull, WhenFull};
pub use env::SystemEnv;
pub use hold::Hold;
pub use log::Wal;
pub use reader::Reader;
pub use retention::{Examine, Retained, Retention};
pub use space::{Held, Space};
pub use typed::{Typed, TypedEntries};

pub use wal_commit::{Tuning, Wait as WaitForLsn};
pub use wal_core::{
    Acknowledgement, CodecId, Entry, Epoch, Error, ErrorKind, LogId, Lsn, Position, Result,
    SegmentId,
};
pub use wal_replay::{
    Cursor, Damaged, Recovery, SegmentInfo, SegmentState, Sequential, Survey, Verdict, Verification,
};
pub use wal_segment::{Caching, Fit, Preparation, Reading, Recycling, Writing};

/// The parts, for who exchanges one.
pub mod parts {
    pub use wal_codec as codec;
    pub use wal_commit as commit;
    pub use wal_core as core;
    pub use wal_replay as replay;
    pub use wal_segment as segment;
}

/// Handles are shared between threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn sent<T: Send>() {}
    shared::<Wal>();
    shared::<Hold>();
    shared::<Reader>();
    shared::<Typed<Vec<u8>>>();
    sent::<Cursor>();
    sent::<WaitForLsn>();
};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
