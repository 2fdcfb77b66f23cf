//! [`Trace`]: what was done to a disk, for a person to read; [`Counts`], for a test to check.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::fault::Call;

/// Every operation of a disk, and of the disks it came from by power cuts, in order.
///
/// `Display` prints one operation a line, with its number, as [`SimDisk::crash_at`] wants it.
///
/// [`SimDisk::crash_at`]: crate::SimDisk::crash_at
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Trace(Vec<Event>);

impl Trace {
    /// The events, oldest first.
    pub fn events(&self) -> &[Event] {
        &self.0
    }

    pub(super) fn push(&mut self, event: Event) {
        self.0.push(event);
    }
}

/// An entry of a [`Trace`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A call that was numbered.
    Operation(Operation),
    /// Something that happened to the disk: a power cut, the death of a process.
    Mishap(String),
}

/// A call that changed a disk, or made a change durable, or failed to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// Its number, from 0, going on over power cuts.
    pub number: u64,
    /// What was called.
    pub call: Call,
    /// The name of the file, as it was when the file was made; empty for the directory.
    pub name: Arc<str>,
    /// The bytes it was about, where it was about bytes.
    pub bytes: Option<Range<u64>>,
    /// How it failed, if it did.
    pub failure: Option<String>,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mishap(what) => write!(f, "   -- {what}"),
            Self::Operation(Operation { number, call, name, bytes, failure }) => {
                write!(f, "{number:>5}. {call} {name}")?;
                if let Some(bytes) = bytes {
                    write!(f, " {}..{}", bytes.start, bytes.end)?;
                }
                failure.as_ref().map_or(Ok(()), |failure| write!(f, " -> {failure}"))
            }
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("events", &self.0.len()).finish()
    }
}

/// How often a disk was asked for what, since it came into being or was left by a power cut.
/// Calls that failed are counted too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Files made.
    pub creates: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes that reached the cache.
    pub bytes: u64,
    /// Syncs of files.
    pub syncs: u64,
    /// Syncs of the directory.
    pub directory_syncs: u64,
    /// Names removed.
    pub removes: u64,
    /// Reads.
    pub reads: u64,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// Reads that failed.
    pub failed_reads: u64,
}

impl Counts {
    pub(super) fn count(&mut self, call: Call) {
        match call {
            Call::Create => self.creates += 1,
            Call::Write => self.writes += 1,
            Call::Sync => self.syncs += 1,
            Call::SyncDir => self.directory_syncs += 1,
            Call::Remove => self.removes += 1,
            Call::Read => self.reads += 1,
            Call::Allocate | Call::Rename | Call::SetLen => {}
        }
    }
}
