//! [`ConfigFile`]: a file of settings.

use serde::{Deserialize, Serialize};

use super::Config;

/// A file of settings for a log alone: nothing but a table `[wal]`. A program with settings of its
/// own has a [`Config`] as a field of its own struct instead.
///
/// ```
/// use wal::{ConfigFile, Strategy};
///
/// let file: ConfigFile = toml::from_str(
///     r#"
///     [wal]
///     segment_size = 67108864
///     preparation = { chunks = 4194304 }
///
///     [wal.group_commit]
///     max_flush_interval_ms = 5
///     max_batch_size = 50
///     durability_mode = "group_commit"
///     "#,
/// )?;
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path();
/// assert_eq!(file.wal.strategy, Strategy::GroupCommit);
/// let (wal, _) = wal::Wal::builder(path).config(file.wal).open()?;
/// # wal.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ConfigFile {
    /// The settings of the log.
    pub wal: Config,
}
