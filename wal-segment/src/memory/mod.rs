//! Segments in memory.

mod segment;
mod store;

pub use store::MemoryStore;
