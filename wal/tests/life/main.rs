//! The life of a log: looking things up, pruning with readers in the way, retention, backups and
//! compaction.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backup;
#[path = "../common/mod.rs"]
mod common;
mod compaction;
mod crashes;
mod fixture;
mod holds;
mod lookup;
mod retention;
