//! [`Config`]: the settings of a log, as plain data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wal_commit::{GroupCommit, Options, Os, Sync};
use wal_core::{CommitStrategy, Error, ErrorKind, Result};
use wal_segment::Preparation;

/// The settings of a log, as plain data: from TOML or any other format of serde, or by hand. All
/// sizes are in bytes. Parts that are code go to the [`Builder`](crate::Builder) instead.
///
/// ```
/// use wal::{Config, Strategy};
///
/// let config: Config = toml::from_str(
///     r#"
///     strategy = "group_commit"
///     segment_size = 67108864
///     "#,
/// )?;
/// assert_eq!(config.strategy, Strategy::GroupCommit);
/// assert_eq!(config.record_limit, Config::default().record_limit);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Who syncs, and when. Group commit by default.
    pub strategy: Strategy,
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
    /// An append that finds more than this staged first writes it out. 8 MiB by default.
    pub buffer_size: usize,
    /// Every flush is padded to a multiple of this, a power of two from 8 to 4096. 8 by default;
    /// 4096 for a disk that may garble a whole block when the power goes while it is rewritten.
    pub alignment: u32,
}

/// Who syncs, and when. The names and their aliases are the ones used in configuration files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Strategy {
    /// One sync an append: [`wal_commit::Sync`].
    #[serde(alias = "synchronous", alias = "always")]
    Sync,
    /// The first waiter syncs for everyone: [`wal_commit::GroupCommit`].
    #[default]
    #[serde(alias = "group-commit")]
    GroupCommit,
    /// The operating system decides: [`wal_commit::Os`]. A power cut loses what it had not written
    /// back.
    Os,
}

/// How a segment's space is taken from the file system: [`wal_segment::Preparation`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Prepare {
    /// When bytes are written.
    None,
    /// All of it at once: a full disk shows when a segment is made.
    #[default]
    Whole,
    /// In steps of this many bytes.
    Chunks(u64),
    /// All of it at once and filled with zeros: the cheapest syncs, the dearest making.
    ZeroFill,
}

impl Default for Config {
    fn default() -> Self {
        let options = Options::default();
        Self {
            strategy: Strategy::default(),
            segment_size: options.segment_size,
            preparation: Prepare::default(),
            record_limit: options.record_limit,
            batch_limit: options.batch_limit,
            frame_size: options.frame_size,
            buffer_size: options.buffer_size,
            alignment: options.alignment,
        }
    }
}

impl Config {
    /// Refuses settings that no log can work with; the error names the field.
    pub fn validate(&self) -> Result<()> {
        if self.preparation == Prepare::Chunks(0) {
            return Err(Error::new(ErrorKind::Invalid, "preparation in chunks of zero bytes"));
        }
        self.options().validate()
    }

    pub(crate) fn options(&self) -> Options {
        let Self {
            strategy: _,
            segment_size,
            preparation: _,
            record_limit,
            batch_limit,
            frame_size,
            buffer_size,
            alignment,
        } = *self;
        let mut options = Options::default();
        options.segment_size = segment_size;
        options.record_limit = record_limit;
        options.batch_limit = batch_limit;
        options.frame_size = frame_size;
        options.buffer_size = buffer_size;
        options.alignment = alignment;
        options
    }
}

impl Strategy {
    pub(crate) fn build(self) -> Arc<dyn CommitStrategy> {
        match self {
            Self::Sync => Arc::new(Sync::new()),
            Self::GroupCommit => Arc::new(GroupCommit::new()),
            Self::Os => Arc::new(Os::new()),
        }
    }
}

impl From<Prepare> for Preparation {
    fn from(prepare: Prepare) -> Self {
        match prepare {
            Prepare::None => Self::None,
            Prepare::Whole => Self::Whole,
            Prepare::Chunks(step) => Self::Chunks(step),
            Prepare::ZeroFill => Self::ZeroFill,
        }
    }
}
