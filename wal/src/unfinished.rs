//! The mark of a copy that is not finished: no log may be read from it.

use wal_core::format::{HEADER_LEN, Identity, Predecessor, SegmentHeader};
use wal_core::{Env, Epoch, Error, ErrorKind, LogId, Lsn, Result, SegmentId, SegmentStore};

/// Behind every segment that a copy will have.
const MARK: SegmentId = SegmentId::new(1 << 40);

/// Marks the empty store as one that is to hold every record through `last`, durably.
///
/// The mark is a segment that is not in force and says that it relied on that record, as a recovery
/// that a crash interrupted leaves it. Until the record is there every open, survey and
/// verification finds what is vouched for to be missing; once it is, the mark is a dead segment like
/// any other, and the next recovery removes it if nobody did before.
pub(crate) fn mark(store: &dyn SegmentStore, env: &dyn Env, log: LogId, last: Lsn) -> Result<()> {
    let io = |what, cause| Error::io(what, cause).segment(MARK);
    let mut header = SegmentHeader::new(log, MARK, Epoch::new(1), last.next(), env.random());
    header.created = env.now();
    header.carried = last.next();
    header.predecessor = Some(Predecessor {
        id: SegmentId::new(MARK.get() - 1),
        length: HEADER_LEN as u64,
        seal_len: 0,
        last_lsn: last,
        identity: Identity::new(1),
        since: SegmentId::new(MARK.get() - 1),
    });
    let made = store.create(MARK, HEADER_LEN as u64);
    let mut writer = made.map_err(|cause| io("marking the copy as unfinished failed", cause))?;
    let written = writer.append(&header.encode());
    written.map_err(|cause| io("marking the copy as unfinished failed", cause))?;
    writer.syncer().sync().map_err(|cause| {
        let failed = Error::new(ErrorKind::Io, "syncing the mark of an unfinished copy failed");
        failed.segment(MARK).because(cause)
    })
}

/// Takes the mark away, durably.
pub(crate) fn unmark(store: &dyn SegmentStore) -> Result<()> {
    let removed = store.remove(&[MARK]);
    removed.map_err(|cause| Error::io("removing the mark of an unfinished copy failed", cause))
}
