//! [`Locks`]: names that one writer at a time may hold.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wal_core::StoreLock;

/// The names that are held for writing in this process, for a key-value store that lets in one
/// process at a time. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Locks {
    held: Arc<Mutex<BTreeSet<String>>>,
}

impl Locks {
    /// Takes this name until the returned value is dropped; fails with
    /// [`io::ErrorKind::WouldBlock`] where it is held.
    pub fn take(&self, name: &str) -> io::Result<Box<dyn StoreLock>> {
        if !self.held().insert(name.to_owned()) {
            let what = format!("another writer has the log {name} open");
            return Err(io::Error::new(io::ErrorKind::WouldBlock, what));
        }
        Ok(Box::new(NameLock { locks: self.clone(), name: name.to_owned() }))
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct NameLock {
    locks: Locks,
    name: String,
}

impl StoreLock for NameLock {}

impl Drop for NameLock {
    fn drop(&mut self) {
        self.locks.held().remove(&self.name);
    }
}
