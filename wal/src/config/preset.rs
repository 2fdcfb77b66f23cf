//! The presets: settings that belong together, under a name.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wal_segment::Preparation;

use super::{Config, Grouping, Strategy};

/// The presets. What one does not name is as in the default. The figures are those of the designs
/// that they come from, on other disks: a benchmark says what they are on yours.
impl Config {
    /// Many short transactions: group commit after 5 ms or 50 records.
    ///
    /// Trades throughput for latency: 50,000 commits/s, 8 ms at p99.
    pub fn oltp() -> Self {
        Self::grouped(5, 50)
    }

    /// Many writers and few who look at the clock: group commit after 20 ms or 500 records.
    ///
    /// Trades latency for throughput: 250,000 commits/s, 30 ms at p99.
    pub fn analytics() -> Self {
        Self::grouped(20, 500)
    }

    /// Some of both: group commit after 10 ms or 100 records, which are the values of a
    /// [`Grouping`] where nothing else is said.
    ///
    /// Between [`oltp`](Self::oltp) and [`analytics`](Self::analytics): 100,000 commits/s, 15 ms at
    /// p99. [`Config::default`] has no window at all: a group forms while the sync before it runs.
    pub fn mixed() -> Self {
        Self::grouped(10, 100)
    }

    /// An answer soon: group commit after 1 ms or 10 records, a buffer of 16 KiB, and space taken
    /// 4 MiB at a time.
    ///
    /// Trades throughput for latency: small groups mean more syncs. A lone committer does not wait
    /// for the millisecond. The buffer is [`buffer_size`](Self::buffer_size), the third trigger of
    /// the design: an append that finds it full writes it out.
    pub fn low_latency() -> Self {
        Self {
            buffer_size: 16 << 10,
            preparation: Some(Preparation::Chunks(4 << 20)),
            ..Self::grouped(1, 10)
        }
    }

    /// Bulk: a thread that flushes after 100 ms or 1000 records, a buffer of 256 KiB, and space
    /// taken 64 MiB at a time.
    ///
    /// Trades latency for throughput: a sync for every 1000 records, written while they come. Where
    /// fewer come, each waits for up to 100 ms, a lone one too.
    pub fn high_throughput() -> Self {
        Self {
            strategy: Strategy::FlushThread,
            buffer_size: 256 << 10,
            preparation: Some(Preparation::Chunks(64 << 20)),
            ..Self::grouped(100, 1000)
        }
    }

    /// Nothing between a record and the disk: every append is synced alone before it returns.
    ///
    /// Trades throughput for certainty. Flushes are padded to 4096 bytes, so that no acknowledged
    /// record shares a block with a write that a power cut may garble; segments are 16 MiB, written
    /// with zeros when they are made, so that a sync has no block of the file to enter in the file
    /// system's journal, and a full disk shows when a segment is made.
    ///
    /// About a thousand appends/s where a sync takes 1 ms, however many threads there are. Under
    /// group commit an acknowledged record is no less durable: take this where callers append
    /// without waiting and must not go on before the record is safe.
    pub fn durability_critical() -> Self {
        Self {
            strategy: Strategy::Sync,
            segment_size: 16 << 20,
            preparation: Some(Preparation::ZeroFill),
            alignment: 4096,
            ..Self::default()
        }
    }

    fn grouped(interval_ms: u64, records: u64) -> Self {
        let grouping = Grouping::new(Duration::from_millis(interval_ms), records);
        Self { group_commit: Some(grouping), ..Self::default() }
    }
}

/// The name of a preset, in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Preset {
    Oltp,
    Analytics,
    #[serde(alias = "balanced")]
    Mixed,
    #[serde(alias = "low-latency")]
    LowLatency,
    #[serde(alias = "high-throughput")]
    HighThroughput,
    #[serde(alias = "durability-critical")]
    DurabilityCritical,
}

impl From<Preset> for Config {
    fn from(preset: Preset) -> Self {
        match preset {
            Preset::Oltp => Self::oltp(),
            Preset::Analytics => Self::analytics(),
            Preset::Mixed => Self::mixed(),
            Preset::LowLatency => Self::low_latency(),
            Preset::HighThroughput => Self::high_throughput(),
            Preset::DurabilityCritical => Self::durability_critical(),
        }
    }
}
