//! Real faults on the real store: each system call of a workload made to fail, one after the other.
//!
//! `strace -e inject` lets the n-th call of a kind fail, or kills the process at it, and the kernel
//! under the tool is the real one. What must hold then: nothing acknowledged is lost, nothing that
//! was not sent is there, the exit code and the message are right, and the log opens and goes on.
//!
//! What strace brings along: a call is tampered with only where it is traced; calls are counted for
//! each thread by itself, so that each thread may meet the fault once; and the calls of the program
//! loader count, too, unless strace looks at the log's files only, as it does here for the calls that
//! a loader makes.
//!
//! Without strace, or where it may not trace, the tests say so on standard error, and fail if `CI`
//! is set.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod append;
mod prune;
mod short;
mod strace;
mod unreadable;

use strace::{Effect, Fault};

/// What can go wrong with each system call that the log is made of. A line for each call; a fault
/// that the log gets over by itself is told apart from one that it reports.
const CALLS: &[(&str, &[Fault])] = &[
    ("pwrite64", &[EIO, FULL, EINTR, KILL]),
    ("fdatasync", &[EIO, ENOSPC, KILL]),
    ("fsync", &[EIO, ENOSPC, KILL]),
    ("fallocate", &[LEFT, ENOSPC, EINTR, EOPNOTSUPP, KILL]),
    ("openat", &[LEFT, FULL, EMFILE, KILL]),
    ("renameat2", &[EIO, ENOSPC, KILL]),
    ("unlinkat", &[LEFT, KILL]),
    ("ftruncate", &[EIO, EINTR, KILL]),
    ("pread64", &[LEFT, EINTR, KILL]),
    ("getdents64", &[EIO]),
    ("flock", &[LEFT]),
];

/// The calls that acknowledgements are printed with.
const OUTPUT: &[(&str, &[Fault])] = &[("write", &[EIO, ENOSPC, EINTR, KILL])];

const EIO: Fault = Fault::new("error=EIO", Effect::Reported("Input/output error"));
const ENOSPC: Fault = Fault::new("error=ENOSPC", Effect::Reported("No space left on device"));
/// A segment goes without its seal, for one: that costs time later and nothing else.
const FULL: Fault = Fault::new("error=ENOSPC", Effect::Bearable("No space left on device"));
/// An obsolete segment stays where it is, harms nothing, and goes with the next one; a prune says so.
/// Space that is not taken ahead is taken by writing, and a directory that cannot be locked has a file
/// that can. A segment whose header cannot be read is not removed, and one before the newest need not be
/// read to go on.
const LEFT: Fault = Fault::new("error=EIO", Effect::Bearable("Input/output error"));
/// An anchor that is not renewed says less, and an older segment need not be read to go on.
const EMFILE: Fault = Fault::new("error=EMFILE", Effect::Bearable("Too many open files"));
/// A signal broke the call off before it did anything.
const EINTR: Fault = Fault::new("error=EINTR", Effect::None);
/// A file system that cannot do this.
const EOPNOTSUPP: Fault = Fault::new("error=EOPNOTSUPP", Effect::None);
const KILL: Fault = Fault::new("signal=SIGKILL", Effect::Death);
