//! [`Life`]: the lock of a store, as long as anything that writes.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::SimLock;

/// Who has the lock of a handle: the lock itself, and every writer and syncer that was made under
/// it. The store is free for another handle when the last of them is gone.
#[derive(Debug, Default)]
pub(crate) struct Life(Mutex<Weak<SimLock>>);

impl Life {
    /// A new life, under this lock.
    pub(crate) fn begin(&self, lock: SimLock) -> Arc<SimLock> {
        let lock = Arc::new(lock);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&lock);
        lock
    }

    /// For what is made in the present life; `None` where there is none.
    pub(crate) fn share(&self) -> Option<Arc<SimLock>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }
}
