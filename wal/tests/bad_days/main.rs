//! Bad days of a log on a real file system, each over every way of keeping its files: what was
//! acknowledged is there, no record comes back that was not appended, the error says where and what,
//! and the log goes on where that is sound.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

#[path = "../common/prepared_ahead.rs"]
mod prepared_ahead;

mod child;
mod every_call;
mod failing;
mod fork;
mod lacking;
mod mixed_up;
mod mounted;
mod permission;
mod place;
mod policy;
mod records;
mod second_process;
mod small_disk;
