//! [`Still`]: time and chance that are the same in every run.

use std::sync::atomic::{AtomicU64, Ordering};

use wal::parts::core::Env;

/// A clock that stands, and random numbers that are the same in every run, and differ within one.
#[derive(Debug, Default)]
pub(crate) struct Still(AtomicU64);

impl Env for Still {
    fn now(&self) -> u64 {
        1_700_000_000_000_000_000
    }

    fn random(&self) -> u64 {
        let turn = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        turn.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn process(&self) -> u32 {
        0
    }
}
