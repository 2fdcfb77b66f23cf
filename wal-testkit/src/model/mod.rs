//! A model of a log, and the search for a case in which the log does not do what the model says.
//!
//! A [`Case`] is a row of [`Step`]s: calls of the log, faults of the disk, crashes. A run does them
//! in a [`World`], the log under test on a simulated disk, and after every recovery compares what
//! the log shows with what it may show. Each comparison is an [`Invariant`]:
//!
//! | | checked | where |
//! |---|---|---|
//! | I1 `DurableAck` | what was acknowledged is found | every recovery |
//! | I2 `Prefix` | dense LSNs, whole batches | every recovery, every read |
//! | I3 `NoPhantom` | bytes are those of this LSN in this history | every recovery, every read |
//! | I4 `ObservedIsDurable` | what was shown stays; the next LSN is the next | recoveries, appends |
//! | I5 `Idempotent` | a second recovery, and one after one cut short, finds the same | recoveries |
//! | I6 `Poison` | no acknowledgement after a failure | every call after one |
//! | I7 `LoudCorruption` | damage is a typed error, or hurts only the last flush; nothing of a closed log | after damage |
//! | I8 `DurableReads` | the durable LSN grows, holds, and readers get all of it | every call, every read |
//! | I9 `Retention` | pruning takes what it may and no more, for good | every recovery, every read |
//! | I10 `Total` | opening succeeds after every crash; nothing panics | every recovery, every call |
//! | I11 `FullDisk` | with room again the log goes on | full disks, and the end of every case |
//! | I12 `Liveness` | on a disk that is well, calls succeed | every call, and the end of every case |
//! | I13 `Ownership` | files have one owner, acknowledged records a name | every operation, every acknowledgement |
//!
//! One thread sees no races. A reader beside a writer (I8), waiters queued behind a failed sync
//! (I6) and lost wake-ups (I12) are for tests with threads; that recovery ends at all, and within
//! bounded memory (I10), is for fuzzing, and for whoever runs the search to see that it goes on.
//! That epochs grow (I4) does not show in what a log does but through I3.
//!
//! [`random`] runs a long history by seed; [`Workloads`] are all short ones; [`shrink`] makes a
//! failing case small; [`replay`] runs one again. An *image* is one power cut with one recovery and
//! its check.

mod case;
mod checks;
mod cut;
mod exhaustive;
mod invariant;
mod on_wait;
mod payload;
mod random;
mod reference;
mod run;
mod shrink;
mod step;
mod world;

pub use case::{Case, ParseCaseError};
pub use cut::Cut;
pub use exhaustive::Workloads;
pub use invariant::{Invariant, Violation};
pub use on_wait::OnWait;
pub use random::{history, random};
pub use run::{Failure, Recoveries, replay};
pub use shrink::shrink;
pub use step::{Block, Step};
pub use world::{Damaged, Full, OnFull, World};

use reference::Reference;
