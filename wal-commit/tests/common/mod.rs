//! What the tests of the pipeline share: a store that can be watched and made to fail, and a reading
//! of the log that a power cut would leave.
#![allow(dead_code, unused_imports, reason = "each test binary uses its part of this")]

mod hooked;
mod left;

pub(crate) use hooked::{Hooked, Step};
pub(crate) use left::{Left, left, left_of};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wal_commit::{Options, Pipeline};
use wal_core::{CommitStrategy, Env, Error, LogId, Result, Resume, SegmentStore};

pub(crate) const LOG: LogId = LogId([7; 16]);

/// Time that stands still and chance that is the same in every run.
#[derive(Debug, Default)]
pub(crate) struct StillEnv(AtomicU64);

impl Env for StillEnv {
    fn now(&self) -> u64 {
        1_700_000_000_000_000_000
    }

    fn random(&self) -> u64 {
        (self.0.fetch_add(1, Ordering::Relaxed) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn process(&self) -> u32 {
        0
    }
}

/// A new log in this store.
pub(crate) fn start(
    store: impl SegmentStore + 'static,
    strategy: Arc<dyn CommitStrategy>,
    options: Options,
) -> Result<Arc<Pipeline>> {
    let env = Arc::new(StillEnv::default());
    let lock = store.lock().expect("nobody else has the store");
    let resume = Resume::fresh(LOG);
    Pipeline::start(Arc::new(store), env, strategy, options, resume, lock).map(Arc::new)
}

/// Options with one segment for the whole test.
pub(crate) fn one_segment() -> Options {
    let mut options = Options::default();
    options.segment_size = 64 << 10;
    options
}

/// Options with segments that hold a handful of small frames.
pub(crate) fn small_segments() -> Options {
    let mut options = Options::default();
    options.segment_size = 4 * 4096;
    options.alignment = 4096;
    options
}

/// Whether `cause` is in the chain of the error.
pub(crate) fn says(error: &Error, cause: &str) -> bool {
    error.report().contains(cause)
}
