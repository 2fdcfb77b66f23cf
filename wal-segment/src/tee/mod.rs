//! Segments in two stores at once.

mod copy;
mod half;
mod history;
mod kept;
mod pair;
mod plain;
mod relation;
mod run;
mod segment;
mod store;
mod verdict;
mod view;

pub use half::{Half, Mismatch, OnLoss};
pub use kept::Kept;
pub use store::TeeStore;
