//! [`SegmentInfo`]: a segment in a few numbers.

use wal_core::format::{FrameKind, Predecessor};
use wal_core::{Lsn, Result, SegmentId, SegmentStore};

use crate::chain::{Chain, follows};
use crate::frames::{FrameReader, Step};
use crate::scan::sealed_end;
use crate::segment::Segment;

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
            let ended = sealed_end(newest)?.map(|seal| seal.header.timestamp);
            let last_lsn = last_lsn.max(newest.header.first_lsn.previous());
            infos.push(info(newest, last_lsn, ended, SegmentState::Open));
        }
        Ok(infos)
    }
}

/// A segment that another one follows.
fn followed(segment: &Segment, successor: &Segment) -> Result<SegmentInfo> {
    let last_lsn = successor.header.first_lsn.previous();
    let sealed = match successor.header.predecessor {
        Some(this) => sealed_at(segment, this)?,
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
