//! Parts of a write-ahead log by somebody who has only `wal-core`: a store, a codec, a commit
//! strategy.

mod courier;
mod journal;
mod medium;
mod one_file;
mod transfer;

pub use courier::Courier;
pub use medium::{FileMedium, Medium};
pub use one_file::OneFile;
pub use transfer::{Transfer, Transfers};
