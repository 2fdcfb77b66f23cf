//! [`Listed`]: the segments that locking the store has shown.

use std::sync::Arc;

use wal_core::{SegmentId, StoreLock};

use super::lock::FileLock;
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

/// The lock of a store, and what is good as long as it is held.
#[derive(Debug)]
pub(super) struct Held {
    listed: Arc<Listed>,
    _lock: FileLock,
}

impl Held {
    pub(super) fn new(lock: FileLock, listed: Arc<Listed>) -> Self {
        Self { listed, _lock: lock }
    }
}

impl StoreLock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        // The lock itself goes after this, and only then can anybody change the directory.
        self.listed.forget();
    }
}
