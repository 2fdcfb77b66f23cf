//! [`Config`]: the settings of a log, as plain data.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wal_commit::Options;
use wal_core::format::MAX_SEGMENT_SIZE;
use wal_core::{CommitStrategy, Error, ErrorKind, Result};
use wal_segment::{
    Caching, Direct, FileStore, FileSystem, Fit, OsFiles, Preparation, Reading, Recycling, Writing,
};

mod choice;
mod file;
mod grouping;
mod millis;
mod preset;
mod strategy;
mod table;
mod when_disk_full;
mod when_full;

pub use file::ConfigFile;
pub use grouping::Grouping;
pub use strategy::Strategy;
pub use when_disk_full::WhenDiskFull;
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
    /// How a segment's space is taken; `None`, the default, for what suits the file system. In a file
    /// `"none"`, `"whole"`, `{ chunks = 4194304 }`, `"zero_fill"` or `{ zeros_ahead = 16777216 }`.
    pub preparation: Option<Preparation>,
    /// What becomes of the files of pruned segments; `None`, the default, for what suits the file
    /// system. In a file `"off"` or `{ keep = 2 }`.
    pub recycling: Option<Recycling>,
    /// How bytes are written; `None`, the default, for what suits the file system. In a file
    /// `"buffered"`, `"synced"` or `"direct"`. Where it is direct, [`alignment`](Self::alignment) is
    /// 4096 whatever it says.
    pub writing: Option<Writing>,
    /// What becomes of written bytes in the page cache: `"keep"`, the default, or `"drop"`.
    pub caching: Caching,
    /// How segments are read: `"buffered"`, the default, `"mapped"`, with the feature `mmap` on 64-bit
    /// Linux, or `"direct"`.
    pub reading: Reading,
    /// The most a record may have. 16 MiB by default.
    pub record_limit: usize,
    /// The most a batch may have, with up to five bytes more for each record. 64 MiB by default.
    pub batch_limit: usize,
    /// A frame, the unit that is checksummed and read at once, ends before its body would grow
    /// beyond this: so one damaged byte costs as much. 256 KiB by default.
    pub frame_size: usize,
    /// An append that finds more than this staged does what [`when_full`](Self::when_full) says.
    /// 8 MiB by default; at the most twice this and twice [`batch_limit`](Self::batch_limit) are in
    /// memory, however slow the disk is.
    pub buffer_size: usize,
    /// The most that the log's segments may have, in bytes; `None`, the default, for as much as the
    /// disk has. Where the next segment would go beyond it, [`when_disk_full`](Self::when_disk_full)
    /// says what becomes of appends, and pruning makes room. What a recovery makes may go beyond it by
    /// a segment, and files kept for [`recycling`](Self::recycling) come on top. At least twice
    /// [`segment_size`](Self::segment_size). Where it was lowered below what the newest segment has,
    /// pruning takes all but that one, and nothing is written before it is raised again.
    pub max_size: Option<u64>,
    /// What becomes of records for which the disk has no room, or [`max_size`](Self::max_size) leaves
    /// none: `"refuse"`, the default, or `"wait"`.
    pub when_disk_full: WhenDiskFull,
    /// What an append does where there is no room: `"block"`, the default, or `"refuse"`.
    pub when_full: WhenFull,
    /// Every flush is padded to a multiple of this, a power of two from 8 to 4096. 8 by default;
    /// 4096 for a disk that may garble a whole block when the power goes while it is rewritten.
    ///
    /// A log keeps the largest one that it was opened with: every segment names it, and whatever opens
    /// the log, the tool `wal` too, pads by the larger of this and the newest segment's. A copy of the log
    /// has it as well.
    pub alignment: u32,
}

impl Default for Config {
    fn default() -> Self {
        let options = Options::default();
        Self {
            strategy: Strategy::default(),
            group_commit: None,
            segment_size: options.segment_size,
            preparation: None,
            recycling: None,
            writing: None,
            caching: Caching::default(),
            reading: Reading::default(),
            record_limit: options.record_limit,
            batch_limit: options.batch_limit,
            frame_size: options.frame_size,
            buffer_size: options.buffer_size,
            max_size: None,
            when_disk_full: WhenDiskFull::default(),
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
        self.validate_preparation()?;
        if self.max_size.is_some_and(|most| most < self.segment_size.saturating_mul(2)) {
            return Err(invalid("max_size", "is below twice segment_size"));
        }
        if !self.reading.is_known() {
            let what = "wal.reading names a way that this build does not know: \"mapped\" is there on \
                        64-bit Linux with the feature mmap of the crate wal, \"direct\" on Linux";
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        if self.segment_size > MAX_SEGMENT_SIZE {
            return Err(invalid("segment_size", "is above 2 TiB, the most that a seal can index"));
        }
        if !self.alignment.is_power_of_two() || !(8..=4096).contains(&self.alignment) {
            return Err(invalid("alignment", "is not a power of two from 8 to 4096 bytes"));
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
            recycling: _,
            writing: _,
            caching: _,
            reading: _,
            record_limit,
            batch_limit,
            frame_size,
            max_size: _,
            when_disk_full,
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
        options.when_disk_full = when_disk_full.into();
        options.alignment = alignment;
        options
    }

    /// The store that a log with these settings has in this directory, which is made if it is missing,
    /// and how it works there: what was asked for, and what suits the file system for the rest. For
    /// who wraps it before it goes to [`Wal::with_store`](crate::Wal::with_store).
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) where [`writing`](Self::writing) asks for what the file
    /// system refuses; nothing of a log has been written then.
    pub fn store_in(&self, dir: impl AsRef<Path>) -> Result<(FileStore, Fit)> {
        let dir = dir.as_ref();
        let failed =
            |cause| Error::io(format!("opening the directory {} failed", dir.display()), cause);
        let files = OsFiles::create(dir).map_err(failed)?;
        let padding = match self.writing {
            None => self.alignment,
            Some(Writing::Direct) => self.alignment.max(4096),
            Some(_) => 1,
        };
        let mut fit = FileSystem::of(&files, padding).map_err(failed)?.fit();
        fit.preparation = self.preparation.unwrap_or(fit.preparation);
        fit.recycling = self.recycling.unwrap_or(fit.recycling);
        fit.writing = self.writing.unwrap_or(fit.writing);
        if fit.writing == Writing::Direct && fit.file_system.direct == Direct::Refused {
            let what = format!("wal.writing: no direct writing (O_DIRECT) in {}", dir.display());
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        let store = FileStore::over(Arc::new(files))
            .fitted(fit)
            .caching(self.caching)
            .reading(self.reading);
        Ok((store, fit))
    }

    fn validate_preparation(&self) -> Result<()> {
        let (key, step) = match self.preparation {
            Some(Preparation::Chunks(step)) => ("preparation.chunks", step),
            Some(Preparation::ZerosAhead(step)) => ("preparation.zeros_ahead", step),
            _ => return Ok(()),
        };
        match step {
            0 => Err(invalid(key, "is zero")),
            step if step > LARGEST_FILE => {
                Err(invalid(key, "is above 16 TiB, the largest file of ext4"))
            }
            _ => Ok(()),
        }
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
