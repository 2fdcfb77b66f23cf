//! [`SystemEnv`]: the system's clock and the system's chance.

use std::time::{SystemTime, UNIX_EPOCH};

use wal_core::Env;

/// The system's clock and the system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEnv;

impl Env for SystemEnv {
    fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    fn random(&self) -> u64 {
        getrandom::u64().expect("the operating system has random numbers once it is up")
    }

    fn process(&self) -> u32 {
        wal_segment::process()
    }
}
