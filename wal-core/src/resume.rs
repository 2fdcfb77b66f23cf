//! [`Resume`]: what recovery hands to the pipeline.

use crate::format::{OpenSegment, Predecessor, Start};
use crate::{Epoch, Error, LogId, Lsn, SegmentId, SegmentWriter};

/// Where and how a log goes on: the whole of what the writing half needs to know of the past.
#[derive(Debug)]
#[non_exhaustive]
pub struct Resume {
    /// The log's identity.
    pub log: LogId,
    /// The epoch of every segment that is made from here on.
    pub epoch: Epoch,
    /// The number of the next segment to be made.
    pub next_segment: SegmentId,
    /// The last record of the log; all through it is durable.
    pub last_lsn: Lsn,
    /// What the next segment's header will name as its predecessor, where
    /// [`current`](Self::current) is `None`.
    pub predecessor: Option<Predecessor>,
    /// Where the log begins; `None` where the next segment to be made is its first.
    pub start: Option<Start>,
    /// A fresh segment that recovery made and the writer goes on in; `None` where there was nothing
    /// to repair, and the next segment is made when something is written.
    pub current: Option<CurrentSegment>,
    /// Segments that hold nothing of the log any more. They go once the next segment is durable,
    /// and not before: until then they are the only record of what they cut off.
    pub dead: Vec<SegmentId>,
}

/// A segment with its writer.
#[derive(Debug)]
pub struct CurrentSegment {
    /// What is in it.
    pub open: OpenSegment,
    /// Its writer, which ends where `open` does.
    pub writer: Box<dyn SegmentWriter>,
}

impl Resume {
    /// A log that has nothing in it yet.
    pub fn fresh(log: LogId) -> Self {
        Self {
            log,
            epoch: Epoch::new(1),
            next_segment: SegmentId::FIRST,
            last_lsn: Lsn::ZERO,
            predecessor: None,
            start: None,
            current: None,
            dead: Vec::new(),
        }
    }
}

/// A cut that did not come about, or not to its end.
#[derive(Debug)]
pub struct Uncut {
    /// Why.
    pub error: Error,
    /// The log as it was, to go on with: where nothing of it was changed, as on a full disk. `None`
    /// where it is not known what became of it.
    pub log: Option<Box<Resume>>,
}

impl From<Error> for Uncut {
    /// It is not known what became of the log.
    fn from(error: Error) -> Self {
        Self { error, log: None }
    }
}
