//! [`FaultRule`]: which call fails, and how.

use std::fmt;
use std::io;

/// The kinds of calls that change a disk or make a change durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// ENOSPC, and nothing has happened.
    StorageFull,
    /// EINTR, and nothing has happened.
    Interrupted,
    /// EIO, after it has happened all the same.
    AfterEffect,
    /// A write: no error, but at most this many bytes.
    Short(usize),
    /// A write: EIO, after so many bytes.
    Partial(usize),
    /// A sync: EIO once, and what was waiting is forgotten. Readers still see it, later syncs
    /// succeed, the platter never gets it. Linux does this on ext4, XFS and btrfs; known as
    /// *fsyncgate* since `PostgreSQL` was bitten in 2018.
    Dropped,
}

impl Fault {
    /// The error of a call that this fault ends before it does anything.
    pub(super) fn refusal(self, call: Call) -> Option<io::Error> {
        let (kind, name) = match self {
            Self::Io => (io::ErrorKind::Other, "EIO"),
            Self::StorageFull => (io::ErrorKind::StorageFull, "ENOSPC"),
            Self::Interrupted => (io::ErrorKind::Interrupted, "EINTR"),
            Self::AfterEffect | Self::Short(_) | Self::Partial(_) | Self::Dropped => return None,
        };
        Some(io::Error::new(kind, format!("simulated {name} at {call}")))
    }

    /// The error of a call that this fault ends once it has done something.
    pub(super) fn verdict(self, call: Call) -> Option<io::Error> {
        let what = match self {
            Self::AfterEffect => "after it was done",
            Self::Partial(_) => "in the middle",
            Self::Dropped => "and what was to be written is forgotten",
            Self::Io | Self::StorageFull | Self::Interrupted | Self::Short(_) => return None,
        };
        Some(io::Error::other(format!("simulated EIO at {call}, {what}")))
    }

    fn fits(self, call: Call) -> bool {
        match self {
            Self::Short(_) | Self::Partial(_) => call == Call::Write,
            Self::Dropped => matches!(call, Call::Sync | Call::SyncDir),
            Self::Io | Self::StorageFull | Self::Interrupted | Self::AfterEffect => true,
        }
    }
}

/// Lets calls of one kind fail, counted from when the rule is given to the disk. Starts as "the
/// next one".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    call: Call,
    fault: Fault,
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
        Self { call, fault, passing: 0, failing: 1 }
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

    /// Counts a call, and says how it fails if it does.
    pub(super) fn strike(&mut self, call: Call) -> Option<Fault> {
        if call != self.call {
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
        let Self { call, fault, passing, failing } = self;
        write!(f, "{call} fails as {fault:?}")?;
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
