//! [`Table`]: the settings as they stand in a file.

use serde::{Deserialize, Serialize};
use wal_core::{Error, Result};
use wal_segment::{Caching, Preparation, Reading, Recycling, Writing};

use super::choice::Choice;
use super::grouping::GroupingTable;
use super::preset::Preset;
use super::{Config, WhenDiskFull, WhenFull, invalid};

/// The table `[wal]`: what it does not say, the preset says, and else the default.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Table {
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<Preset>,
    segment_size: Option<u64>,
    record_limit: Option<usize>,
    batch_limit: Option<usize>,
    frame_size: Option<usize>,
    buffer_size: Option<usize>,
    when_full: Option<WhenFull>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_size: Option<u64>,
    when_disk_full: Option<WhenDiskFull>,
    alignment: Option<u32>,
    strategy: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preparation: Option<Preparation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recycling: Option<Recycling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    writing: Option<Writing>,
    caching: Option<Caching>,
    reading: Option<Reading>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_commit: Option<GroupingTable>,
}

impl TryFrom<Table> for Config {
    type Error = Error;

    fn try_from(table: Table) -> Result<Self> {
        let Table {
            preset,
            segment_size,
            record_limit,
            batch_limit,
            frame_size,
            buffer_size,
            when_full,
            max_size,
            when_disk_full,
            alignment,
            strategy,
            preparation,
            recycling,
            writing,
            caching,
            reading,
            group_commit,
        } = table;
        let base = preset.map_or_else(Self::default, Self::from);
        let named = group_commit.as_ref().and_then(GroupingTable::strategy);
        let grouping =
            group_commit.map_or(base.group_commit, |table| table.over(base.group_commit));
        let strategy = match agreed(strategy, named)? {
            Some(choice) => choice.or_within(grouping.map(|grouping| grouping.max_flush_interval)),
            None => base.strategy,
        };
        Ok(Self {
            strategy,
            group_commit: grouping,
            segment_size: segment_size.unwrap_or(base.segment_size),
            preparation: preparation.or(base.preparation),
            recycling: recycling.or(base.recycling),
            writing: writing.or(base.writing),
            caching: caching.unwrap_or(base.caching),
            max_size: max_size.or(base.max_size),
            when_disk_full: when_disk_full.unwrap_or(base.when_disk_full),
            reading: reading.unwrap_or(base.reading),
            record_limit: record_limit.unwrap_or(base.record_limit),
            batch_limit: batch_limit.unwrap_or(base.batch_limit),
            frame_size: frame_size.unwrap_or(base.frame_size),
            buffer_size: buffer_size.unwrap_or(base.buffer_size),
            when_full: when_full.unwrap_or(base.when_full),
            alignment: alignment.unwrap_or(base.alignment),
        })
    }
}

/// The strategy that both keys name, where they do.
fn agreed(strategy: Option<Choice>, mode: Option<Choice>) -> Result<Option<Choice>> {
    let (Some(strategy), Some(mode)) = (strategy, mode) else { return Ok(strategy.or(mode)) };
    let both = strategy.and(mode).ok_or_else(|| {
        let what = format!("is {mode}, and wal.strategy is {strategy}");
        invalid("group_commit.durability_mode", &what)
    })?;
    Ok(Some(both))
}

impl From<Config> for Table {
    fn from(config: Config) -> Self {
        let Config {
            strategy,
            group_commit,
            segment_size,
            preparation,
            recycling,
            writing,
            caching,
            reading,
            record_limit,
            batch_limit,
            frame_size,
            buffer_size,
            when_full,
            max_size,
            when_disk_full,
            alignment,
        } = config;
        Self {
            preset: None,
            segment_size: Some(segment_size),
            record_limit: Some(record_limit),
            batch_limit: Some(batch_limit),
            frame_size: Some(frame_size),
            buffer_size: Some(buffer_size),
            when_full: Some(when_full),
            alignment: Some(alignment),
            strategy: Some(strategy.into()),
            preparation,
            recycling,
            writing,
            caching: Some(caching),
            max_size,
            when_disk_full: Some(when_disk_full),
            reading: Some(reading),
            group_commit: group_commit.map(GroupingTable::from),
        }
    }
}
