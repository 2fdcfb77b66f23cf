//! [`Recycling`]: what becomes of the files of removed segments.

/// What becomes of the files of removed segments.
///
/// A file that is used again has its blocks already: nothing is taken from the file system, nothing
/// zeroed, and a sync has only the bytes to write. What was never written in such a segment reads as
/// bytes of its former life, which [`Guarantees::unwritten`](wal_core::Guarantees::unwritten) tells.
///
/// May change from one opening to the next. What is kept goes when the lock goes that it was kept
/// under, or, where the process died, when the store is next locked: only the one who removed a segment
/// knows that its file durably has no other name. A file is used again at the size that is asked for,
/// and only where it is a regular file with one name, then and since: a hard-linked copy keeps what it
/// has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Recycling {
    /// They are deleted.
    #[default]
    Off,
    /// Up to so many are kept, for segments to come.
    Keep(usize),
}

impl Recycling {
    /// How many files are kept at the most.
    pub(super) fn limit(self) -> usize {
        match self {
            Self::Off => 0,
            Self::Keep(files) => files,
        }
    }
}
