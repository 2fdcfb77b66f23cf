//! Small names: of a log, a segment, an epoch, a codec, a transform, a place.

use std::fmt;

/// The identity of a log: 128 random bits, chosen when the log is made and the same in every
/// segment it ever writes. A file of another log never reads as ours.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(pub [u8; 16]);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({self})")
    }
}

/// The number of a segment in its log: from 1, growing, never used twice while a file of that
/// number can still be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(u64);

impl SegmentId {
    /// The first segment of a new log.
    pub const FIRST: Self = Self(1);

    /// The last number that a segment of a log can have. Those behind it are for what a store keeps
    /// under numbers of its own, as a pair of stores keeps its marks: no part of any log, and left
    /// alone by what reads one.
    pub const LAST: Self = Self((1 << 63) - 1);

    /// The segment with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether a segment of a log can have this number.
    pub const fn is_of_log(self) -> bool {
        self.0 <= Self::LAST.0
    }

    /// The number after this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the writers a log has had: bumped by every open that writes and by every
/// `truncate_after`, so that (epoch, LSN) names one record for all time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// The last number that an epoch can have: a header with a later one is none.
    pub const LAST: Self = Self(1 << 62);

    /// The epoch with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The epoch of the next writer.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names the codec that a log's records were encoded with; written into every segment header.
///
/// Numbers below 1000 belong to this kit; take one from 1000 on for a codec of your own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodecId(pub u32);

impl CodecId {
    /// Bytes that the log does not interpret.
    pub const RAW: Self = Self(0);
}

impl fmt::Display for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names the transform that a frame's body went through; written into every frame header.
///
/// Numbers below 128 belong to this kit; take one from 128 on for a transform of your own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransformId(pub u8);

impl TransformId {
    /// The body is stored as it is.
    pub const NONE: Self = Self(0);
}

/// A place in a log: a byte offset in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The segment.
    pub segment: SegmentId,
    /// Bytes from the start of the segment.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment={} offset={}", self.segment, self.offset)
    }
}
