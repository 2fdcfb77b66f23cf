//! When the bytes are durable: one pipeline, and small strategies that drive it.
//!
//! The [`Pipeline`] is the one mechanism: *stage* a record under the lock that orders the log,
//! *flush* what is staged as frames into segments, *wait* for the watermark to pass an LSN. A
//! [`CommitStrategy`](wal_core::CommitStrategy) only answers who flushes, and when:
//!
//! | strategy | who and when | an acknowledged record |
//! |---|---|---|
//! | [`Sync`] | every append, alone | is durable |
//! | [`GroupCommit`] | the first waiter, for everyone; a thread while more wait, one flush after the other | is durable |
//! | [`FlushThread`] | a thread, at an age or a number of records | is durable |
//! | [`Pipelined`] | one thread writes, another syncs | is durable |
//! | [`Parallel`] | several threads, whose syncs overlap where the store allows it | is durable |
//! | `TokioCommit` (feature `tokio`) | a task on your runtime | is durable |
//! | [`Interval`] | whoever waits writes, a thread syncs in time | is written, and durable within the time |
//! | [`Os`] | every append writes, nobody syncs | is with the operating system |
//!
//! A log written under one strategy opens under every other: the bytes are the same.
//!
//! # Locks
//!
//! Taken in this order, and never the other way round: a strategy's own, `writer` (who writes
//! frames), `syncing` (who syncs), `tip` (how far is written), `stage` (what is staged), and the
//! queue of a watermark. No lock but `syncing` is held during a sync, except where a segment ends;
//! several may hold `syncing` where the store lets syncs overlap.

#![allow(unexpected_cfgs, reason = "`shuttle` is set by hand, for a model checker")]

mod append;
mod flusher;
mod options;
mod patience;
mod pipeline;
mod room;
mod stage;
mod strategy;
mod sync;
mod tip;
mod turns;
mod wait;
mod writer;

pub use options::{Options, WhenDiskFull, WhenFull};
pub use pipeline::Pipeline;
#[cfg(any(feature = "tokio", shuttle))]
pub use strategy::TokioCommit;
pub use strategy::{
    FlushThread, GroupCommit, Interval, Os, Parallel, Pipelined, Sync, Tuning, Window,
};
#[cfg(shuttle)]
pub use sync::runtime::Handle;
pub use wait::Wait;
