//! [`Chain`]: the segments that make up a log, in order.

use wal_core::format::{HEADER_LEN, Identity, SegmentHeader, Start};
use wal_core::{Error, ErrorKind, Lsn, Result, SegmentId, SegmentStore};

use crate::segment::Segment;

/// The segments that make up a log, in order, and where it begins.
///
/// The number below a segment's own is its predecessor's or nobody's
/// ([`segment_number`](wal_core::format::segment_number)): where it is there, it is the link, and
/// nothing is read. Behind a gap, left by what was cut off or by an attempt that failed, the header
/// names the predecessor; what lies between is dead. So a chain costs the same however long the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chain {
    /// The segments, oldest first.
    pub segments: Vec<SegmentId>,
    /// The first record of the log.
    pub start: Start,
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
        let mut first = newest.id;
        while first > start.segment {
            first = match below(present, first) {
                Some(below) if below.next() == first => below,
                _ if first == newest.id => linked(present, newest)?,
                _ => linked(present, &Segment::open_sound(store, first)?.header)?,
            };
            segments.push(first);
        }
        segments.reverse();
        if first != start.segment || !present.contains(&first) {
            return Err(missing(start.segment, start.lsn));
        }
        Ok(Self { segments, start })
    }

    /// Where the log would begin if everything before `lsn` were pruned, a segment at a time.
    pub fn start_at(&self, store: &dyn SegmentStore, lsn: Lsn) -> Result<Start> {
        let at = self.find(store, lsn)?;
        if at == 0 {
            return Ok(self.start);
        }
        let header = Segment::open_sound(store, self.segments[at])?.header;
        Ok(Start { segment: header.id, lsn: header.first_lsn })
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
    pub(crate) fn find(&self, store: &dyn SegmentStore, lsn: Lsn) -> Result<usize> {
        // The last segment whose first record is not behind `lsn`: O(log n) headers.
        let (mut low, mut high) = (0, self.segments.len());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let header = Segment::open_sound(store, self.segments[middle])?.header;
            if header.first_lsn <= lsn { low = middle } else { high = middle }
        }
        Ok(low)
    }
}

/// The highest number below this one.
fn below(present: &[SegmentId], id: SegmentId) -> Option<SegmentId> {
    let at = present.partition_point(|&other| other < id);
    at.checked_sub(1).map(|at| present[at])
}

/// The segment that this header names as the one before.
fn linked(present: &[SegmentId], header: &SegmentHeader) -> Result<SegmentId> {
    match header.predecessor {
        Some(before) if present.binary_search(&before.id).is_ok() => Ok(before.id),
        Some(before) => Err(missing(before.id, header.first_lsn.previous())),
        None => {
            let what = "segment begins a log of its own";
            Err(Error::new(ErrorKind::Corrupt, what).segment(header.id).lsn(header.first_lsn))
        }
    }
}

/// The segments in the store.
pub(crate) fn listed(store: &dyn SegmentStore) -> Result<Vec<SegmentId>> {
    store.list().map_err(|cause| Error::io("listing the segments failed", cause))
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
            Err(missing(before.id, successor.first_lsn.previous()))
        }
        Some(before) if before.identity != identity || successor.log != segment.log => {
            wrong("segment follows another file than the one of that number")
        }
        Some(before) if before.length < HEADER_LEN as u64 => wrong("segment header makes no sense"),
        Some(_) => Ok(()),
        None => wrong("segment begins a log of its own"),
    }
}

fn missing(id: SegmentId, lsn: Lsn) -> Error {
    Error::new(ErrorKind::Corrupt, "segment is missing").segment(id).lsn(lsn)
}
