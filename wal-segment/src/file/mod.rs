//! Segments as files.

mod ahead;
mod caching;
mod directory;
mod file_system;
mod files;
mod lock;
mod name;
mod os;
mod platform;
mod preparation;
mod reader;
mod recycling;
mod segment;
mod spares;
mod store;
mod syncs;
mod transfer;
mod writing;
mod zeros;

pub use ahead::Ahead;
pub use caching::Caching;
pub use file_system::{Direct, FileSystem, FileSystemKind, Fit};
pub use files::{Access, DIRECT_ALIGNMENT, Files, OpenFile};
pub use os::OsFiles;
pub use preparation::Preparation;
pub use recycling::Recycling;
pub use store::FileStore;
pub use writing::Writing;
