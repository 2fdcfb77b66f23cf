//! [`Policy`]: the ways of keeping a log's files that the days are tried over.

use std::path::Path;
use std::sync::Arc;

use wal::parts::segment::{Ahead, FileStore, Files};
use wal::{Builder, Config, Preparation, Recycling, Wal, Writing};

/// Bytes of a segment: small, so that a few records need several.
pub(crate) const SEGMENT: u64 = 16 * 1024;

/// A way of keeping a log's files. In a directory a thread prepares the next segment in each of
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// What suits the file system.
    Fit,
    /// Zeros ahead of the end, and the files of pruned segments used again.
    Recycled,
    /// Past the page cache, each flush padded to 4096 bytes.
    Direct,
}

impl Policy {
    pub(crate) const ALL: [Self; 3] = [Self::Fit, Self::Recycled, Self::Direct];

    pub(crate) fn config(self) -> Config {
        let mut config = Config::default();
        config.segment_size = SEGMENT;
        let (preparation, recycling, writing) = match self {
            Self::Fit => return config,
            Self::Recycled => {
                (Preparation::ZerosAhead(4096), Recycling::Keep(2), Writing::Buffered)
            }
            Self::Direct => (Preparation::Whole, Recycling::Keep(1), Writing::Direct),
        };
        config.preparation = Some(preparation);
        config.recycling = Some(recycling);
        config.writing = Some(writing);
        config.alignment = if self == Self::Direct { 4096 } else { config.alignment };
        config
    }

    pub(crate) fn builder(self, dir: &Path) -> Builder {
        Wal::builder(dir).config(self.config())
    }

    pub(crate) fn open(self, dir: &Path) -> wal::Result<Wal> {
        self.builder(dir).open().map(|(wal, _)| wal)
    }

    /// How such a log is opened where the file system may not know direct access: what was written
    /// in one way is read and gone on with in any.
    pub(crate) fn in_memory(self) -> Self {
        if self == Self::Direct { Self::Recycled } else { self }
    }

    /// The store that is kept in this way, in these files; what is done ahead is the caller's to do.
    pub(crate) fn store(self, files: Arc<dyn Files>) -> FileStore {
        let store = FileStore::over(files).ahead(Ahead::Caller);
        match self {
            Self::Fit => store.preparation(Preparation::None),
            Self::Recycled => {
                store.preparation(Preparation::ZerosAhead(4096)).recycling(Recycling::Keep(2))
            }
            Self::Direct => store.recycling(Recycling::Keep(1)).writing(Writing::Direct),
        }
    }
}
