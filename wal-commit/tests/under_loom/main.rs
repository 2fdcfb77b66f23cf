//! The commit core under loom: every order of the threads' steps, and every value that a weakly
//! ordered load may see, within a bound on forced switches.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p wal-commit --test under_loom --target-dir target/loom
//! ```
//!
//! `LOOM_MAX_PREEMPTIONS` is the bound; 3 is the long form. Where it is not set, each scenario has its
//! own.
#![allow(unexpected_cfgs, reason = "`loom` is set by hand, for a model checker")]
#![cfg(loom)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

#[path = "../common/mod.rs"]
mod common;
mod group_commit;
mod numbers;
mod pipeline;
mod planted;
mod twin;
mod watermark;
mod workers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs a scenario in every order within the bound, and says how many there were.
fn every_order(bound: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.or(Some(bound));
    model.max_branches = 20_000;
    // Not a loom type: it counts over all executions.
    let orders = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&orders);
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        scenario();
    });
    println!("{} orders", orders.load(Ordering::Relaxed));
}
