//! Whether a log has changed under a reader: what reads as damage then is none.
//!
//! A writer, in this process or in another one, prunes segments, uses their files again, cuts the end of
//! the log off, and, when it opens the log, goes on in a fresh segment that says how much of the one before
//! counts. It never asks readers. So a reader that finds something wrong, or the end, asks in turn.

use wal_core::{Error, ErrorKind, Lsn, Result, SegmentId, SegmentStore};

use crate::chain::listed;
use crate::scan::Scan;
use crate::segment::{Opened, Segment};
use crate::survey::inspect;

/// The error of a reader that came to the record `next` in a segment which is gone by now, if it is: the
/// record was pruned, or cut off.
pub(crate) fn gone(store: &dyn SegmentStore, segment: &Segment, next: Lsn) -> Option<Error> {
    if !segment.is_gone(store) {
        return None;
    }
    let error = if was_cut(store, next) {
        changed()
    } else {
        Error::new(ErrorKind::NotFound, "the segment was removed while it was read")
    };
    Some(error.segment(segment.header.id).lsn(next))
}

/// Whether this record, whose segment is gone, was not pruned: the log does not begin behind it.
pub(crate) fn was_cut(store: &dyn SegmentStore, lsn: Lsn) -> bool {
    inspect(store).ok().flatten().is_some_and(|survey| survey.chain.start.lsn <= lsn)
}

/// The log was cut, or recovered, while it was read.
pub(crate) fn changed() -> Error {
    Error::new(ErrorKind::Changed, "the log was cut, or opened anew, while it was read: look again")
}

/// What has become of the segment that was the newest when the reader came.
pub(crate) enum Newest {
    /// It still is.
    Still,
    /// This one follows it by now, and is in force.
    FollowedBy(Segment),
    /// It is not there any more, and none that follows it.
    Gone,
}

/// What has become of this segment, which was the newest when the reader came. A number is given to one segment
/// and never to another one, so one that is still listed is still there.
pub(crate) fn newest(store: &dyn SegmentStore, segment: &Segment) -> Result<Newest> {
    let present = listed(store)?;
    if let Some(next) = follower_among(store, segment, &present) {
        return Ok(Newest::FollowedBy(next));
    }
    let there = present.binary_search(&segment.header.id).is_ok();
    Ok(if there { Newest::Still } else { Newest::Gone })
}

/// The segment in force that follows this one by now, where it was the newest when the reader came.
pub(crate) fn follower(store: &dyn SegmentStore, segment: &Segment) -> Result<Option<Segment>> {
    Ok(follower_among(store, segment, &listed(store)?))
}

fn follower_among(
    store: &dyn SegmentStore,
    segment: &Segment,
    present: &[SegmentId],
) -> Option<Segment> {
    let above = present.partition_point(|&id| id <= segment.header.id);
    for &id in &present[above..] {
        // What is no segment, or gone again, is the survey's business.
        let Ok(Opened::Sound(other)) = Segment::open(store, id) else { continue };
        let follows = other.header.log == segment.header.log
            && other.header.predecessor.is_some_and(|before| {
                before.id == segment.header.id && before.identity == segment.identity
            });
        if follows && is_in_force(&other) {
            return Some(other);
        }
    }
    None
}

/// Whether the segment holds all that it was to carry.
fn is_in_force(segment: &Segment) -> bool {
    let carried = segment.header.carried;
    carried < segment.header.first_lsn
        || Scan::tail(segment, None).is_ok_and(|scan| scan.last_lsn >= carried)
}
