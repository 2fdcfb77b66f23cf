//! [`WhenFull`]: what an append does where there is no room.

use serde::{Deserialize, Serialize};

/// What an append does that finds [`buffer_size`](crate::Config::buffer_size) bytes staged already.
/// [`Wal::try_append`](crate::Wal::try_append) and [`Wal::append_async`](crate::Wal::append_async)
/// choose by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhenFull {
    /// It writes them out by itself, or waits for the one who does: producers are as fast as the
    /// disk.
    #[default]
    Block,
    /// It fails with [`Backpressure`](crate::ErrorKind::Backpressure), nothing of it staged.
    Refuse,
}

impl From<WhenFull> for wal_commit::WhenFull {
    fn from(when_full: WhenFull) -> Self {
        match when_full {
            WhenFull::Block => Self::Block,
            WhenFull::Refuse => Self::Refuse,
        }
    }
}
