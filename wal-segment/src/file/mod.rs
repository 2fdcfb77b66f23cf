//! Segments as files.

mod ahead;
mod anchor;
mod caching;
mod direct;
mod directory;
mod file_system;
mod life;
mod listed;
mod lock;
#[cfg(all(feature = "mmap", target_os = "linux", target_pointer_width = "64"))]
pub(crate) mod mapped;
mod name;
mod os;
mod pending;
mod platform;
mod preparation;
mod reader;
mod reading;
mod recycling;
mod segment;
mod sequence;
mod spare;
mod spares;
mod store;
mod syncs;
mod transfer;
mod writing;
mod zeros;

pub use ahead::Ahead;
pub use caching::Caching;
pub use file_system::{Direct, FileSystem, FileSystemKind, Fit};
pub use os::OsFiles;
pub use preparation::Preparation;
pub use reading::Reading;
pub use recycling::Recycling;
pub use store::FileStore;
pub use wal_core::{Access, DIRECT_ALIGNMENT, FileId, FileInfo, FileKind, Files, OpenFile};
pub use writing::Writing;
