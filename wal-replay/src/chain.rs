//! [`Chain`]: the segments that make up a log, in order.

use wal_core::format::{HEADER_LEN, Identity, SegmentHeader, Start};
use wal_core::{Error, ErrorKind, Lsn, Result, SegmentId, SegmentStore};

use crate::segment::Segment;

/// The segments that make up a log, in order, and where it begins.
///
/// Numbers follow each other without a gap, except where a segment was cut off or a number was
/// spent on an attempt; there, and only there, the header behind the gap is read to see that nothing
/// is missing. So a chain costs the same however long the log is.
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
        let before = newest.predecessor.map_or(SegmentId::default(), |before| before.id);
        let belongs = |&id: &SegmentId| id >= start.segment && (id <= before || id == newest.id);
        let segments: Vec<_> = present.iter().copied().filter(belongs).collect();
        if segments.first() != Some(&start.segment) {
            return Err(missing(start.segment, start.lsn));
        }
        for pair in segments.windows(2) {
            let (before, id) = (pair[0], pair[1]);
            if before.next() == id {
                continue;
            }
            let header = if id == newest.id {
                newest.clone()
            } else {
                Segment::open_sound(store, id)?.header
            };
            match header.predecessor {
                Some(predecessor) if predecessor.id == before => {}
                Some(predecessor) => {
                    return Err(missing(predecessor.id, header.first_lsn.previous()));
                }
                None => return Err(missing(before.next(), header.first_lsn.previous())),
            }
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
