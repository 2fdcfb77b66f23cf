//! What the writer tells the log's anchor, and when.

use wal_core::format::{Anchor, Start};
use wal_core::{Error, ErrorKind, Fenced, Lsn, Result};

use super::Writer;

impl Writer {
    /// Records in the anchor alone that the log begins here. It is durable when this returns. Every
    /// header that is written later says the same.
    pub(super) fn anchor_start(&mut self, start: Start, watermark: Lsn) -> Result<()> {
        // What the anchor names is durable: the header of the newest segment, and all before that.
        let Some(anchor) = self.anchor_of(watermark.max(start.lsn.previous()), start) else {
            return Err(Error::new(ErrorKind::Invalid, "the log has no segment"));
        };
        let written = self.store.write_anchor(&anchor.encode());
        written.map_err(|cause| Error::io("writing the log's anchor failed", cause))?;
        self.noted = anchor.last_lsn;
        if let Some(current) = &mut self.current {
            current.open.note_start(start);
        }
        self.start = Some(start);
        Ok(())
    }

    /// Tells the anchor, which takes no room for it, how far the log is durable: on a full disk. The next
    /// open finds nothing in doubt of that, and so needs no room to carry it over, where there may be
    /// none: not even the newest segment alone is a dead end then. Where it fails, what the anchor said
    /// before stays true; not so where the writer's place was taken.
    pub(crate) fn note_durable(&mut self, durable: Lsn) -> Result<()> {
        let (Some((start, _)), true) = (self.extent(), durable > self.noted) else {
            return Ok(());
        };
        match self.anchor_of(durable, start) {
            Some(anchor) => self.tell_anchor(anchor),
            None => Ok(()),
        }
    }

    /// What the anchor is told of a log that is durable through this record and begins here; `None` where
    /// it has no segment.
    ///
    /// Where no segment is being written, the anchor may know more of the newest one than this writer: of
    /// a log that was closed, that its seal was durable, without which a seal that vanishes would not be
    /// missed. That stays true until something follows that segment, and so is said again.
    pub(super) fn anchor_of(&self, durable: Lsn, start: Start) -> Option<Anchor> {
        let (_, newest) = self.extent()?;
        if let Some(current) = &self.current {
            let (first, end) = (current.open.header().first_lsn, current.open.durable_end());
            return Some(Anchor::new(self.log, newest, durable, start).of_newest(first, end));
        }
        let known = self.store.read_anchor().ok().flatten();
        let known = known.and_then(|bytes| Anchor::decode(&bytes).ok());
        let known = known.filter(|known| known.log == self.log);
        // What is vouched for of the segment before the next one; its seal may be in a cache alone.
        let vouched = self.predecessor.map(|before| (before.id, before.length));
        let (newest, last_lsn) = known.map_or((newest, durable), |known| {
            (newest.max(known.newest), durable.max(known.last_lsn))
        });
        let ends = [known.map(|known| (known.newest, known.durable_end)), vouched];
        let of_newest = ends.into_iter().flatten().filter(|&(id, _)| id == newest);
        let end = of_newest.map(|(_, end)| end).max().unwrap_or(0);
        let first_lsn = known.map_or(Lsn::ZERO, |known| known.knows_of(newest).0);
        Some(Anchor::new(self.log, newest, last_lsn, start).of_newest(first_lsn, end))
    }

    /// Tells the anchor how far a log goes that was opened and closed and not written to. Its last writer may
    /// have ended before it did: by a kill, or without power between a seal and what it tells the anchor.
    /// What is lost of the file behind the close would take with its records all that knows of them. What
    /// the anchor reads as is no reason not to: that may be in a cache alone.
    pub(super) fn note_end(&mut self) -> Result<()> {
        self.note_durable(self.last_lsn)
    }

    /// Tells the anchor of what is durable. Where that fails, what it said before stays true; not so
    /// where the writer's place was taken.
    pub(super) fn tell_anchor(&mut self, anchor: Anchor) -> Result<()> {
        match self.store.write_anchor(&anchor.encode()) {
            Err(cause) if Fenced::is_source_of(&cause) => {
                Err(Error::io("writing the log's anchor failed", cause))
            }
            Err(_) => Ok(()),
            Ok(()) => {
                self.noted = anchor.last_lsn;
                self.anchored = true;
                Ok(())
            }
        }
    }

    /// No record is written before the log has an anchor, or it is not for want of space that it has none.
    /// An anchor takes space when it is made and none later, and is what a full disk is pruned by before the
    /// log is opened: records without one, in doubt after a kill, would be in a log that can then neither
    /// be opened nor pruned.
    pub(super) fn ensure_anchor(&mut self, durable: Lsn) -> Result<()> {
        if self.anchored {
            return Ok(());
        }
        let found = self.store.read_anchor();
        if !found.is_ok_and(|found| found.is_none()) {
            self.anchored = true;
            return Ok(());
        }
        let start = self.current.as_ref().map(|current| current.open.start());
        let Some(anchor) = start.and_then(|start| self.anchor_of(durable, start)) else {
            return Ok(());
        };
        let written = self.store.write_anchor(&anchor.encode());
        match written.map_err(|cause| Error::io("making the log's anchor failed", cause)) {
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::Fenced) => {
                Err(error)
            }
            written => {
                self.anchored = true;
                if written.is_ok() {
                    self.noted = anchor.last_lsn;
                }
                Ok(())
            }
        }
    }
}
