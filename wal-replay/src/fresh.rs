//! Making the fresh segment that a log goes on in after a recovery or a truncation.

use wal_core::format::{
    FRAME_HEADER_LEN, OpenSegment, Predecessor, SEAL_ALIGN, SegmentHeader, Stamp, Start, round_up,
};
use wal_core::{
    CodecId, CurrentSegment, Env, Epoch, Error, ErrorKind, Fenced, LogId, Lsn, MadeSegment, Result,
    SegmentId, SegmentSpace, SegmentStore, SegmentWriter, abandon, make_segment,
};

use crate::carried::{Carried, append};

/// What the fresh segment says and holds.
#[derive(Debug)]
pub(crate) struct Fresh<'a> {
    pub(crate) log: LogId,
    /// Its number, or a later one where remains have that.
    pub(crate) id: SegmentId,
    pub(crate) epoch: Epoch,
    pub(crate) predecessor: Option<Predecessor>,
    /// The last record before it.
    pub(crate) last_lsn: Lsn,
    /// Where the log begins; `None` for with this segment.
    pub(crate) start: Option<Start>,
    pub(crate) carried: Carried<'a>,
    pub(crate) codec: CodecId,
    pub(crate) alignment: u32,
    pub(crate) segment_size: u64,
}

/// Why there is no fresh segment.
#[derive(Debug)]
pub(crate) struct NotMade {
    pub(crate) error: Error,
    /// Nothing was made, nothing has changed, and a next one gets this number; `None` where that
    /// cannot be said.
    pub(crate) next: Option<SegmentId>,
}

impl From<NotMade> for Error {
    fn from(not_made: NotMade) -> Self {
        not_made.error
    }
}

/// An error of a sync: whatever kind it is, nothing is known, but where the place was taken.
fn unless_fenced(failed: Error, cause: std::io::Error) -> Error {
    if Fenced::is_source_of(&cause) {
        Error::io("syncing failed", cause)
    } else {
        failed.because(cause)
    }
}

impl Fresh<'_> {
    /// Makes the segment. When this returns, it and all it carries are durable and in force, and
    /// say so: a last frame without a body, durable too, repeats the watermark, so that the next
    /// open finds nothing in doubt, and what rots of the carried records is missed. After a crash in
    /// the middle the segment is not in force, and nothing else has changed.
    ///
    /// Where the disk is full, it takes as little as it needs: an open log can be pruned.
    pub(crate) fn make(
        &self,
        store: &dyn SegmentStore,
        env: &dyn Env,
    ) -> Result<CurrentSegment, NotMade> {
        let mut next = self.id;
        let least = self.least();
        let made = make_segment(store, &mut next, self.segment_size.max(least), least);
        let MadeSegment { id, size, mut writer } = made.map_err(|cause| NotMade {
            error: Error::io("making the segment of a recovery failed", cause).segment(self.id),
            next: Some(next),
        })?;
        let mut open = OpenSegment::new(self.header(id, &*writer, env));
        let written = writer.append(&open.header().encode());
        if let Err(cause) = written {
            // Nothing was synced, and so nothing is there that is not this call's own.
            let error = Error::io("writing a segment header failed", cause).segment(id);
            let gone = abandon(store, MadeSegment { id, size, writer });
            return Err(NotMade { error, next: gone.is_ok().then_some(next) });
        }
        let Err(error) = self.fill(&mut open, &mut *writer, env) else {
            return Ok(CurrentSegment { open, writer });
        };
        drop(writer);
        // Only where there was no room for what is carried, or where that could not be read any more: it
        // is not in force, then, and made here.
        let unfinished = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::Corrupt);
        let gone = unfinished && store.remove(&[id]).is_ok();
        Err(NotMade { error: error.segment(id), next: gone.then_some(next) })
    }

    /// Makes the header durable, then what is carried, then the mark.
    fn fill(
        &self,
        open: &mut OpenSegment,
        writer: &mut dyn SegmentWriter,
        env: &dyn Env,
    ) -> Result<()> {
        let syncer = writer.syncer();
        let sync = || {
            let failed = Error::new(ErrorKind::Io, "syncing the segment of a recovery failed");
            syncer.sync().map_err(|cause| unless_fenced(failed, cause))
        };
        sync()?;
        if self.carried.records() > 0 {
            let mut bytes = Vec::new();
            self.carried.write(open, writer, &mut bytes)?;
            // The mark gets a block of its own: one that is lost does not take what it vouches for along.
            let stamp = Stamp { watermark: self.last_lsn, timestamp: 0 };
            bytes.extend(open.block_padding(stamp).unwrap_or_default());
            append(writer, &mut bytes)?;
            sync()?;
        }
        open.synced(open.end());
        let before = open.mark();
        let stamp = Stamp { watermark: open.last_lsn(), timestamp: env.now() };
        let mark = open.padding_frame(self.mark_len(open.end()), stamp);
        if let Err(cause) = writer.append(&mark) {
            let error = Error::io("marking what is durable failed", cause);
            open.undo(before);
            // All is durable and in force. Without the mark the next open does this again, no more.
            return if error.kind() == ErrorKind::StorageFull { Ok(()) } else { Err(error) };
        }
        sync()?;
        open.synced(open.end());
        Ok(())
    }

    /// The space that this segment takes at the least, in bytes: for what is carried, padding behind it,
    /// the mark and a seal.
    fn least(&self) -> u64 {
        let mut header = SegmentHeader::new(self.log, self.id, self.epoch, self.last_lsn.next(), 0);
        header.alignment = self.alignment;
        let open = OpenSegment::new(header);
        let carried = self.carried.len() + self.carried.padding_len(u64::from(self.alignment));
        // As far as a seal behind what is carried would begin, but for which there is the mark.
        let block = SEAL_ALIGN.max(u64::from(self.alignment));
        let behind = round_up(open.end() + carried + FRAME_HEADER_LEN as u64, block);
        open.sealed_len(behind - open.end() + self.mark_len(behind) as u64)
    }

    fn header(&self, id: SegmentId, writer: &dyn SegmentWriter, env: &dyn Env) -> SegmentHeader {
        let first = self.last_lsn.next();
        let mut header = SegmentHeader::new(self.log, id, self.epoch, first, env.random());
        let SegmentSpace { durable_len, unwritten } = writer.space();
        header.created = env.now();
        header.codec = self.codec;
        header.alignment = self.alignment;
        header.unwritten = unwritten;
        header.space = durable_len;
        header.predecessor = self.predecessor;
        if let Some(start) = self.start {
            header.start = start;
        }
        let records = self.carried.records();
        if records > 0 {
            header.carried = self.last_lsn.plus(records);
        }
        header
    }

    /// The shortest padding frame from this byte on that ends on the alignment.
    fn mark_len(&self, from: u64) -> usize {
        let end = round_up(from + FRAME_HEADER_LEN as u64, u64::from(self.alignment));
        usize::try_from(end - from).unwrap_or(usize::MAX)
    }
}
