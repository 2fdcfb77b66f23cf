//! [`Listed`]: the segments that locking the store has shown.

use wal_core::SegmentId;

use crate::sync::{self, Mutex, MutexGuard};

/// The segments there were when the store was locked, for the one who asks next: reading a long
/// directory is most of what opening a log costs, and locking has just read it.
///
/// They are as good as the directory only while this handle holds the lock and has made and removed
/// nothing since, so whoever makes, removes or unlocks has them forgotten first; and they are given
/// away once.
#[derive(Debug, Default)]
pub(super) struct Listed(Mutex<Option<Vec<SegmentId>>>);

impl Listed {
    pub(super) fn keep(&self, ids: Vec<SegmentId>) {
        *self.ids() = Some(ids);
    }

    pub(super) fn take(&self) -> Option<Vec<SegmentId>> {
        self.ids().take()
    }

    pub(super) fn forget(&self) {
        *self.ids() = None;
    }

    fn ids(&self) -> MutexGuard<'_, Option<Vec<SegmentId>>> {
        sync::lock(&self.0)
    }
}
