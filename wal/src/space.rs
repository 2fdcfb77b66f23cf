//! [`Space`]: what a log takes up, and who keeps it from getting less.

use std::fmt;

use wal_core::{Lsn, Result};
use wal_replay::SegmentInfo;

use crate::Wal;
use crate::hold::Holds;

/// What a log takes up, and who keeps it from getting less; from [`Wal::space`]. Its `Display` is
/// for the person on call: a line for the log, and one for each hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Space {
    /// Segments of the log.
    pub segments: u64,
    /// Bytes that they take up, prepared space included.
    pub bytes: u64,
    /// The first record.
    pub first_lsn: Lsn,
    /// The last record appended; one less than the first where there is none.
    pub last_lsn: Lsn,
    /// Each [`Hold`](crate::Hold), by name. The bytes are those that could be pruned if it were
    /// gone and no other in the way: all segments from its own on but the newest, which always
    /// stays.
    pub holds: Vec<Held>,
}

/// A [`Hold`](crate::Hold) and what it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// Its name.
    pub name: String,
    /// The first record that it keeps.
    pub lsn: Lsn,
    /// Bytes of the segments that it keeps, prepared space included.
    pub bytes: u64,
}

impl Wal {
    /// What the log takes up now, and how much of it each [`Hold`](crate::Hold) keeps. Some reads a
    /// segment, whatever its size.
    pub fn space(&self) -> Result<Space> {
        let infos = self.list_segments()?;
        let prunable = infos.len().saturating_sub(1);
        Ok(Space {
            segments: infos.len() as u64,
            bytes: bytes(&infos),
            first_lsn: self.first_lsn(),
            last_lsn: self.last_lsn(),
            holds: held(self.holds(), &infos[..prunable]),
        })
    }
}

/// Each hold with what it keeps of these segments.
pub(crate) fn held(holds: &Holds, wanted: &[SegmentInfo]) -> Vec<Held> {
    let held = |(name, lsn)| {
        // Behind the last of them it keeps nothing, and `place` finds the last.
        let behind = wanted.last().is_none_or(|last| lsn > last.last_lsn);
        let kept = if behind { &[] } else { &wanted[place(wanted, lsn)..] };
        Held { name, lsn, bytes: bytes(kept) }
    };
    holds.listed().into_iter().map(held).collect()
}

/// Where among these segments, of which there is one, the one is that holds `lsn` or would.
pub(crate) fn place(infos: &[SegmentInfo], lsn: Lsn) -> usize {
    infos.partition_point(|info| info.first_lsn <= lsn).saturating_sub(1)
}

pub(crate) fn bytes(infos: &[SegmentInfo]) -> u64 {
    infos.iter().map(|info| info.bytes).sum()
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segments, bytes, first_lsn, last_lsn, holds } = self;
        if last_lsn < first_lsn {
            write!(f, "segments {segments}, bytes {bytes}, no records, LSN {first_lsn} is next")?;
        } else {
            write!(f, "segments {segments}, bytes {bytes}, LSN {first_lsn} to {last_lsn}")?;
        }
        holds.iter().try_for_each(|held| write!(f, "\n{held}"))
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, lsn, bytes } = self;
        write!(f, "held by {name:?} from LSN {lsn} on: bytes {bytes}")
    }
}
