//! [`Tip`]: how far the current segment is written and synced, for the one who syncs it.

use std::sync::Arc;

use wal_core::format::Start;
use wal_core::{Lsn, SegmentId, SegmentSyncer};

/// What a sync needs to know of the segment being written. Its own small lock, so that a sync does
/// not wait for a write nor a write for a sync.
#[derive(Debug, Default)]
pub(crate) struct Tip {
    /// The segment, or `None` where everything written is durable and its segment ended.
    pub(crate) segment: Option<TipSegment>,
    /// The last record written.
    pub(crate) last_lsn: Lsn,
    /// The newest segment of the log, and where the log begins; `None` while it has no segment.
    pub(crate) extent: Option<(Start, SegmentId)>,
}

/// The segment a sync would sync.
#[derive(Clone, Debug)]
pub(crate) struct TipSegment {
    pub(crate) id: SegmentId,
    pub(crate) syncer: Arc<dyn SegmentSyncer>,
    /// Where it ends, in bytes.
    pub(crate) end: u64,
    /// Everything before this byte is durable.
    pub(crate) synced_end: u64,
}

impl Tip {
    /// A sync of `segment` has returned that began when it ended at `end`.
    pub(crate) fn synced(&mut self, id: SegmentId, end: u64) {
        if let Some(segment) = &mut self.segment
            && segment.id == id
        {
            segment.synced_end = segment.synced_end.max(end);
        }
    }
}
