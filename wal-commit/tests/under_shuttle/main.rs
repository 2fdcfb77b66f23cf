//! The whole pipeline under shuttle: threads take their steps in an order chosen by a seed, over a
//! simulated disk, and every acknowledgement is held against what a power cut would leave.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p wal-commit --test under_shuttle --target-dir target/shuttle
//! ```
//!
//! `WAL_SCHEDULES` is how many orders each scenario is run in, by half at random and by half by
//! probabilistic concurrency testing (few forced switches at random places); `WAL_SEED` is the first
//! seed. A failure prints both, and a schedule for `shuttle::replay`. With `--nocapture` each
//! scenario says how many orders there were.
#![allow(unexpected_cfgs, reason = "`shuttle` is set by hand, for a model checker")]
#![cfg(shuttle)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod closing;
mod committing;
#[path = "../common/mod.rs"]
mod common;
mod failing;
mod locking;
mod on_a_runtime;
mod planted;
mod threads;
mod world;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Runs a scenario in many orders, and says how many there were.
fn explore(scenario: impl Fn() + Copy + Send + Sync + 'static) {
    explore_by(number("WAL_SEED", 1), number("WAL_SCHEDULES", 4000), scenario);
}

fn explore_by(seed: u64, schedules: u64, scenario: impl Fn() + Copy + Send + Sync + 'static) {
    eprintln!("WAL_SEED={seed} WAL_SCHEDULES={schedules}");
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.max_steps = shuttle::MaxSteps::FailAfter(200_000);
    let half = usize::try_from(schedules.div_ceil(2)).unwrap();
    let random = RandomScheduler::new_from_seed(seed, half);
    let few_switches = PctScheduler::new_from_seed(seed, 3, half);
    let run = Runner::new(random, config.clone()).run(scenario)
        + Runner::new(few_switches, config).run(scenario);
    println!("{run} orders");
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect("a number"))
}
