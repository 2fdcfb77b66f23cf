//! [`Half`], [`OnLoss`], [`Mismatch`]: the words of a pair.

use std::error::Error;
use std::fmt;
use std::io;

use wal_core::SegmentId;

/// One of the two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Half {
    /// The store given first; all is read from it while it is there.
    First,
    /// The store given second.
    Second,
}

impl Half {
    pub(super) const BOTH: [Self; 2] = [Self::First, Self::Second];

    /// The one that this is not.
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

impl fmt::Display for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "the first half",
            Self::Second => "the second half",
        })
    }
}

/// What becomes of an operation that one half does and the other fails to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnLoss {
    /// It fails. What is acknowledged is in both halves. After an append that one half took, the
    /// segment takes no more, whatever the other failed for: a log that comes to this is poisoned,
    /// and good again once it is opened anew.
    Fail,
    /// It succeeds. The half that failed, be it for want of space, is lost from then on: neither
    /// written nor read again, and the other remembers that, durably, before the operation returns.
    /// What is acknowledged is in both halves, or in the one that is left. Where both fail, so does
    /// the operation, and neither is lost.
    GoOn,
}

/// Why two stores do not open as a pair; the source of an error of kind
/// [`InvalidData`](io::ErrorKind::InvalidData). [`TeeStore::rebuild`](super::TeeStore::rebuild)
/// makes a pair of them again, once it is known which of them is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// This half was lost, and the other went on without it. Nothing that it lacks is lost.
    Behind(Half),
    /// This half has no history and the other has: it is new, or was emptied. Whether the other one
    /// had been left behind before that, nobody can tell from the stores.
    Blank(Half),
    /// This half was being rebuilt, and that was not finished.
    Unfinished(Half),
    /// This segment differs between the halves by more than a crash can leave, and neither half is whole
    /// and holds what the other does. Nothing has been changed.
    Damaged(SegmentId),
    /// The anchor of this half says that the log went further than either half does: its newest
    /// segments vanished. Nothing has been changed.
    Short(Half),
    /// This mark of this half cannot be read: what it said of the other half is not known. Nothing has
    /// been changed.
    DamagedMark(Half, SegmentId),
    /// There are segments, and neither half has a history: no pair was ever opened for writing here.
    NoHistory,
    /// Each half has a history that the other does not know: each went on alone, or they are halves
    /// of different pairs.
    Diverged,
}

impl Mismatch {
    /// The mismatch that an error of a pair is about, if it is about one.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind(half) => write!(f, "{half} was left behind and is to be rebuilt"),
            Self::Blank(half) => write!(f, "{half} is blank, and the other half is not"),
            Self::Unfinished(half) => write!(f, "{half} is rebuilt in part"),
            Self::Damaged(id) => write!(f, "segment {id} differs between the halves"),
            Self::Short(half) => {
                write!(
                    f,
                    "the anchor of {half} says that the log went further than either half does"
                )
            }
            Self::DamagedMark(half, id) => write!(f, "mark {id} of {half} is damaged"),
            Self::NoHistory => f.write_str("there are segments, and they are of no pair"),
            Self::Diverged => f.write_str("the halves have different histories"),
        }
    }
}

impl Error for Mismatch {}

impl From<Mismatch> for io::Error {
    fn from(mismatch: Mismatch) -> Self {
        Self::new(io::ErrorKind::InvalidData, mismatch)
    }
}
