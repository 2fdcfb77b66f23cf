//! Reading one record, one segment, or from a place; and the list of segments.

use std::sync::Arc;

use wal_core::{Entry, Error, ErrorKind, Lsn, Position, Result, SegmentId};
use wal_replay::{Chain, Cursor, SegmentInfo, Until};

use crate::Wal;
use crate::log::Parts;

/// Bytes read at a time for one record: as far as frames in a seal's index are apart.
const LOOKUP: u64 = 64 * 1024;

impl Wal {
    /// The record with this LSN, once it is acknowledged; `None` before that.
    ///
    /// Finds the segment by a binary search over headers, and the frame by the seal's index, or, in
    /// a segment without a seal, by a binary search over its bytes. A record that was pruned is
    /// [`NotFound`](ErrorKind::NotFound).
    pub fn get(&self, lsn: Lsn) -> Result<Option<Entry>> {
        let Parts { store, transforms, .. } = self.parts();
        if lsn == Lsn::ZERO {
            return Ok(None);
        }
        if lsn < self.first_lsn() {
            return Err(Error::new(ErrorKind::NotFound, "the record was pruned").lsn(lsn));
        }
        let entry = self.over_chain(|chain, last| {
            if lsn > last {
                return Ok(None);
            }
            let until = Until::Lsn(lsn);
            let cursor = Cursor::new(Arc::clone(store), transforms.clone(), chain, lsn, until)?;
            cursor.read_ahead(LOOKUP).next().transpose()
        })?;
        Ok(entry.flatten())
    }

    /// The entries from the first record of the frame at `position` on, as
    /// [`Entry::position`](Entry) names it, through the last one acknowledged at the time of the
    /// call. The frame is verified before this returns.
    ///
    /// - [`NotFound`](ErrorKind::NotFound): the segment was pruned, cut off or never written, or it
    ///   ends before that position.
    /// - [`Invalid`](ErrorKind::Invalid): no frame with records begins there. One whose header is
    ///   damaged looks the same; [`Reader::verify`](crate::Reader::verify) tells.
    /// - [`Corrupt`](ErrorKind::Corrupt): one does, and its body is damaged.
    pub fn read_at(&self, position: Position) -> Result<Cursor> {
        let Parts { store, transforms, .. } = self.parts();
        let cursor = self.over_chain(|chain, last| {
            let (until, seen) = (Until::Lsn(last), self.truncations());
            let cursor = Cursor::at(Arc::clone(store), transforms.clone(), chain, position, until)?;
            Ok(cursor.watching(self.cuts(), seen))
        })?;
        cursor.ok_or_else(|| unknown(position.segment))
    }

    /// The entries of one segment, through the last one acknowledged at the time of the call.
    ///
    /// [`NotFound`](ErrorKind::NotFound): it was pruned, cut off or never written.
    pub fn read_segment(&self, id: SegmentId) -> Result<Cursor> {
        let Parts { store, transforms, .. } = self.parts();
        let cursor = self.over_chain(|chain, last| {
            let Ok(at) = chain.segments.binary_search(&id) else { return Err(unknown(id)) };
            let first = chain.first_lsn_of(&**store, at)?;
            let last = match chain.segments.get(at + 1) {
                Some(_) => chain.first_lsn_of(&**store, at + 1)?.previous().min(last),
                None => last,
            };
            let (until, seen) = (Until::Lsn(last), self.truncations());
            let cursor = Cursor::new(Arc::clone(store), transforms.clone(), chain, first, until)?;
            Ok(cursor.watching(self.cuts(), seen))
        })?;
        cursor.ok_or_else(|| unknown(id))
    }

    /// All segments, oldest first. Some reads a segment, whatever its size; what is not acknowledged
    /// yet does not count for the newest one's last record.
    pub fn list_segments(&self) -> Result<Vec<SegmentInfo>> {
        let store = &self.parts().store;
        let list = |chain: &Chain, last| chain.list(&**store, last);
        Ok(self.over_chain(list)?.unwrap_or_default())
    }

    /// The segment being written; `None` before the first write since the log was opened.
    pub fn current_segment_id(&self) -> Option<SegmentId> {
        self.current_segment().map(|(id, _)| id)
    }

    /// Bytes written to the segment that is being written, its header included; 0 where there is
    /// none. What it takes up with its prepared space is [`SegmentInfo::bytes`].
    pub fn current_segment_size(&self) -> u64 {
        self.current_segment().map_or(0, |(_, bytes)| bytes)
    }
}

pub(crate) fn unknown(id: SegmentId) -> Error {
    Error::new(ErrorKind::NotFound, "the segment is no part of the log").segment(id)
}
