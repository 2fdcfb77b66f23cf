//! [`prune_first`]: making room on a disk that is too full for a recovery.

use wal_core::format::{Anchor, Start};
use wal_core::{Error, ErrorKind, Result, SegmentStore};

use crate::anchor;
use crate::chain::listed;
use crate::damaged::Damaged;
use crate::recovery::remove;
use crate::segment_info::SegmentInfo;
use crate::survey::{Looked, look};

/// What [`prune_first`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunedFirst {
    /// Segments that went.
    pub segments: u64,
    /// Bytes that they took up.
    pub bytes: u64,
    /// What was wrong with segments that the log does not begin before any more, by their headers.
    pub damaged: Vec<Damaged>,
}

/// Prunes a log that was not recovered, since the disk has no room for what a recovery makes:
/// `goes` is given the log's segments, oldest first, and says how many of them are to go; the newest
/// stays in any case. The caller holds the store's lock, and [recovers](crate::recover) the log
/// afterwards.
///
/// The order: the log's anchor says, durably, that the log begins later, which takes no space; then
/// the segments before that go, each proven by its header to be this log's. A crash in between leaves
/// a log that begins later, and what is before that goes with the next open. What is in doubt is all
/// in the newest segment, and so nothing is pruned on the word of what may not be durable.
///
/// # Errors
///
/// Those of a recovery; [`StorageFull`](ErrorKind::StorageFull) where the log has no anchor, as one
/// of an older version.
pub fn prune_first(
    store: &dyn SegmentStore,
    goes: impl FnOnce(&[SegmentInfo]) -> usize,
) -> Result<PrunedFirst> {
    let known = anchor::read(store)?;
    let present = listed(store)?;
    let Looked::Log(survey, _) = look(store, &present, known.as_ref())? else {
        return Ok(PrunedFirst::default());
    };
    survey.check()?;
    survey.check_predecessor(store)?;
    let chain = &survey.chain;
    let listed = chain.list_past_damage(store, survey.last_lsn())?;
    let infos = &listed.segments;
    // A segment that holds nothing may be in the page cache alone, and what it says with it: then the
    // one before stays, too, which is the newest where this one goes. So it does where what the newest
    // carries over may be in the page cache alone: that one has the durable copy.
    let settled = survey.proven() && survey.tail.doubt_lsn >= survey.newest.carried;
    let stay = if settled { 1 } else { 2 };
    let at = listed.told_at(goes(infos).min(infos.len().saturating_sub(stay)));
    if at == 0 {
        return Ok(PrunedFirst::default());
    }
    let start = Start { segment: infos[at].id, lsn: infos[at].first_lsn };
    let last = &infos[infos.len() - stay];
    let (mut newest, mut last_lsn) = (last.id, last.first_lsn.previous());
    let mut of_newest = (last.first_lsn, 0);
    if let Some(known) = known {
        // Of a segment that came after it the anchor knew nothing, and it vouches for no frame of that one.
        (newest, last_lsn) = (start.segment.max(known.newest), last_lsn.max(known.last_lsn));
        of_newest = known.knows_of(newest);
    }
    let told = Anchor::new(survey.newest.log, newest, last_lsn, start);
    let told = told.of_newest(of_newest.0, of_newest.1);
    anchor::write(store, &told)?;
    let found = chain.removable(store, 0..at)?;
    let left = remove(store, found.proven.clone());
    if let Some(error) = left_alone(&found.strange) {
        return Err(error);
    }
    let went = |id| found.proven.contains(id) && !left.contains(id);
    let gone = infos[..at].iter().filter(|info| went(&info.id));
    let (segments, bytes) =
        gone.fold((0, 0), |(segments, bytes), info| (segments + 1, bytes + info.bytes));
    let mut damaged = Vec::new();
    found.tell(&mut damaged);
    Ok(PrunedFirst { segments, bytes, damaged })
}

/// Segments were pruned, and what has their names is not known to be this log's: that, if there are any.
/// The error is at the oldest and names all of them.
pub fn left_alone(strange: &[Error]) -> Option<Error> {
    let oldest = strange.iter().min_by_key(|error| error.at_segment())?;
    let mut ids: Vec<_> = strange.iter().filter_map(Error::at_segment).collect();
    ids.sort_unstable();
    let others: Vec<_> = ids.iter().skip(1).map(ToString::to_string).collect();
    let and = if others.is_empty() {
        String::new()
    } else {
        format!("; also segments {}", others.join(", "))
    };
    let what = format!(
        "the log begins later now, and what has the name of a pruned segment was left there, since it \
         is not proven to be this log's; move it away: {}{and}",
        oldest.what()
    );
    let told = Error::new(ErrorKind::Corrupt, what).because(oldest.clone());
    Some(match oldest.at_segment() {
        Some(segment) => told.segment(segment),
        None => told,
    })
}
