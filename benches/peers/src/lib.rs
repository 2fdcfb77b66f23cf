//! The same work, and the same faults, on this log and on what else a Rust program could take.
//!
//! Two binaries: `peers` measures, `faults` makes storage fail. What they do and how to read what
//! they print is in the package's README.

mod entrants;
mod subject;

pub mod faults;
pub mod measure;

#[cfg(feature = "walrus")]
pub use entrants::WALRUS_DATA_DIR;
pub use entrants::{entrants, stricter};
pub use subject::{Acknowledges, Appended, Entrant, Opening, Side, Subject};
