//! The settings of a log: what a file may say, what it means, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod presets;
mod reading;
mod refusing;
mod strategies;
mod writing;

use wal::{Config, ConfigFile, Strategy};

/// Every strategy of the kit, with the name that it is written with.
pub(crate) fn strategies() -> Vec<(&'static str, Strategy)> {
    let interval = Strategy::Interval(std::time::Duration::from_millis(10));
    vec![
        ("sync", Strategy::Sync),
        ("group_commit", Strategy::GroupCommit),
        ("flush_thread", Strategy::FlushThread),
        ("pipelined", Strategy::Pipelined),
        ("parallel", Strategy::Parallel),
        ("interval", interval),
        ("os", Strategy::Os),
        #[cfg(feature = "tokio")]
        ("tokio", Strategy::Tokio),
    ]
}

/// The settings in this file.
#[track_caller]
pub(crate) fn read(file: &str) -> Config {
    let read: ConfigFile = toml::from_str(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    read.wal
}

/// Why this file is refused.
#[track_caller]
pub(crate) fn refused(file: &str) -> String {
    match toml::from_str::<ConfigFile>(file) {
        Ok(read) => panic!("{file} was read as {read:?}"),
        Err(error) => error.to_string(),
    }
}
