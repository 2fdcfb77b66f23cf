//! What the log costs, and beside it the floor: the least that the same work can cost here.
//!
//! A workload is a module: the subjects, ours and the floor, and `rows`, which measures them against
//! each other. The subjects are also what the criterion benchmarks of that name time. `cargo bench
//! --bench report` prints the rows of all workloads as one table.
//!
//! - Subjects are [interleaved]: each round runs all of them, so that what else the
//!   machine does meanwhile hits all alike, and a ratio is taken within a round.
//! - What is printed is a median, with the quartiles.
//! - Making files and logs, and waiting for what was only staged, is never inside a measured time.
//!
//! | workload | what is measured | beside it | criterion |
//! |---|---|---|---|
//! | [`stage`] | staging 100 B without waiting, 1 to 64 producers | the same bytes into a `Vec` under a `Mutex` | `stage` |
//! | [`append`] | the same for 100, 1024 and 10240 B, one producer | as above | `append` |
//! | [`durable`] | one writer, each record or each batch durable | `pwrite` and `fdatasync` of as many bytes | `durable` |
//! | [`crowd`] | 64 writers, each record durable | the naive log: one sync a record | `durable` |
//! | [`pipelined`] | a stream, durable at its end | large durable writes | |
//! | [`naive`] | 1000 records in batches: time, syncs, storage calls | the naive log: one sync a record | |
//! | [`stages`] | each step of a commit | the whole commit, so that a ratio is a share | |
//! | [`scan`] | reading a log, every frame verified | the checksum alone | `scan` |
//! | [`storage`] | every way to take space and to write; making a segment; rotation | the raw file written in that way | |
//! | [`reading`] | the same in each way of reading, and small reads; page cache warm and cold | `pread` | |
//! | [`open`] | opening a log of many segments | looking at its files | `open` |
//! | [`doubt`] | opening a killed log with many records in doubt | reading and writing them once | |
//!
//! To add a workload: a module with subjects and `rows`, a line in [`WORKLOADS`], and a benchmark
//! target if criterion is to time it. To add a subject to a workload: one more closure in its
//! `rows`.

mod effort;
mod killed;
mod load;
mod memory;
mod raw;
mod row;
mod samples;
mod scratch;
mod table;

pub mod append;
pub mod crowd;
pub mod doubt;
pub mod durable;
pub mod naive;
pub mod open;
pub mod pipelined;
pub mod reading;
pub mod scan;
pub mod stage;
pub mod stages;
pub mod storage;

pub use effort::Effort;
pub use load::load;
pub use raw::{Aligned, Fill, RawFile};
pub use row::{Budget, Row, Verdict};
pub use samples::{Samples, Spread, Subject, interleaved};
pub use scratch::Scratch;
pub use table::Table;

/// A workload's name, and what measures it.
pub type Workload = (&'static str, fn(&Scratch, Effort) -> anyhow::Result<Vec<Row>>);

/// Every workload of the report, in its order.
pub const WORKLOADS: [Workload; 12] = [
    ("stage", stage::rows),
    ("append", append::rows),
    ("durable", durable::rows),
    ("crowd", crowd::rows),
    ("pipelined", pipelined::rows),
    ("naive", naive::rows),
    ("stages", stages::rows),
    ("scan", scan::rows),
    ("reading", reading::rows),
    ("open", open::rows),
    ("doubt", doubt::rows),
    ("storage", storage::rows),
];

/// Workloads that take many minutes: these are run where they are named, only.
pub const LONG: [Workload; 1] = [("doubt-long", doubt::long_rows)];

/// The value of a step of a benchmark, in a place that can return no error.
///
/// # Panics
///
/// With the error: a benchmark whose subject fails has measured nothing.
pub fn must<T, E: Into<anyhow::Error>>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the benchmark's subject failed: {:#}", error.into()),
    }
}

/// A count as a number that can be divided.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}
