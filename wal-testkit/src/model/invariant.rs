//! [`Invariant`]: what must hold of a log after every crash, by name.

use std::fmt;

/// What must hold of a log, whatever happens to it short of the loss of its disk.
///
/// Prints as its number and its name, `I1 DurableAck`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Invariant {
    /// I1: what was acknowledged is found.
    DurableAck,
    /// I2: what is found is a prefix of what was appended, dense, and of a batch all or nothing.
    Prefix,
    /// I3: what is found was appended at that LSN, in this history and not in one cut off.
    NoPhantom,
    /// I4: what a recovery or a reader has shown stays, and the next LSN is the one after it.
    ObservedIsDurable,
    /// I5: a second recovery finds what the first did, also where the first was cut short.
    Idempotent,
    /// I6: after a failed sync nothing more is acknowledged by that handle.
    Poison,
    /// I7: damage to what the log vouches for is an error, and never a shorter log.
    LoudCorruption,
    /// I8: the durable LSN only grows and covers what it says; a reader gets all of that.
    DurableReads,
    /// I9: pruning takes nothing from its limit on, and what it took stays gone.
    Retention,
    /// I10: opening succeeds after every crash, and nothing panics.
    Total,
    /// I11: a full disk is an error that loses nothing, and with room the log goes on.
    FullDisk,
    /// I12: once the disk is well, an append is made durable.
    Liveness,
    /// I13: a file that one handle writes is left alone by all others, and what is acknowledged is
    /// in a file that has a name.
    Ownership,
}

impl Invariant {
    /// All of them, in their order.
    pub const ALL: [Self; 13] = [
        Self::DurableAck,
        Self::Prefix,
        Self::NoPhantom,
        Self::ObservedIsDurable,
        Self::Idempotent,
        Self::Poison,
        Self::LoudCorruption,
        Self::DurableReads,
        Self::Retention,
        Self::Total,
        Self::FullDisk,
        Self::Liveness,
        Self::Ownership,
    ];

    /// The invariant was broken, in this way.
    pub(super) fn broken(self, saw: impl Into<String>) -> Violation {
        Violation { invariant: self, saw: saw.into() }
    }

    /// Holds where `holds` does; `saw` says what was there instead.
    pub(super) fn holds<S: Into<String>>(self, holds: bool, saw: impl FnOnce() -> S) -> Check {
        if holds { Ok(()) } else { Err(self.broken(saw())) }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = Self::ALL.iter().position(|other| other == self).unwrap_or(0) + 1;
        write!(f, "I{number} {self:?}")
    }
}

/// Whether an invariant held.
pub(super) type Check = Result<(), Violation>;

/// An invariant that did not hold, and what was seen instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// What was seen.
    pub saw: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.saw)
    }
}

impl std::error::Error for Violation {}
