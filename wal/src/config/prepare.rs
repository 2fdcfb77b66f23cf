//! [`Prepare`]: how a segment's space is taken.

use serde::{Deserialize, Serialize};
use wal_core::Result;
use wal_segment::Preparation;

use super::invalid;

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
    /// In steps of this many bytes: `{ chunks = 4194304 }` in a file.
    Chunks(u64),
    /// All of it at once and filled with zeros: the cheapest syncs, the dearest making.
    ZeroFill,
}

impl Prepare {
    pub(super) fn validate(self) -> Result<()> {
        match self {
            Self::Chunks(0) => Err(invalid("preparation.chunks", "is zero")),
            Self::Chunks(bytes) if bytes > super::LARGEST_FILE => {
                Err(invalid("preparation.chunks", "is above 16 TiB, the largest file of ext4"))
            }
            _ => Ok(()),
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
