//! [`Stranger`]: what has the name of a segment and is no sound segment of the log.

use wal_core::format::{FrameHeader, HEADER_LEN, Identity};
use wal_core::{Error, ErrorKind, LogId, Result, SegmentId, SegmentStore};

use crate::segment::{Opened, Segment};

/// What has the name of a segment and is no sound segment of the log: another log's, an empty one,
/// anything. It is left where it is. Nothing says how it came there, and it may be the only copy of
/// something.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stranger {
    /// The number that its name says.
    pub id: SegmentId,
    /// What is wrong with it: [`Corrupt`](ErrorKind::Corrupt);
    /// [`Unsupported`](ErrorKind::Unsupported) where a newer version wrote it; else it could not be
    /// read, and nobody knows what it is.
    pub error: Error,
    garbled: bool,
}

impl Stranger {
    pub(crate) fn new(id: SegmentId, error: Error) -> Self {
        Self { id, error, garbled: false }
    }

    /// A segment that never came to be, most likely: the log opens beside it, and leaves it alone.
    pub(crate) fn garbled(id: SegmentId) -> Self {
        let what = "what has the name of this segment is none; it is left where it is";
        let error = Error::new(ErrorKind::Corrupt, what).segment(id).offset(0);
        Self { id, error, garbled: true }
    }

    /// Whether it can be what a crash left of a segment that was being made, in a store whose
    /// segments are there before they are whole: nothing is lost with it then.
    pub fn may_be_begun(&self) -> bool {
        self.garbled
    }

    /// Whether a log must not be opened beside it. What cannot be read is left alone, and is in
    /// nobody's way.
    pub(crate) fn forbids(&self) -> bool {
        !self.garbled && matches!(self.error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported)
    }
}

/// What has the name of a segment that the log has no use for.
pub(crate) enum Useless {
    /// A segment of this log, or the beginning of one: it may go.
    Obsolete,
    /// It went meanwhile.
    Gone,
    /// Something else.
    Strange(Stranger),
}

/// Looks at what has this name and is no part of the log. Costs one header.
pub(crate) fn look_at(store: &dyn SegmentStore, log: LogId, id: SegmentId) -> Result<Useless> {
    match Segment::open(store, id) {
        Ok(Opened::Begun) => Ok(Useless::Obsolete),
        Ok(Opened::Garbled) => Ok(Useless::Strange(Stranger::garbled(id))),
        Ok(Opened::Sound(segment)) if segment.header.log == log => Ok(Useless::Obsolete),
        Ok(Opened::Sound(segment)) => Ok(Useless::Strange(other_log(&segment, log))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(match nothing_behind(store, id)? {
            None => Useless::Gone,
            Some(stranger) => Useless::Strange(stranger),
        }),
        Err(error) => Ok(Useless::Strange(Stranger::new(id, error))),
    }
}

/// A segment that is not of this log.
pub(crate) fn other_log(segment: &Segment, log: LogId) -> Stranger {
    let id = segment.header.id;
    let what = format!("this segment belongs to log {}, not to log {log}", segment.header.log);
    Stranger::new(id, Error::new(ErrorKind::Corrupt, what).segment(id).offset(0))
}

/// A segment that is not of the log that the anchor names: one of the two is in the wrong place.
pub(crate) fn not_the_anchors(segment: &Segment, log: LogId) -> Stranger {
    let id = segment.header.id;
    let its = segment.header.log;
    let what = format!("this segment belongs to log {its}, and the anchor to log {log}");
    Stranger::new(id, Error::new(ErrorKind::Corrupt, what).segment(id).offset(0))
}

/// A name that is listed and cannot be opened, as a link that leads nowhere; `None` where it is not
/// listed any more.
pub(crate) fn nothing_behind(store: &dyn SegmentStore, id: SegmentId) -> Result<Option<Stranger>> {
    if crate::chain::listed(store)?.binary_search(&id).is_err() {
        return Ok(None);
    }
    let what = "this segment has a name, and there is nothing behind it";
    Ok(Some(Stranger::new(id, Error::new(ErrorKind::Corrupt, what).segment(id))))
}

/// Proves that what has this name is the segment of this log that its successor names by its
/// identity, so that it may be removed: by its header, or, where that is damaged, by its first
/// frame, whose checksum is of that identity. Then what is wrong with the header is given back.
pub(crate) fn prove(
    store: &dyn SegmentStore,
    log: LogId,
    id: SegmentId,
    identity: Option<Identity>,
) -> Result<Option<Error>> {
    let error = match Segment::open_sound(store, id) {
        Ok(segment) if segment.header.log == log => return Ok(None),
        Ok(segment) => return Err(other_log(&segment, log).error),
        Err(error) => error,
    };
    match identity {
        Some(identity) if first_frame_is_of(store, id, identity) => Ok(Some(error)),
        _ => Err(error),
    }
}

fn first_frame_is_of(store: &dyn SegmentStore, id: SegmentId, identity: Identity) -> bool {
    let offset = HEADER_LEN as u64;
    let mut bytes = [0; 4096];
    let read = store.open(id).and_then(|reader| reader.read_at(offset, &mut bytes));
    read.is_ok_and(|read| FrameHeader::decode(&bytes[..read], identity, offset).is_ok())
}
