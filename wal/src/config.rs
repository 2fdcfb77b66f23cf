//! [`Config`]: the settings of a log, as plain data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wal_commit::Options;
use wal_core::{CommitStrategy, Error, ErrorKind, Result};

mod choice;
mod file;
mod grouping;
mod millis;
mod prepare;
mod preset;
mod strategy;
mod table;
mod when_full;

pub use file::ConfigFile;
pub use grouping::Grouping;
pub use prepare::Prepare;
pub use strategy::Strategy;
pub use when_full::WhenFull;

use table::Table;

/// The largest file of ext4, with its usual blocks of 4096 bytes.
const LARGEST_FILE: u64 = 16 << 40;

/// The settings of a log, as plain data: from TOML or any other format that says what its values
/// are, or by hand. All sizes are in bytes. Parts that are code go to the
/// [`Builder`](crate::Builder) instead.
///
/// ```
/// use wal::{Config, Strategy};
///
/// let config: Config = toml::from_str(
///     r#"
///     preset = "low_latency"
///     strategy = "flush_thread"
///     segment_size = 67108864
///     "#,
/// )?;
/// let mut same = Config::low_latency();
/// same.strategy = Strategy::FlushThread;
/// same.segment_size = 64 << 20;
/// assert_eq!(config, same);
/// # Ok::<(), toml::de::Error>(())
/// ```
///
/// In a file there is a key for each field. `preset` names one of the constructors below, as
/// `preset = "oltp"`: it fills in for what the file does not say, keys of the table `group_commit`
/// included. A key that is unknown is refused, and so are `strategy` and the table's
/// `durability_mode` where they disagree. What is written out again has no preset and no
/// `durability_mode`, but all they stood for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
#[non_exhaustive]
pub struct Config {
    /// Who syncs, and when. Group commit by default.
    pub strategy: Strategy,
    /// How records are gathered for one sync. `None` by default: under group commit no window, so
    /// that a group forms while the sync before it runs; under a flush thread 10 ms or 100 records.
    ///
    /// In a file the table `[wal.group_commit]`. With `durability_mode = "group_commit"` it gives
    /// group commit whose leader waits for more records: for `max_flush_interval_ms`, until
    /// `max_batch_size` are staged, and only while at least `min_batch_size` others are committing.
    /// A table with no key but `durability_mode` asks for no window.
    pub group_commit: Option<Grouping>,
    /// A segment ends before it would grow beyond this; a record or batch that is larger gets a
    /// segment of its own. 128 MiB by default, at least 16 KiB.
    pub segment_size: u64,
    /// How a segment's space is taken. All of it at once by default.
    pub preparation: Prepare,
    /// The most a record may have. 16 MiB by default.
    pub record_limit: usize,
    /// The most a batch may have, with up to five bytes more for each record. 64 MiB by default.
    pub batch_limit: usize,
    /// A frame, the unit that is checksummed and read at once, ends before its body would grow
    /// beyond this. 256 KiB by default.
    pub frame_size: usize,
    /// An append that finds more than this staged does what [`when_full`](Self::when_full) says.
    /// 8 MiB by default; at the most twice this and twice [`batch_limit`](Self::batch_limit) are in
    /// memory, however slow the disk is.
    pub buffer_size: usize,
    /// What an append does where there is no room: `"block"`, the default, or `"refuse"`.
    pub when_full: WhenFull,
    /// Every flush is padded to a multiple of this, a power of two from 8 to 4096. 8 by default;
    /// 4096 for a disk that may garble a whole block when the power goes while it is rewritten.
    pub alignment: u32,
}

impl Default for Config {
    fn default() -> Self {
        let options = Options::default();
        Self {
            strategy: Strategy::default(),
            group_commit: None,
            segment_size: options.segment_size,
            preparation: Prepare::default(),
            record_limit: options.record_limit,
            batch_limit: options.batch_limit,
            frame_size: options.frame_size,
            buffer_size: options.buffer_size,
            when_full: WhenFull::default(),
            alignment: options.alignment,
        }
    }
}

impl Config {
    /// Refuses settings that no log can work with. The error names the field by its key in a
    /// [`ConfigFile`], such as `wal.group_commit.max_batch_size`.
    pub fn validate(&self) -> Result<()> {
        self.strategy.validate()?;
        if let Some(grouping) = &self.group_commit {
            grouping.validate()?;
        }
        self.preparation.validate()?;
        if self.segment_size > LARGEST_FILE {
            return Err(invalid("segment_size", "is above 16 TiB, the largest file of ext4"));
        }
        // Its errors begin with the field.
        let named = |error: Error| Error::new(error.kind(), format!("wal.{}", error.what()));
        self.options().validate().map_err(named)
    }

    pub(crate) fn options(&self) -> Options {
        let Self {
            strategy: _,
            group_commit: _,
            segment_size,
            preparation: _,
            record_limit,
            batch_limit,
            frame_size,
            buffer_size,
            when_full,
            alignment,
        } = *self;
        let mut options = Options::default();
        options.segment_size = segment_size;
        options.record_limit = record_limit;
        options.batch_limit = batch_limit;
        options.frame_size = frame_size;
        options.buffer_size = buffer_size;
        options.when_full = when_full.into();
        options.alignment = alignment;
        options
    }

    /// The strategy, for one log.
    pub(crate) fn build_strategy(&self) -> Result<Arc<dyn CommitStrategy>> {
        self.strategy.build(self.group_commit)
    }
}

/// A setting that no log can work with, by the name of its key.
fn invalid(field: &str, what: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("wal.{field} {what}"))
}
