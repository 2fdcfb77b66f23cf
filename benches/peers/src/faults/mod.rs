//! The same faults on every log.
//!
//! Each fault is one run of a child process, which opens the log, appends twelve records, each
//! acknowledged before the next, and dies by SIGKILL. Storage fails in the sixth: by strace, at the
//! boundary of the kernel, or by a preloaded library where strace cannot (a short write). What a
//! later process finds in the directory is the result.

pub mod child;
mod damage;
mod experiment;
mod launch;
mod preload;
mod report;
mod told;
mod trace;

pub use experiment::{Findings, examine};
pub use report::markdown;

/// How many records a child appends.
pub(crate) const RECORDS: u32 = 12;

/// The one in which storage fails, or which is damaged.
pub(crate) const TARGET: u32 = 6;

/// What is found in the bytes of this record, and of no other.
pub(crate) fn mark(number: u32) -> String {
    format!("<record {number:02}>")
}

/// The record of this number: its mark over and over, 256 bytes.
pub(crate) fn record(number: u32) -> Vec<u8> {
    mark(number).into_bytes().into_iter().cycle().take(256).collect()
}
