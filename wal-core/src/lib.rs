//! The words, the format and the seams of a kit of write-ahead-log parts.
//!
//! This crate knows no file, no thread of its own, no clock and no runtime. It holds what the other
//! parts agree on:
//!
//! - the words: [`Lsn`], [`SegmentId`], [`Entry`], [`Error`] …;
//! - the bytes on disk, as pure functions: [`mod@format`];
//! - the seams, as traits that are all dyn-safe and have no default methods: [`SegmentStore`],
//!   [`CommitStrategy`], [`Codec`], [`Transform`], [`ReplayEngine`], [`ReplayTarget`];
//! - the [`Watermark`] that waiters wait for.
//!
//! Who writes a part of her own depends on this crate alone, and proves the part with
//! `wal-testkit`. Who wants a log takes the crate `wal`.

mod codec;
mod commit;
mod entry;
mod env;
mod error;
mod files;
pub mod format;
mod id;
mod lsn;
mod making;
mod medium;
mod replay;
mod resume;
mod store;
mod utc;
mod watermark;

pub use codec::{Applied, Codec, Transform};
pub use commit::{Acknowledgement, CommitStrategy, Flush, Waiter};
pub use entry::Entry;
pub use env::Env;
pub use error::{Error, ErrorKind, Result};
pub use files::{Access, DIRECT_ALIGNMENT, FileId, FileInfo, FileKind, Files, OpenFile};
pub use id::{CodecId, Epoch, LogId, Position, SegmentId, TransformId};
pub use lsn::Lsn;
pub use making::{MadeSegment, abandon, make_segment};
pub use medium::medium_failed;
pub use replay::{Applications, ReplayEngine, ReplayReport, ReplayTarget, Scope};
pub use resume::{CurrentSegment, Resume, Uncut};
pub use store::{
    Durability, Fenced, Guarantees, MAX_ANCHOR, Naming, SegmentReader, SegmentSpace, SegmentStore,
    SegmentSyncer, SegmentWriter, StoreLock, Unwritten,
};
pub use utc::Utc;
pub use watermark::{Moment, Reached, WakeLater, Watermark, Woken};

/// Every seam can be a trait object, and every part can be shared between threads.
const _: () = {
    const fn shared<T: Send + Sync + ?Sized>() {}
    const fn dyn_safe(_: Option<&mut dyn ReplayTarget>) {}
    shared::<dyn SegmentStore>();
    shared::<dyn Files>();
    shared::<dyn OpenFile>();
    shared::<dyn CommitStrategy>();
    shared::<dyn Flush>();
    shared::<dyn Codec<Vec<u8>>>();
    shared::<dyn Transform>();
    shared::<dyn ReplayEngine>();
    shared::<dyn Env>();
    shared::<Error>();
    shared::<Watermark>();
    dyn_safe(None);
};
