//! Giving disk space back: the oldest segments go.

use wal_core::format::Start;
use wal_core::{Error, ErrorKind, Lsn, Result, SegmentId};
use wal_replay::{Chain, left_alone};

use crate::Wal;
use crate::log::Parts;
use crate::lookup::unknown;

impl Wal {
    /// Gives back the disk space of records before `lsn`, a segment at a time: what is in the same
    /// segment as `lsn` stays, and so does what a [`Hold`](crate::Hold) keeps, which
    /// [`space`](Self::space) tells. Returns the new first LSN of the log; one before `lsn` is no
    /// error.
    ///
    /// The boundary is durable before anything is deleted; nothing pruned ever comes back. Where
    /// the deletion fails the boundary stays, and the next open deletes the rest. Where writing the
    /// boundary fails, the next open may find it written. Where the disk has no room for writing it,
    /// it is recorded in the log's anchor, which takes none.
    ///
    /// Each segment's header is read before it is deleted. What is not proven to be the log's own is
    /// left where it is, and named by an error of kind [`Corrupt`](ErrorKind::Corrupt); the log begins
    /// later all the same.
    ///
    /// [`Invalid`](ErrorKind::Invalid): the LSN was never issued.
    pub fn prune_before(&self, lsn: Lsn) -> Result<Lsn> {
        let _one_at_a_time = self.pruning()?;
        self.check_issued(lsn)?;
        let Some(chain) = self.prunable()? else { return Ok(self.first_lsn()) };
        let lsn = self.holds().floor().map_or(lsn, |held| held.min(lsn));
        let at = chain.find(&*self.parts().store, lsn)?;
        self.begin_at(&chain, at)
    }

    /// As [`prune_before`](Self::prune_before), for all segments before this one, which stays. A
    /// segment that is gone already is no error, and nothing happens.
    ///
    /// [`NotFound`](ErrorKind::NotFound): the log has not come to that segment yet.
    pub fn delete_segments_before(&self, id: SegmentId) -> Result<Lsn> {
        let _one_at_a_time = self.pruning()?;
        let Some(chain) = self.prunable()? else { return Ok(self.first_lsn()) };
        let mut at = chain.segments.partition_point(|&other| other < id);
        if at == chain.segments.len() {
            return Err(unknown(id));
        }
        if let Some(held) = self.holds().floor() {
            at = at.min(chain.find(&*self.parts().store, held)?);
        }
        self.begin_at(&chain, at)
    }

    /// The chain, where the log may be pruned; `None` where it has no segment.
    pub(crate) fn prunable(&self) -> Result<Option<Chain>> {
        let Parts { store, pipeline, .. } = self.parts();
        pipeline.poisoned()?;
        let Some((start, newest)) = pipeline.extent() else { return Ok(None) };
        Chain::of_live(&**store, start, newest).map(Some)
    }

    /// Deletes the segments before this place in the chain; the boundary is durable first.
    pub(crate) fn begin_at(&self, chain: &Chain, at: usize) -> Result<Lsn> {
        let Parts { store, pipeline, .. } = self.parts();
        if at == 0 {
            return Ok(chain.start.lsn);
        }
        let lsn = chain.first_lsn_of(&**store, at)?;
        // Looked at before the boundary moves: where not even the newest can be read, nothing happens.
        let (removable, strange) = chain.removable(&**store, 0..at)?;
        pipeline.set_start(Start { segment: chain.segments[at], lsn })?;
        let removed = store.remove(&removable);
        // Also where only some went.
        pipeline.room_made();
        removed.map_err(|cause| Error::io("removing pruned segments failed", cause))?;
        match strange {
            // In nobody's way: it goes once it can be read.
            Some(error) if error.kind() != ErrorKind::Io => Err(left_alone(&error)),
            _ => Ok(lsn),
        }
    }

    /// Refuses an LSN that no record has and the next one will not have.
    pub(crate) fn check_issued(&self, lsn: Lsn) -> Result<()> {
        if lsn > self.last_lsn().next() {
            return Err(Error::new(ErrorKind::Invalid, "the LSN was never issued").lsn(lsn));
        }
        Ok(())
    }
}
