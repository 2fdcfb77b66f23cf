//! Segments as files.

mod directory;
mod files;
mod lock;
mod name;
mod os;
mod preparation;
mod segment;
mod store;
mod syncs;
mod transfer;

pub use files::{Access, Files, OpenFile};
pub use os::OsFiles;
pub use preparation::Preparation;
pub use store::FileStore;
