//! The fuzz targets of the kit, as plain functions over bytes.
//!
//! Each panics where a promise is broken and returns otherwise, whatever the bytes are. libFuzzer
//! calls them from the programs in `fuzz_targets`; `tests/smoke` calls them on any stable
//! toolchain, with the seed corpus and with inputs by chance.
//!
//! | target | its bytes | what must hold |
//! |---|---|---|
//! | [`segment_header`], [`frame`], [`records`], [`seal`], [`start`] | what one decoder of the format gets | total; what decodes says the same when it is encoded again |
//! | [`operation`], [`bincode`] | a record | the same, through the codecs |
//! | [`recovery`] | the files of a log | open, read, verify: total, and of one opinion |
//! | [`torn_or_rot`] | a sound log's script, and damage to it | a prefix is recovered, and nothing vouched for is lost in silence |
//! | [`history`] | calls, faults and power cuts on a simulated disk | the log is what a model says |
//!
//! Bodies of frames may be what a transform made, or claim to be: the kit has none built in, so a small
//! one stands for those of users.
//!
//! That a target can fail is tested, too: defects are planted under each of them, and found.
//!
//! No code of the kit knows that it is fuzzed. Checksums keep a fuzzer out, so inputs carry the
//! fields of a file and the target puts the right checksums to them.

#![forbid(unsafe_code)]

pub mod chance;
mod codecs;
mod damage;
mod decoders;
mod files;
mod history;
mod input;
mod leader;
mod mend;
mod model;
#[cfg(test)]
mod planted;
mod recovery;
pub mod seeds;
mod sound;
mod still;
mod zero_runs;

pub use codecs::{bincode, operation};
pub use damage::torn_or_rot;
pub use decoders::{frame, records, seal, segment_header, start};
pub use history::history;
pub use recovery::recovery;

/// A target: its name, which is that of its program and of its folder in `corpus`, and the function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("segment_header", segment_header),
    ("frame", frame),
    ("records", records),
    ("seal", seal),
    ("start", start),
    ("operation", operation),
    ("bincode", bincode),
    ("recovery", recovery),
    ("torn_or_rot", torn_or_rot),
    ("history", history),
];
