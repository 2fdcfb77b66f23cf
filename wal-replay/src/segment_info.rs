//! [`SegmentInfo`]: a segment in a few numbers.

use wal_core::format::{FrameKind, Predecessor};
use wal_core::{Lsn, Result, SegmentId, SegmentStore};

use crate::chain::{Chain, follows, follows_its_own, is_damage};
use crate::frames::{FrameReader, Step};
use crate::scan::{if_readable, sealed_end};
use crate::segment::Segment;
use crate::stranger::other_log;

/// A segment of a log, in a few numbers; from [`Chain::list`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentInfo {
    /// Its number.
    pub id: SegmentId,
    /// The first record that it holds or will hold.
    pub first_lsn: Lsn,
    /// The last record that it holds; one less than the first where there is none.
    pub last_lsn: Lsn,
    /// Bytes that it takes up, prepared space included.
    pub bytes: u64,
    /// When it was made, in nanoseconds since the Unix epoch by the writer's clock.
    pub created: u64,
    /// When it had ended at the latest, in the same way: as its seal says, or, where it has none,
    /// when the next segment was made. `None` while it is open.
    pub ended: Option<u64>,
    /// How it ends.
    pub state: SegmentState,
}

/// How a segment of a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SegmentState {
    /// Not yet: it is the newest one and being written, or was when its writer died.
    Open,
    /// With a seal: rotation or a clean close.
    Sealed,
    /// Where the next segment says, without a seal: after a crash, a truncation or a full disk.
    Cut,
}

impl Chain {
    /// All segments, oldest first, by their headers and seals: some reads a segment, whatever its
    /// size. `last_lsn` is the last record of the log, which an open segment does not say of itself.
    pub fn list(&self, store: &dyn SegmentStore, last_lsn: Lsn) -> Result<Vec<SegmentInfo>> {
        let mut infos = Vec::with_capacity(self.segments.len());
        let mut before: Option<Segment> = None;
        for &id in &self.segments {
            let segment = Segment::open_sound(store, id)?;
            if let Some(before) = &before {
                follows(&before.header, before.identity, &segment.header)?;
                infos.push(followed(before, &segment)?);
            }
            before = Some(segment);
        }
        if let Some(newest) = &before {
            let ended = if_readable(sealed_end(newest))?.map(|seal| seal.header.timestamp);
            let last_lsn = last_lsn.max(newest.header.first_lsn.previous());
            infos.push(info(newest, last_lsn, ended, SegmentState::Open));
        }
        Ok(infos)
    }
}

impl Chain {
    /// As [`list`](Self::list), past damage: for a caller that wants to delete old segments, whatever has
    /// become of them. Of a segment whose header is damaged, cannot be read or is not the log's, the size
    /// alone is known; it is listed as without records before those of the next one, and as old as that.
    ///
    /// The newest must be sound.
    pub fn list_past_damage(&self, store: &dyn SegmentStore, last_lsn: Lsn) -> Result<PastDamage> {
        let Some((&newest, older)) = self.segments.split_last() else {
            return Ok(PastDamage::default());
        };
        let newest = Segment::open_sound(store, newest)?;
        let ended = if_readable(sealed_end(&newest))?.map(|seal| seal.header.timestamp);
        let last_lsn = last_lsn.max(newest.header.first_lsn.previous());
        let mut found = PastDamage::default();
        found.segments.push(info(&newest, last_lsn, ended, SegmentState::Open));
        // The next one that can be told, and whether it is the next of all.
        let (mut next, mut adjacent) = (newest, true);
        for (at, &id) in older.iter().enumerate().rev() {
            let told = Segment::open_sound(store, id).and_then(|segment| {
                if adjacent {
                    follows(&segment.header, segment.identity, &next.header)?;
                } else if segment.header.log != next.header.log {
                    return Err(other_log(&segment, next.header.log).error);
                } else if let Some(&before) = at.checked_sub(1).and_then(|at| older.get(at)) {
                    follows_its_own(store, &segment, before)?;
                }
                Ok(segment)
            });
            let segment = match told {
                Ok(segment) => segment,
                Err(error) if is_damage(&error) => {
                    found.segments.push(untold(store, id, &next));
                    found.untold.push(at);
                    adjacent = false;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let sealed = if adjacent { followed(&segment, &next).ok() } else { None };
            found.segments.push(sealed.unwrap_or_else(|| {
                let last_lsn = next.header.first_lsn.previous();
                info(&segment, last_lsn, Some(next.header.created), SegmentState::Cut)
            }));
            (next, adjacent) = (segment, true);
        }
        found.segments.reverse();
        Ok(found)
    }
}

/// The segments of a log that may be damaged; from [`Chain::list_past_damage`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PastDamage {
    /// All of them, oldest first.
    pub segments: Vec<SegmentInfo>,
    /// The places among these of those that could not be told.
    pub untold: Vec<usize>,
}

impl PastDamage {
    /// The place of the last segment through this one that could be told, so that a log can begin with
    /// it: what cannot be told does not say with which record.
    pub fn told_at(&self, at: usize) -> usize {
        (0..=at).rev().find(|at| !self.untold.contains(at)).unwrap_or_default()
    }
}

/// What is known of a segment that is not to be told, by the next one that is.
fn untold(store: &dyn SegmentStore, id: SegmentId, next: &Segment) -> SegmentInfo {
    let first_lsn = next.header.first_lsn;
    SegmentInfo {
        id,
        first_lsn,
        last_lsn: first_lsn.previous(),
        bytes: store.open(id).and_then(|segment| segment.size()).unwrap_or_default(),
        created: next.header.created,
        ended: Some(next.header.created),
        state: SegmentState::Cut,
    }
}

/// A segment that another one follows.
fn followed(segment: &Segment, successor: &Segment) -> Result<SegmentInfo> {
    let last_lsn = successor.header.first_lsn.previous();
    let sealed = match successor.header.predecessor {
        Some(this) => if_readable(sealed_at(segment, this))?,
        None => None,
    };
    let mut info = info(segment, last_lsn, sealed, SegmentState::Cut);
    info.ended = info.ended.or(Some(successor.header.created));
    Ok(info)
}

/// When the seal was written that the next segment knows of.
fn sealed_at(segment: &Segment, this: Predecessor) -> Result<Option<u64>> {
    if this.seal_len == 0 {
        return Ok(None);
    }
    let mut frames = FrameReader::new(this.length, this.length + this.seal_len);
    Ok(match frames.step(segment)? {
        Step::Frame(frame) if frame.header.kind == FrameKind::Seal => Some(frame.header.timestamp),
        _ => None,
    })
}

fn info(
    segment: &Segment,
    last_lsn: Lsn,
    sealed: Option<u64>,
    unsealed: SegmentState,
) -> SegmentInfo {
    SegmentInfo {
        id: segment.header.id,
        first_lsn: segment.header.first_lsn,
        last_lsn,
        bytes: segment.size,
        created: segment.header.created,
        ended: sealed,
        state: if sealed.is_some() { SegmentState::Sealed } else { unsealed },
    }
}
