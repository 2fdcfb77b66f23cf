//! [`Lsn`]: the number of a record in its log.

use std::fmt;

/// The log sequence number of a record: dense, from 1, in the order of the log.
///
/// Dense means that the record after `n` is `n + 1`, with no gaps, across segments, reopenings and
/// crashes. A number is issued under the same lock that orders the bytes, so a smaller LSN is
/// always earlier in the log. [`Lsn::ZERO`] is never a record: as a watermark it means "nothing
/// yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(u64);

impl Lsn {
    /// The place before the first record.
    pub const ZERO: Self = Self(0);
    /// The first record of every log.
    pub const FIRST: Self = Self(1);
    /// No record ever has this number; as a bound it means "to the end".
    pub const MAX: Self = Self(u64::MAX);
    /// The last number that a record can have. Far more than a log can count up to, and far enough
    /// from [`MAX`](Self::MAX) that sums of it with lengths and counts do not overflow: a header that
    /// begins behind it is none.
    pub const LAST: Self = Self(1 << 62);

    /// The LSN with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The LSN `count` records later, saturating at [`Lsn::MAX`].
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// The LSN of the next record.
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// The LSN of the record before, saturating at [`Lsn::ZERO`].
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// How many records there are from `earlier` (not counted) to here (counted).
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u64> for Lsn {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<Lsn> for u64 {
    fn from(lsn: Lsn) -> Self {
        lsn.0
    }
}
