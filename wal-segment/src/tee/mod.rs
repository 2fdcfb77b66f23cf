//! Segments in two stores at once.

mod copy;
mod half;
mod history;
mod pair;
mod relation;
mod segment;
mod store;

pub use half::{Half, Mismatch, OnLoss};
pub use store::TeeStore;
