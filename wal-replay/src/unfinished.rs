//! [`CopyMark`]: what stands in a copy of a log until it is whole.

use wal_core::format::{HEADER_LEN, Identity, Predecessor, SegmentHeader};
use wal_core::{Epoch, Error, ErrorKind, LogId, Lsn, Result, SegmentId, SegmentStore};

use crate::segment::{Opened, Segment};

/// What stands in a copy of a log until it is whole: a segment of a number far behind all that the copy
/// will have, which is never in force and says that it relied on the copy's last record. So every open,
/// survey and verification of the copy finds a record missing; once that is there, the mark is as
/// obsolete as any segment that was cut off.
///
/// Its salt and its time, which mean nothing in it, name the log that is being copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyMark {
    /// The log that is being copied.
    pub source: LogId,
    /// The identity of the copy, which every segment of it carries.
    pub copy: LogId,
    /// The last record that the copy will have.
    pub last_lsn: Lsn,
}

impl CopyMark {
    /// The number of the segment.
    pub const ID: SegmentId = SegmentId::new(1 << 40);

    /// What no segment has as its predecessor's identity, number and length.
    const BEFORE: (Identity, SegmentId) = (Identity::new(1), SegmentId::new(Self::ID.get() - 1));

    /// The mark, as the header of its segment.
    pub fn header(&self) -> SegmentHeader {
        let Self { source, copy, last_lsn } = *self;
        let (salt, created) = halves(source);
        let next = last_lsn.next();
        let mut header = SegmentHeader::new(copy, Self::ID, Epoch::new(1), next, salt);
        header.created = created;
        header.carried = next;
        let (identity, id) = Self::BEFORE;
        header.predecessor = Some(Predecessor {
            id,
            length: HEADER_LEN as u64,
            seal_len: 0,
            last_lsn,
            identity,
            since: id,
        });
        header
    }

    /// The mark that this header is, if it is one.
    pub fn read(header: &SegmentHeader) -> Option<Self> {
        let before = header.predecessor?;
        let is_it = header.id == Self::ID
            && (before.identity, before.id) == Self::BEFORE
            && before.length == HEADER_LEN as u64
            && header.carried == before.last_lsn.next();
        let mut source = [0; 16];
        source[..8].copy_from_slice(&header.salt.to_le_bytes());
        source[8..].copy_from_slice(&header.created.to_le_bytes());
        let (source, copy, last_lsn) = (LogId(source), header.log, before.last_lsn);
        is_it.then_some(Self { source, copy, last_lsn })
    }

    /// The mark in this store, if it has one.
    pub fn of(store: &dyn SegmentStore) -> Result<Option<Self>> {
        match Segment::open(store, Self::ID) {
            Ok(Opened::Sound(segment)) => Ok(Self::read(&segment.header)),
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What every reader of the copy says.
    pub fn error(&self) -> Error {
        let Self { source, last_lsn, .. } = self;
        let what = format!(
            "an unfinished copy of log {source} through LSN {last_lsn}: delete it and begin again"
        );
        Error::new(ErrorKind::Corrupt, what).segment(Self::ID).lsn(*last_lsn)
    }
}

fn halves(log: LogId) -> (u64, u64) {
    let mut halves = [[0; 8]; 2];
    halves[0].copy_from_slice(&log.0[..8]);
    halves[1].copy_from_slice(&log.0[8..]);
    (u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_from_its_bytes_and_nothing_else_is_one() {
        let mark = CopyMark { source: LogId([3; 16]), copy: LogId([4; 16]), last_lsn: Lsn::new(9) };
        let header = SegmentHeader::decode(&mark.header().encode()).unwrap();
        assert_eq!(CopyMark::read(&header), Some(mark));
        let mut other = mark.header();
        other.carried = Lsn::ZERO;
        assert_eq!(CopyMark::read(&other), None);
        let other = SegmentHeader::new(mark.copy, CopyMark::ID, Epoch::new(1), Lsn::FIRST, 7);
        assert_eq!(CopyMark::read(&other), None);
    }
}
