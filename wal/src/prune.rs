//! Giving disk space back: the oldest segments go.

use wal_core::format::Start;
use wal_core::{Error, ErrorKind, Lsn, Result, SegmentId};
use wal_replay::{Chain, Removable, left_alone};

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
    /// later all the same, and the others go. What cannot be read stays, and goes with the first open that
    /// can read it. A segment whose header is damaged, unreadable or another's is none that the log can begin with:
    /// where `lsn` is in such a one, the log begins with the last sound one before it.
    ///
    /// [`Invalid`](ErrorKind::Invalid): the LSN was never issued.
    pub fn prune_before(&self, lsn: Lsn) -> Result<Lsn> {
        let _one_at_a_time = self.pruning()?;
        self.check_issued(lsn)?;
        let Some(chain) = self.prunable()? else { return Ok(self.first_lsn()) };
        let lsn = self.holds().floor().map_or(lsn, |held| held.min(lsn));
        let at = chain.find_past_damage(&*self.parts().store, lsn)?;
        self.begin_at(&chain, at).map(|began| began.lsn)
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
            at = at.min(chain.find_past_damage(&*self.parts().store, held)?);
        }
        self.begin_at(&chain, at).map(|began| began.lsn)
    }

    /// The chain, where the log may be pruned; `None` where it has no segment.
    pub(crate) fn prunable(&self) -> Result<Option<Chain>> {
        let Parts { store, pipeline, .. } = self.parts();
        pipeline.poisoned()?;
        let Some((start, newest)) = pipeline.extent() else { return Ok(None) };
        Chain::of_live(&**store, start, newest).map(Some)
    }

    /// Deletes the segments before this place in the chain; the boundary is durable first.
    pub(crate) fn begin_at(&self, chain: &Chain, mut at: usize) -> Result<Began> {
        let Parts { store, pipeline, .. } = self.parts();
        let lsn = loop {
            if at == 0 {
                return Ok(Began { lsn: chain.start.lsn, found: Removable::default() });
            }
            match chain.begins_at(&**store, at) {
                // It does not say with which record the log would begin, or is not the log's.
                Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Io) => at -= 1,
                lsn => break lsn?,
            }
        };
        // Looked at before the boundary moves: where not even the newest can be read, nothing happens.
        let found = chain.removable(&**store, 0..at)?;
        pipeline.set_start(Start { segment: chain.segments[at], lsn })?;
        let removed = store.remove(&found.proven);
        // Also where only some went.
        pipeline.room_made();
        removed.map_err(|cause| Error::io("removing pruned segments failed", cause))?;
        // What cannot be read is in nobody's way: it goes once it can be.
        match left_alone(&found.strange) {
            Some(error) => Err(error),
            None => Ok(Began { lsn, found }),
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

/// A log that begins later now.
pub(crate) struct Began {
    /// With this record.
    pub(crate) lsn: Lsn,
    /// What was found of the segments before that.
    pub(crate) found: Removable,
}
