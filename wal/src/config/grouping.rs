//! [`Grouping`]: how records are gathered for one sync.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wal_commit::{Tuning, Window};
use wal_core::Result;

use super::choice::Choice;
use super::invalid;
use super::millis::Millis;

/// The largest number of records that a flush may be set to gather.
const MOST: u64 = 1_000_000;

/// How records are gathered for one sync: the table `[wal.group_commit]`. All limits are triggers
/// and never caps, so a flush takes along whatever is staged.
///
/// | key | here | under `group_commit` | under `flush_thread` | under `interval` |
/// |---|---|---|---|---|
/// | `max_flush_interval_ms` | [`max_flush_interval`](Self::max_flush_interval) | the leader waits this long for more | the age at which a record is flushed | its time, where it has none of its own |
/// | `max_batch_size` | [`max_batch_size`](Self::max_batch_size) | so many staged end the wait | so many not durable are flushed | |
/// | `min_batch_size` | [`min_batch_size`](Self::min_batch_size) | the wait is only for so many others | | |
/// | `adaptive_tuning` | [`tuning`](Self::tuning) | whether the disk chooses the wait | | |
/// | `durability_mode` | [`Config::strategy`](crate::Config::strategy), by the same names | | | |
///
/// Other strategies make nothing of it. Keys that are missing have the values of the default, 10 ms
/// and 100 records, unless a preset gives others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grouping {
    /// The age of the oldest record at which there is a flush, and the longest wait for more. In a
    /// file in milliseconds, also fractions of one; above zero, and a minute at the most.
    pub max_flush_interval: Duration,
    /// The number of records at which there is a flush before that age. From 1 to 1000000.
    pub max_batch_size: u64,
    /// Under group commit, the number of other committers from which on anybody waits for more:
    /// `PostgreSQL`'s `commit_siblings`. 1 by default, so that a lone committer pays no delay; with 0
    /// it does. At most [`max_batch_size`](Self::max_batch_size).
    pub min_batch_size: u64,
    /// Under group commit, whether the interval is what it says, or a bound for half the time that a
    /// sync takes. In a file the key is `adaptive_tuning`, false by default.
    pub tuning: Tuning,
}

impl Default for Grouping {
    fn default() -> Self {
        Self::new(Duration::from_millis(10), 100)
    }
}

impl Grouping {
    /// A flush at this age or at so many records.
    pub fn new(max_flush_interval: Duration, max_batch_size: u64) -> Self {
        Self { max_flush_interval, max_batch_size, min_batch_size: 1, tuning: Tuning::Fixed }
    }

    pub(super) fn validate(&self) -> Result<()> {
        let Self { max_flush_interval, max_batch_size, min_batch_size, tuning: _ } = *self;
        Millis(max_flush_interval).validate("group_commit.max_flush_interval_ms")?;
        if max_batch_size == 0 {
            return Err(invalid("group_commit.max_batch_size", "is zero"));
        }
        if max_batch_size > MOST {
            let what = "is above 1000000, more than one flush should gather";
            return Err(invalid("group_commit.max_batch_size", what));
        }
        if min_batch_size > max_batch_size {
            return Err(invalid("group_commit.min_batch_size", "is above max_batch_size"));
        }
        Ok(())
    }

    pub(super) fn window(&self) -> Window {
        let mut window = Window::new(self.max_flush_interval);
        window.enough = self.max_batch_size;
        window.siblings = self.min_batch_size;
        window.tuning = self.tuning;
        window
    }
}

/// The table as it stands in a file.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GroupingTable {
    max_flush_interval_ms: Option<Millis>,
    max_batch_size: Option<u64>,
    min_batch_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    durability_mode: Option<Choice>,
    adaptive_tuning: Option<bool>,
}

impl GroupingTable {
    /// What the table makes of this grouping. It asks for none where it only names a strategy.
    pub(super) fn over(&self, base: Option<Grouping>) -> Option<Grouping> {
        let Self {
            max_flush_interval_ms,
            max_batch_size,
            min_batch_size,
            durability_mode: _,
            adaptive_tuning,
        } = *self;
        let asks = max_flush_interval_ms.is_some()
            || max_batch_size.is_some()
            || min_batch_size.is_some()
            || adaptive_tuning.is_some();
        if !asks {
            return base;
        }
        let base = base.unwrap_or_default();
        Some(Grouping {
            max_flush_interval: max_flush_interval_ms
                .map_or(base.max_flush_interval, |Millis(interval)| interval),
            max_batch_size: max_batch_size.unwrap_or(base.max_batch_size),
            min_batch_size: min_batch_size.unwrap_or(base.min_batch_size),
            tuning: match adaptive_tuning {
                None => base.tuning,
                Some(false) => Tuning::Fixed,
                Some(true) => Tuning::Adaptive,
            },
        })
    }

    /// The strategy that the table names, an interval with the time that the table gives.
    pub(super) fn strategy(&self) -> Option<Choice> {
        let within = self.max_flush_interval_ms.map(|Millis(within)| within);
        self.durability_mode.map(|mode| match (mode, within) {
            (Choice::Interval, Some(_)) => Choice::Of(mode.or_within(within)),
            _ => mode,
        })
    }
}

impl From<Grouping> for GroupingTable {
    fn from(grouping: Grouping) -> Self {
        Self {
            max_flush_interval_ms: Some(Millis(grouping.max_flush_interval)),
            max_batch_size: Some(grouping.max_batch_size),
            min_batch_size: Some(grouping.min_batch_size),
            durability_mode: None,
            adaptive_tuning: Some(grouping.tuning == Tuning::Adaptive),
        }
    }
}
