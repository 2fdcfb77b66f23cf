//! The `wal` tool as a script sees it: what goes in, what comes out, and the exit code.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod append;
mod broken;
mod damage;
mod demo;
#[cfg(target_os = "linux")]
mod field_faults;
mod fixture;
mod hints;
mod kill;
mod life;
mod live;
mod mixed_up;
mod pipe;
mod shape;
#[cfg(unix)]
mod signals;
#[cfg(target_os = "linux")]
mod small_disk;
#[cfg(target_os = "linux")]
mod trial_faults;
