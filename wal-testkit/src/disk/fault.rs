//! [`FaultRule`]: which call fails, and how.

use std::fmt;
use std::io;
use std::sync::Arc;

/// The kinds of calls that a disk can fail. All but reads are numbered operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Call {
    /// Makes a file.
    Create,
    /// Writes bytes to a file.
    Write,
    /// Cuts or extends a file.
    SetLen,
    /// Allocates space.
    Allocate,
    /// Syncs a file.
    Sync,
    /// Syncs the directory.
    SyncDir,
    /// Removes a name.
    Remove,
    /// Renames a file.
    Rename,
    /// Reads bytes of a file.
    Read,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Write => "write",
            Self::SetLen => "set length",
            Self::Allocate => "allocate",
            Self::Sync => "sync",
            Self::SyncDir => "sync directory",
            Self::Remove => "remove",
            Self::Rename => "rename",
            Self::Read => "read",
        })
    }
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// EIO, and nothing has happened. A failed sync has made nothing durable, and what it was to
    /// make durable is still waiting.
    Io,
    /// ENOSPC, and nothing has happened. At a sync it is what a file system says that gives out
    /// space only then; see [`Space::AtSync`](super::Space::AtSync).
    StorageFull,
    /// EINTR, and nothing has happened.
    Interrupted,
    /// EIO, after it has happened all the same.
    AfterEffect,
    /// A write or a read: no error, but at most this many bytes.
    Short(usize),
    /// A write: EIO, after so many bytes.
    Partial(usize),
    /// A sync: EIO once, and what was waiting is forgotten. Readers still see it, later syncs
    /// succeed, the platter never gets it. Linux does this on ext4, XFS and btrfs; known as
    /// *fsyncgate* since `PostgreSQL` was bitten in 2018.
    Dropped,
    /// A write or a sync: reported as done, and nothing has happened. A lost write, a disk that
    /// lies about its cache.
    Ignored,
    /// A write: reported as done, and its bytes are this many bytes further on in the file.
    Misdirected(u64),
    /// One bit, chosen by the number, is wrong and nobody says so: of a write for good, of a read
    /// this once.
    WrongBit(u64),
}

impl Fault {
    /// The error of a call that this fault ends before it does anything.
    pub(super) fn refusal(self, call: Call) -> Option<io::Error> {
        let (kind, name) = match self {
            Self::Io => (io::ErrorKind::Other, "EIO"),
            Self::StorageFull => (io::ErrorKind::StorageFull, "ENOSPC"),
            Self::Interrupted => (io::ErrorKind::Interrupted, "EINTR"),
            _ => return None,
        };
        Some(io::Error::new(kind, format!("simulated {name} at {call}")))
    }

    /// These bytes with one bit turned over, where that is the fault.
    pub(super) fn garble(self, bytes: &mut [u8]) {
        let Self::WrongBit(number) = self else { return };
        let bits = bytes.len() as u64 * 8;
        if let Some(bit) = number.checked_rem(bits) {
            let at = usize::try_from(bit / 8).expect("a place in a slice");
            bytes[at] ^= 1 << (bit % 8);
        }
    }

    /// The error of a call that this fault ends once it has done something.
    pub(super) fn verdict(self, call: Call) -> Option<io::Error> {
        let what = match self {
            Self::AfterEffect => "after it was done",
            Self::Partial(_) => "in the middle",
            Self::Dropped => "and what was to be written is forgotten",
            _ => return None,
        };
        Some(io::Error::other(format!("simulated EIO at {call}, {what}")))
    }

    pub(crate) fn fits(self, call: Call) -> bool {
        match self {
            Self::Partial(_) | Self::Misdirected(_) => call == Call::Write,
            Self::Short(_) | Self::WrongBit(_) => matches!(call, Call::Write | Call::Read),
            Self::Dropped => matches!(call, Call::Sync | Call::SyncDir),
            Self::Ignored => matches!(call, Call::Write | Call::Sync | Call::SyncDir),
            Self::StorageFull => call != Call::Read,
            Self::Io | Self::Interrupted | Self::AfterEffect => true,
        }
    }
}

/// Lets calls of one kind fail, counted from when the rule is given to the disk. Starts as "the
/// next one".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    call: Call,
    fault: Fault,
    /// A part of the names that it is about; empty for all.
    name: Arc<str>,
    /// How many calls pass before the first that fails.
    passing: u64,
    /// How many fail from there on.
    failing: u64,
}

impl FaultRule {
    /// The next call of this kind fails like this.
    ///
    /// # Panics
    ///
    /// Where the fault is none that such a call can have.
    pub fn next(call: Call, fault: Fault) -> Self {
        assert!(fault.fits(call), "a {call} cannot fail as {fault:?}");
        Self { call, fault, name: Arc::default(), passing: 0, failing: 1 }
    }

    /// Only calls count that are about a file whose name contains this.
    pub fn named(mut self, part: &str) -> Self {
        self.name = part.into();
        self
    }

    /// So many calls pass first.
    pub fn after(mut self, calls: u64) -> Self {
        self.passing = calls;
        self
    }

    /// So many calls fail, instead of one.
    pub fn times(mut self, calls: u64) -> Self {
        self.failing = calls;
        self
    }

    /// All calls from there on fail.
    pub fn forever(self) -> Self {
        self.times(u64::MAX)
    }

    /// Which calls fail.
    pub fn call(&self) -> Call {
        self.call
    }

    /// How they fail.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// How many calls pass before the first that fails.
    pub fn passing(&self) -> u64 {
        self.passing
    }

    /// How many fail from there on.
    pub fn failing(&self) -> u64 {
        self.failing
    }

    /// Counts a call, and says how it fails if it does.
    pub(super) fn strike(&mut self, call: Call, name: &str) -> Option<Fault> {
        if call != self.call || !name.contains(&*self.name) {
            return None;
        }
        if self.passing > 0 {
            self.passing -= 1;
            return None;
        }
        self.failing = self.failing.checked_sub(1)?;
        Some(self.fault)
    }
}

impl fmt::Display for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, fault, name, passing, failing } = self;
        write!(f, "{call} fails as {fault:?}")?;
        if !name.is_empty() {
            write!(f, " for {name}")?;
        }
        if *passing > 0 {
            write!(f, " after {passing} more")?;
        }
        match failing {
            1 => Ok(()),
            &u64::MAX => f.write_str(" from then on"),
            times => write!(f, ", {times} times"),
        }
    }
}
