//! The anchor of a log: read before its segments are listed, and written behind what it says.
//!
//! The order is what makes it true. It is *read first*: a writer that goes on meanwhile makes the
//! log longer than the anchor says, never shorter, and one that truncates has lowered it before it
//! cut anything. It is *written last*: it names a segment and a record that are durable when it is
//! written, and the numbers of segments only grow, so an old anchor stays true for as long as nothing
//! is cut off. So a renewal that fails does no harm, but for two: the lowering before a truncation,
//! and a start that is recorded here alone.

use wal_core::format::{Anchor, AnchorFault, Start};
use wal_core::{Error, ErrorKind, Fenced, Lsn, Result, SegmentStore};

/// What to do about an anchor that is wrong, for a person.
pub(crate) const REMEDY: &str = "if an older copy of the log was put here on purpose, remove the \
                                 file ANCHOR";

/// The anchor in the store; `None` where nothing is known.
pub(crate) fn read(store: &dyn SegmentStore) -> Result<Option<Anchor>> {
    let damaged = || {
        let what = format!("the anchor, which says where the log ends, is damaged ({REMEDY})");
        Error::new(ErrorKind::Corrupt, what)
    };
    let bytes = match store.read_anchor() {
        Ok(None) => return Ok(None),
        // Blanked: what it said was of a copy that was begun again.
        Ok(Some(bytes)) if bytes.is_empty() => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(cause) if cause.kind() == std::io::ErrorKind::InvalidData => {
            return Err(damaged().because(cause));
        }
        Err(cause) => return Err(Error::io("reading the log's anchor failed", cause)),
    };
    match Anchor::decode(&bytes) {
        Ok(anchor) => Ok(Some(anchor)),
        Err(AnchorFault::Version(version)) => {
            let what = format!("anchor version {version} is newer than this build knows");
            Err(Error::new(ErrorKind::Unsupported, what))
        }
        Err(_) => Err(damaged()),
    }
}

/// Writes an anchor that something relies on.
pub(crate) fn write(store: &dyn SegmentStore, anchor: &Anchor) -> Result<()> {
    let written = store.write_anchor(&anchor.encode());
    written.map_err(|cause| Error::io("writing the log's anchor failed", cause))
}

/// Writes an anchor that only says more than the one before. What fails is let be, since the one
/// before stays true; not so where the writer's place was taken.
pub(crate) fn renew(store: &dyn SegmentStore, anchor: &Anchor) -> Result<()> {
    match store.write_anchor(&anchor.encode()) {
        Err(cause) if Fenced::is_source_of(&cause) => {
            Err(Error::io("writing the log's anchor failed", cause))
        }
        _ => Ok(()),
    }
}

/// The later of the two: what is before either start is pruned.
pub(crate) fn later(one: Start, other: Start) -> Start {
    if (other.lsn, other.segment) > (one.lsn, one.segment) { other } else { one }
}

/// The log ends before what its anchor says, or is not there at all.
pub(crate) fn vanished(anchor: &Anchor, found: Option<Lsn>) -> Error {
    let Anchor { log, last_lsn, .. } = anchor;
    let what = match found {
        None => format!("no segment of log {log} is there, and there was one ({REMEDY})"),
        Some(end) if end < *last_lsn => format!(
            "the end of the log is missing: it ends with LSN {end}, and was durable through LSN \
             {last_lsn} ({REMEDY})"
        ),
        Some(end) => format!(
            "the newest segment of the log is missing, and what was written there behind LSN {end} \
             with it ({REMEDY})"
        ),
    };
    Error::new(ErrorKind::Corrupt, what).segment(anchor.newest).lsn(*last_lsn)
}
