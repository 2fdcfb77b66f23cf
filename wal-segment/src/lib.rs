//! Segment stores: where the bytes of a log live.
//!
//! | store | segments are | synced bytes survive |
//! |---|---|---|
//! | [`FileStore`] | files of one directory | a power cut |
//! | [`MemoryStore`] | in memory, for tests and for logs that need not outlive their process | nothing |
//! | [`KvStore`] | values in an ordered key-value store, by way of [`OrderedKv`] | what that store's survive |
//! | [`TeeStore`] | in two stores of any kind | what both survive, and the loss of either |
//!
//! All are [`SegmentStore`](wal_core::SegmentStore)s and know nothing of what is in a segment.
//! Below [`FileStore`] lies [`Files`], the few file operations it needs: [`OsFiles`] is the
//! operating system's, and a simulated disk can stand in for it, so that what is tested is the code
//! that ships.
//!
//! ```
//! use wal_core::{SegmentId, SegmentStore};
//! use wal_segment::{FileStore, Preparation};
//!
//! # fn main() -> std::io::Result<()> {
//! # let dir = tempfile::tempdir()?;
//! let store = FileStore::open(dir.path().join("orders.wal"))?.preparation(Preparation::ZeroFill);
//! let _lock = store.lock()?;
//! let mut writer = store.create(SegmentId::FIRST, 1 << 20)?;
//! writer.append(b"paid 4711")?;
//! writer.syncer().sync()?; // From here on the bytes survive a power cut.
//!
//! let mut bytes = [0; 9];
//! store.open(SegmentId::FIRST)?.read_at(0, &mut bytes)?;
//! assert_eq!(&bytes, b"paid 4711");
//! # Ok(())
//! # }
//! ```

mod capped;
mod file;
mod kv;
mod memory;
mod sync;
mod system;
mod tee;

pub use capped::Capped;
pub use file::{
    Access, Ahead, Caching, DIRECT_ALIGNMENT, Direct, FileId, FileInfo, FileKind, FileStore,
    FileSystem, FileSystemKind, Files, Fit, OpenFile, OsFiles, Preparation, Reading, Recycling,
    Writing,
};
pub use kv::{Change, KeyShape, KvStore, Locks, Order, OrderedKv, Persist, Visit};
pub use memory::MemoryStore;
pub use system::process;
pub use tee::{Half, Kept, Mismatch, OnLoss, TeeStore};

/// Every store can be shared between threads, and the layer below can be a trait object.
const _: () = {
    const fn shared<T: Send + Sync + ?Sized>() {}
    shared::<FileStore>();
    shared::<KvStore>();
    shared::<MemoryStore>();
    shared::<OsFiles>();
    shared::<TeeStore>();
    shared::<dyn Files>();
    shared::<dyn OpenFile>();
    shared::<dyn OrderedKv>();
};
