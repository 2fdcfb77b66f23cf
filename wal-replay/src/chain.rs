//! [`Chain`]: the segments that make up a log, in order.

use wal_core::format::{HEADER_LEN, Identity, SegmentHeader, Start};
use wal_core::{Error, ErrorKind, LogId, Lsn, Result, SegmentId, SegmentStore};

use crate::segment::Segment;
use crate::stranger::{other_log, prove};

/// The segments that make up a log, in order, and where it begins.
///
/// A header names the run of numbers that ends with its segment's predecessor, so that nothing in
/// the run need be read; at its beginning stands the header that names the run before. What lies
/// there besides is dead. So a chain costs the same however long the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chain {
    /// The segments, oldest first.
    pub segments: Vec<SegmentId>,
    /// The first record of the log.
    pub start: Start,
    /// The last record that surely counts, where this is the part of a damaged log before its
    /// [damage](crate::prefix); else [`Lsn::MAX`].
    pub until: Lsn,
}

impl Chain {
    /// The chain of a log that is open for writing, which knows its own start and its newest
    /// segment.
    pub fn of_live(store: &dyn SegmentStore, start: Start, newest: SegmentId) -> Result<Self> {
        let header = Segment::open_sound(store, newest)?.header;
        Self::new(store, &listed(store)?, start, &header)
    }

    /// The chain that ends with `newest`, out of `present`, whatever else is there.
    pub(crate) fn new(
        store: &dyn SegmentStore,
        present: &[SegmentId],
        start: Start,
        newest: &SegmentHeader,
    ) -> Result<Self> {
        let mut segments = vec![newest.id];
        let mut header = newest.clone();
        while header.id > start.segment {
            let Some(run) = header.predecessor.filter(|before| before.id >= start.segment) else {
                return Err(missing(start.segment, start.lsn));
            };
            let first = run.since.max(start.segment);
            let there = between(present, first, run.id);
            if there.len() as u64 != run.id.get() - first.get() + 1 {
                return Err(gap(store, there, run.id, &header));
            }
            segments.extend(there.iter().rev());
            if first == start.segment {
                break;
            }
            header = Segment::open_sound(store, first)?.header;
        }
        // Not so where a header or seal says that the log begins behind its end.
        if segments.last() != Some(&start.segment) {
            return Err(missing(start.segment, start.lsn));
        }
        segments.reverse();
        Ok(Self { segments, start, until: Lsn::MAX })
    }

    /// The first record that the segment at this place in [`segments`](Self::segments) holds or will
    /// hold.
    pub fn first_lsn_of(&self, store: &dyn SegmentStore, at: usize) -> Result<Lsn> {
        let Some(&id) = self.segments.get(at) else {
            return Err(Error::new(ErrorKind::Invalid, "the chain has no such segment"));
        };
        Ok(Segment::open_sound(store, id)?.header.first_lsn)
    }

    /// The first record of the segment at this place, which is proven to be the log's: the next one that can
    /// be told says which file follows, and where that one cannot, its own predecessor does. For a log that
    /// is to begin there. Another log's file, though its header is sound, is
    /// [`Corrupt`](ErrorKind::Corrupt).
    pub fn begins_at(&self, store: &dyn SegmentStore, at: usize) -> Result<Lsn> {
        let (Some(&id), Some(&newest)) = (self.segments.get(at), self.segments.last()) else {
            return Err(Error::new(ErrorKind::Invalid, "the chain has no such segment"));
        };
        let newest = Segment::open_sound(store, newest)?;
        let segment = Segment::open_sound(store, id)?;
        if segment.header.log != newest.header.log {
            return Err(other_log(&segment, newest.header.log).error);
        }
        let next = self.segments.get(at + 1).map(|&next| Segment::open_sound(store, next));
        match next {
            Some(Ok(next)) if next.header.log == newest.header.log => {
                follows(&segment.header, segment.identity, &next.header)?;
            }
            _ if at > 0 => follows_its_own(store, &segment, self.segments[at - 1])?,
            _ => {}
        }
        Ok(segment.header.first_lsn)
    }

    /// Which of these segments, by their places in [`segments`](Self::segments), are proven to be the log's
    /// own, so that they may be removed once they are pruned or cut off, and why others are not. Costs a
    /// header a segment.
    pub fn removable(
        &self,
        store: &dyn SegmentStore,
        range: std::ops::Range<usize>,
    ) -> Result<Removable> {
        let newest = self.segments.last().copied().unwrap_or_default();
        let log = Segment::open_sound(store, newest)?.header.log;
        let mut identity = match self.segments.get(range.end) {
            Some(&next) => named_by(store, log, next),
            None => None,
        };
        let mut found = Removable::default();
        for &id in self.segments.get(range).unwrap_or(&[]).iter().rev() {
            match prove(store, log, id, identity.filter(|before| before.0 == id).map(|it| it.1)) {
                Ok(damage) => {
                    found.proven.push(id);
                    found.damaged.extend(damage);
                }
                Err(error) if error.kind() == ErrorKind::Io => found.unreadable.push(error),
                Err(error) => found.strange.push(error),
            }
            identity = named_by(store, log, id);
        }
        found.proven.reverse();
        Ok(found)
    }

    /// Whether this header, if it is the first segment's, says the same of the log's beginning.
    pub(crate) fn check_start(&self, header: &SegmentHeader) -> Result<()> {
        if header.id != self.start.segment || header.first_lsn == self.start.lsn {
            return Ok(());
        }
        let what = "the log's start is not the first record of its segment";
        Err(Error::new(ErrorKind::Corrupt, what).segment(header.id).lsn(self.start.lsn))
    }

    /// The place in [`segments`](Self::segments) of the one that holds `lsn`, or would.
    pub fn find(&self, store: &dyn SegmentStore, lsn: Lsn) -> Result<usize> {
        // The last segment whose first record is not behind `lsn`: O(log n) headers.
        let (mut low, mut high) = (0, self.segments.len());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let header = Segment::open_sound(store, self.segments[middle])?.header;
            if header.first_lsn <= lsn { low = middle } else { high = middle }
        }
        Ok(low)
    }

    /// As [`find`](Self::find), past headers that are damaged or cannot be read: where it is one of these
    /// that holds `lsn`, this is the place of a segment before them. For pruning, which may keep more, and
    /// for reading, which comes to the damage; never for cutting.
    pub fn find_past_damage(&self, store: &dyn SegmentStore, lsn: Lsn) -> Result<usize> {
        // The last segment whose first record is not behind `lsn`: O(log n) headers.
        let (mut low, mut high) = (0, self.segments.len());
        let Some(&newest) = self.segments.last() else { return Ok(0) };
        let log = Segment::open_sound(store, newest).map(|newest| newest.header.log).ok();
        // Another log's header says nothing of this one.
        let is_other = |header: &SegmentHeader| log.is_some_and(|log| header.log != log);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let mut at = middle;
            // The next one that can be read, if any can before `high`.
            let first = loop {
                match Segment::open_sound(store, self.segments[at]) {
                    Ok(segment) if is_other(&segment.header) => {
                        if at + 1 == high {
                            break None;
                        }
                        at += 1;
                    }
                    Ok(segment) => break Some(segment.header.first_lsn),
                    Err(error) if is_damage(&error) && at + 1 < high => at += 1,
                    Err(error) if is_damage(&error) => break None,
                    Err(error) => return Err(error),
                }
            };
            if first.is_some_and(|first| first <= lsn) { low = at } else { high = middle }
        }
        Ok(low)
    }
}

/// What [`Chain::removable`] found of the segments that it was asked about.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Removable {
    /// Those that are proven to be the log's own, oldest first.
    pub proven: Vec<SegmentId>,
    /// What is wrong with the header of some of these, of which their first frame is the proof.
    pub damaged: Vec<Error>,
    /// Why others cannot be read: they may be removed once they can.
    pub unreadable: Vec<Error>,
    /// Why what has the name of others is not proven to be the log's.
    pub strange: Vec<Error>,
}

/// Checks that a segment whose successor cannot be told follows the one before it, where that one can be:
/// a file of another time of this log, as of a copy that went its own way, has the log's identity, too.
pub(crate) fn follows_its_own(
    store: &dyn SegmentStore,
    segment: &Segment,
    before: SegmentId,
) -> Result<()> {
    match Segment::open_sound(store, before) {
        Ok(before) => follows(&before.header, before.identity, &segment.header),
        Err(error) if is_damage(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether this says that what is there is damaged, or cannot be read.
pub(crate) fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Io)
}

/// The predecessor that the segment of this number names, by its number and its identity.
fn named_by(store: &dyn SegmentStore, log: LogId, id: SegmentId) -> Option<(SegmentId, Identity)> {
    let segment = Segment::open_sound(store, id).ok().filter(|it| it.header.log == log)?;
    segment.header.predecessor.map(|before| (before.id, before.identity))
}

/// Those of these numbers, which ascend, that are in the run.
fn between(present: &[SegmentId], first: SegmentId, last: SegmentId) -> &[SegmentId] {
    let from = present.partition_point(|&id| id < first);
    let to = present.partition_point(|&id| id <= last);
    &present[from..to]
}

/// What is missing of the run of numbers that ends with `last`, the predecessor in `header`, and of
/// which these are there.
fn gap(
    store: &dyn SegmentStore,
    there: &[SegmentId],
    last: SegmentId,
    header: &SegmentHeader,
) -> Error {
    let (mut id, mut above) = (last, None);
    for &other in there.iter().rev() {
        if other != id {
            break;
        }
        above = Some(other);
        id = SegmentId::new(id.get() - 1);
    }
    match above.map(|above| Segment::open_sound(store, above)) {
        None => missing_through(id, header.first_lsn.previous()),
        Some(Ok(above)) => missing_through(id, above.header.first_lsn.previous()),
        Some(Err(error)) => error,
    }
}

/// The segments in the store; what it keeps under numbers of its own is none.
pub(crate) fn listed(store: &dyn SegmentStore) -> Result<Vec<SegmentId>> {
    let mut listed =
        store.list().map_err(|cause| Error::io("listing the segments failed", cause))?;
    listed.retain(|id| id.is_of_log());
    Ok(listed)
}

/// Checks that `successor` follows `segment`, and not another one of that number.
pub(crate) fn follows(
    segment: &SegmentHeader,
    identity: Identity,
    successor: &SegmentHeader,
) -> Result<()> {
    let wrong = |what| {
        Err(Error::new(ErrorKind::Corrupt, what).segment(successor.id).lsn(successor.first_lsn))
    };
    match successor.predecessor {
        Some(before) if before.id != segment.id => {
            Err(missing_through(before.id, successor.first_lsn.previous()))
        }
        Some(before) if before.identity != identity || successor.log != segment.log => {
            wrong("segment follows another file than the one of that number")
        }
        Some(before) if before.length < HEADER_LEN as u64 => wrong("segment header makes no sense"),
        Some(_) => Ok(()),
        None => wrong("segment begins a log of its own"),
    }
}

/// The log begins in a segment that is not there, with this record.
fn missing(id: SegmentId, first: Lsn) -> Error {
    Error::new(ErrorKind::Corrupt, "segment is missing").segment(id).lsn(first)
}

/// What follows this segment begins behind this record, and it is not there.
fn missing_through(id: SegmentId, last: Lsn) -> Error {
    let what = "segment is missing, and its records through this one";
    Error::new(ErrorKind::Corrupt, what).segment(id).lsn(last)
}
