//! Syncing: what is written becomes durable.

use std::sync::atomic::Ordering;

use wal_core::{Error, ErrorKind, Fenced, Lsn, Result, Woken};

use super::{Flusher, lock};
use crate::tip::TipSegment;

impl Flusher {
    /// Makes everything through `lsn`, which is written, durable. Of those who call at the same time
    /// few sync, and the others find it done.
    pub(crate) fn sync_through(&self, lsn: Lsn) -> Result<()> {
        self.sync_unless(Some(lsn), &mut || ())
    }

    /// Makes durable what is written by now, whatever becomes of the rest.
    pub(crate) fn sync_written(&self) -> Result<()> {
        let written = self.written.get();
        if self.durable.get() < written { self.sync_through(written) } else { Ok(()) }
    }

    /// Syncs, unless it is `enough` that everything through there is durable, and it is. Calls
    /// `moved` where it has synced, before those who wait are woken.
    pub(super) fn sync_unless(&self, enough: Option<Lsn>, moved: &mut dyn FnMut()) -> Result<()> {
        self.guarded(|| {
            let woken = self.sync_once(enough)?;
            if let Some(woken) = woken {
                moved();
                drop(woken);
            }
            Ok(())
        })
    }

    /// A sync, unless there is `enough`; whoever it reaches wakes when the result is dropped. What
    /// fails here poisons, and the caller tells.
    ///
    /// Where the store lets syncs overlap, the one that ends first moves the mark, for it vouches for
    /// all that was written before it began.
    pub(super) fn sync_once(&self, enough: Option<Lsn>) -> Result<Option<Woken>> {
        // Dropped before the turn: with the turns goes the store's lock.
        let turn = self.turn_to_sync(self.syncing.one())?;
        if enough.is_some_and(|lsn| self.durable.get() >= lsn) {
            return Ok(None);
        }
        let tip = lock(&self.tip);
        let last_lsn = tip.last_lsn;
        let segment = tip.segment.clone();
        drop(tip);
        if let Some(TipSegment { id, syncer, end, .. }) = segment {
            self.syncs.fetch_add(1, Ordering::Relaxed);
            if let Err(cause) = syncer.sync() {
                // Whatever kind it is: also "storage full" here means that bytes are lost.
                let fenced = Fenced::is_source_of(&cause);
                let kind = if fenced { ErrorKind::Fenced } else { ErrorKind::Io };
                let error = Error::new(kind, "syncing a segment failed").segment(id);
                self.poison(&error.because(cause));
                drop((syncer, turn));
                return self.poisoned().map(|()| None);
            }
            lock(&self.tip).synced(id, end);
        }
        // Published in this turn, so that a truncation is not overtaken; the waking is not.
        let woken = self.durable.advance(last_lsn);
        drop(turn);
        Ok(Some(woken))
    }
}
