//! [`WhenDiskFull`]: what becomes of records that there is no room for on the disk.

use serde::{Deserialize, Serialize};

/// What becomes of records for which the disk has no room, or
/// [`max_size`](crate::Config::max_size) leaves none. They stay staged in any case, under their LSNs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhenDiskFull {
    /// Whoever waits for them is told, with [`StorageFull`](crate::ErrorKind::StorageFull), and the
    /// next flush tries again.
    #[default]
    Refuse,
    /// Whoever waits for them goes on waiting, and whoever appends once the buffer is full, until
    /// pruning has made room, or somebody else has, which shows within a second. A close does not
    /// wait, and fails. Under the strategy `tokio` it is the task that waits, and so a thread of the
    /// runtime.
    Wait,
}

impl From<WhenDiskFull> for wal_commit::WhenDiskFull {
    fn from(when_disk_full: WhenDiskFull) -> Self {
        match when_disk_full {
            WhenDiskFull::Refuse => Self::Refuse,
            WhenDiskFull::Wait => Self::Wait,
        }
    }
}
