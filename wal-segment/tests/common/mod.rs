//! A store and its lock, for tests that are about something else.
#![allow(dead_code, reason = "each test file uses its part of this")]

use std::ops::Deref;

use wal_core::{SegmentId, SegmentStore, SegmentWriter, StoreLock};

/// A store that is held for writing.
#[derive(Debug)]
pub(crate) struct Held<S: ?Sized> {
    _lock: Box<dyn StoreLock>,
    store: Box<S>,
}

/// Takes the lock of the store.
pub(crate) fn held<S: SegmentStore + ?Sized>(store: impl Into<Box<S>>) -> Held<S> {
    let store = store.into();
    Held { _lock: store.lock().unwrap(), store }
}

impl<S: ?Sized> Deref for Held<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.store
    }
}

/// A segment that is there.
pub(crate) fn made(store: &dyn SegmentStore, id: SegmentId, size: u64) -> Box<dyn SegmentWriter> {
    let writer = store.create(id, size).unwrap();
    writer.syncer().sync().unwrap();
    writer
}
