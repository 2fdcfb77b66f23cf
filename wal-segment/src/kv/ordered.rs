//! [`OrderedKv`]: what a key-value store must be able to do.

use std::fmt;
use std::io;
use std::ops::{ControlFlow, Range};

use wal_core::{Durability, StoreLock};

/// An ordered key-value store, as far as segments need one: keys and values are bytes, and keys are
/// ordered as bytes are, by the first that differs, a shorter key before those it begins.
///
/// Short writes, interruptions and the like are the implementation's to handle. Any number of
/// readers read beside the one writer.
pub trait OrderedKv: Send + Sync + fmt::Debug {
    /// What survives once it is durable. Constant for the life of the store.
    fn durability(&self) -> Durability;

    /// Takes what belongs to this name for writing, until the returned value is dropped or the
    /// process ends. Names are apart from each other.
    ///
    /// - Fails with [`io::ErrorKind::WouldBlock`], at once, while another handle holds the name.
    /// - A store that lets in one process at a time locks names with [`Locks`](super::Locks).
    fn lock(&self, name: &str) -> io::Result<Box<dyn StoreLock>>;

    /// The value of this key; `None` where there is none.
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>>;

    /// Shows the keys of `range`, and their values, to `visit` in this order, until it breaks off.
    /// Shows one state of the store: a batch applied meanwhile is seen whole or not at all.
    fn scan(&self, range: Range<&[u8]>, order: Order, visit: &mut Visit<'_>) -> io::Result<()>;

    /// Makes these changes, in their order, all of them or none: for readers, and after any crash.
    ///
    /// - Readers see them when it returns.
    /// - With [`Persist::Now`] they survive [`durability`](Self::durability) when it returns.
    /// - With [`Persist::AtSync`] a crash before the next sync loses some of these batches or none,
    ///   each as a whole.
    /// - When it fails they were made or not, as a whole. With [`io::ErrorKind::StorageFull`] they
    ///   were not, and the same batch succeeds once there is room.
    fn apply(&self, batch: &[Change<'_>], persist: Persist) -> io::Result<()>;

    /// When it has returned, every batch whose [`apply`](Self::apply) had returned before the call
    /// survives [`durability`](Self::durability).
    fn sync(&self) -> io::Result<()>;
}

/// What a scan shows keys and their values to.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// One change of a batch. `Debug` shows sizes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// Gives this key this value, whether it had one or not.
    Put(&'a [u8], &'a [u8]),
    /// Takes this key away, where it is there.
    Delete(&'a [u8]),
}

/// The order of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The smallest key first.
    Ascending,
    /// The largest key first.
    Descending,
}

/// When a batch becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persist {
    /// Before [`OrderedKv::apply`] returns.
    Now,
    /// With the next [`OrderedKv::sync`], or before.
    AtSync,
}

impl fmt::Debug for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(key, value) => write!(f, "Put({} bytes, {} bytes)", key.len(), value.len()),
            Self::Delete(key) => write!(f, "Delete({} bytes)", key.len()),
        }
    }
}
