//! Segments in an ordered key-value store.

mod key;
mod locks;
mod ordered;
mod segment;
mod store;

pub use key::KeyShape;
pub use locks::Locks;
pub use ordered::{Change, Order, OrderedKv, Persist, Visit};
pub use store::KvStore;
