//! The replay seams: entries to the user's state.

use std::fmt;
use std::time::Duration;

use crate::{Entry, Lsn, Result};

/// Feeds entries to a target, in an order that gives the same state as the log's own order.
///
/// A replay never appends to a log: an engine and a target have no handle of one.
pub trait ReplayEngine: Send + Sync + fmt::Debug {
    /// Applies all entries and reports. Stops at the first error, the log's or the target's; what
    /// was applied until then stays applied.
    fn replay(
        &self,
        entries: &mut dyn Iterator<Item = Result<Entry>>,
        target: &mut dyn ReplayTarget,
    ) -> Result<ReplayReport>;
}

/// The user's state, to which records are applied.
///
/// Applying must be idempotent: after a crash in the middle of a replay the whole replay runs again.
pub trait ReplayTarget {
    /// Applies a group of entries, in this order. Engines choose the groups: one entry, or many.
    fn apply(&mut self, group: &[Entry]) -> Result<Applications>;

    /// What the entry touches. Entries of different keys may be applied in any order or at once;
    /// nothing is moved across a barrier.
    fn scope(&self, entry: &Entry) -> Scope;
}

/// What an entry touches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything, or nobody knows: the order around it is kept.
    Barrier,
    /// The one thing of this name.
    Key(Vec<u8>),
}

/// What became of a group of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applications {
    /// Entries that changed the state, or would have if it were not so already.
    pub applied: u64,
    /// Entries that the target passed over, as for a table that is gone.
    pub skipped: u64,
}

impl Applications {
    /// So many applied, so many passed over.
    pub const fn new(applied: u64, skipped: u64) -> Self {
        Self { applied, skipped }
    }
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayReport {
    /// The first entry read, or [`Lsn::ZERO`].
    pub first_lsn: Lsn,
    /// The last entry read, or [`Lsn::ZERO`].
    pub last_lsn: Lsn,
    /// Entries read.
    pub entries: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Entries applied.
    pub applied: u64,
    /// Entries the target passed over.
    pub skipped: u64,
    /// Time spent reading and checking.
    pub read: Duration,
    /// Time spent in the target.
    pub apply: Duration,
}
