//! A copy that is not finished: its mark, and what becomes of its remains.

use wal_core::format::{HEADER_LEN, SegmentHeader};
use wal_core::{Error, ErrorKind, Result, SegmentId, SegmentStore};
use wal_replay::{CopyMark, survey};

/// Marks the empty store as one that is to hold a copy, durably: until the copy is whole, no log can be
/// read from it.
pub(crate) fn mark(store: &dyn SegmentStore, mark: &CopyMark) -> Result<()> {
    let io =
        |cause| Error::io("marking the copy as unfinished failed", cause).segment(CopyMark::ID);
    let mut writer = store.create(CopyMark::ID, HEADER_LEN as u64).map_err(io)?;
    writer.append(&mark.header().encode()).map_err(io)?;
    writer.syncer().sync().map_err(|cause| {
        let failed = Error::new(ErrorKind::Io, "syncing the mark of an unfinished copy failed");
        failed.segment(CopyMark::ID).because(cause)
    })
}

/// Takes the mark away, durably. Where it stays it is an obsolete segment.
pub(crate) fn unmark(store: &dyn SegmentStore) -> Result<()> {
    let removed = store.remove(&[CopyMark::ID]);
    removed.map_err(|cause| Error::io("removing the mark of an unfinished copy failed", cause))
}

/// Empties the store of a copy that was begun in it and never finished, which its mark proves: it goes
/// last. Whatever else is there is refused, and left as it is.
pub(crate) fn clear(store: &dyn SegmentStore) -> Result<()> {
    let there = store.list().map_err(|cause| Error::io("listing the segments failed", cause))?;
    let Some(&first) = there.first() else { return Ok(()) };
    let occupied = |id| {
        let what = "the store to copy into is not empty";
        Err(Error::new(ErrorKind::Invalid, what).segment(id))
    };
    let unfinished = |error: Error| error.at_segment() == Some(CopyMark::ID);
    let Some(mark) = CopyMark::of(store)? else { return occupied(first) };
    if !survey(store).is_err_and(unfinished) {
        return occupied(first);
    }
    let mut remains = Vec::new();
    for id in there.into_iter().filter(|&id| id != CopyMark::ID) {
        match header(store, id)? {
            Some(header) if header.id == id && header.log == mark.copy => remains.push(id),
            _ => return occupied(id),
        }
    }
    remains.push(CopyMark::ID);
    // First, while the mark is there: without the copy it would say that there was a log.
    blank_anchor(store)?;
    let removed = store.remove(&remains);
    removed.map_err(|cause| Error::io("removing the remains of an unfinished copy failed", cause))
}

/// Lets the anchor say nothing, durably, where there is one: it is of the copy that goes.
fn blank_anchor(store: &dyn SegmentStore) -> Result<()> {
    match store.read_anchor() {
        Ok(None) => return Ok(()),
        Ok(Some(bytes)) if bytes.is_empty() => return Ok(()),
        _ => {}
    }
    let blanked = store.write_anchor(&[]);
    blanked.map_err(|cause| Error::io("blanking the anchor of an unfinished copy failed", cause))
}

/// The header of a segment, if it is sound.
pub(crate) fn header(store: &dyn SegmentStore, id: SegmentId) -> Result<Option<SegmentHeader>> {
    let mut bytes = vec![0; HEADER_LEN];
    let read = store.open(id).and_then(|segment| segment.read_at(0, &mut bytes));
    let failed = |cause| Error::reading("reading a segment header failed", cause).segment(id);
    bytes.truncate(read.map_err(failed)?);
    Ok(SegmentHeader::decode(&bytes).ok())
}
