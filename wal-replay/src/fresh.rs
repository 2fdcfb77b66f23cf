//! Making the fresh segment that a log goes on in after a recovery or a truncation.

use bytes::Bytes;
use wal_core::format::{
    FRAME_HEADER_LEN, OpenSegment, Predecessor, SegmentHeader, Stamp, Start, round_up,
};
use wal_core::{
    CodecId, CurrentSegment, Env, Epoch, Error, ErrorKind, Fenced, LogId, Lsn, MadeSegment, Result,
    SegmentId, SegmentSpace, SegmentStore, SegmentWriter, TransformId, abandon, make_segment,
};

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
    pub(crate) carried: &'a [Carried],
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

/// A frame that is carried over from the predecessor.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    pub(crate) body: Bytes,
    pub(crate) transform: TransformId,
    pub(crate) count: u32,
    pub(crate) timestamp: u64,
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
        let bytes = self.frames(&mut open);
        let written = writer.append(&open.header().encode());
        if let Err(cause) = written {
            // Nothing was synced, and so nothing is there that is not this call's own.
            let error = Error::io("writing a segment header failed", cause).segment(id);
            let gone = abandon(store, MadeSegment { id, size, writer });
            return Err(NotMade { error, next: gone.is_ok().then_some(next) });
        }
        let Err(error) = self.fill(&mut open, &mut *writer, &bytes, env) else {
            return Ok(CurrentSegment { open, writer });
        };
        drop(writer);
        // Only where there was no room for what is carried: it is not in force, then, and made here.
        let gone = error.kind() == ErrorKind::StorageFull && store.remove(&[id]).is_ok();
        Err(NotMade { error: error.segment(id), next: gone.then_some(next) })
    }

    /// Makes the header durable, then what is carried, then the mark.
    fn fill(
        &self,
        open: &mut OpenSegment,
        writer: &mut dyn SegmentWriter,
        bytes: &[u8],
        env: &dyn Env,
    ) -> Result<()> {
        let syncer = writer.syncer();
        let sync = || {
            let failed = Error::new(ErrorKind::Io, "syncing the segment of a recovery failed");
            syncer.sync().map_err(|cause| unless_fenced(failed, cause))
        };
        sync()?;
        if !bytes.is_empty() {
            let written = writer.append(bytes);
            written.map_err(|cause| Error::io("carrying records over failed", cause))?;
            sync()?;
        }
        open.synced(open.end());
        let before = open.mark();
        let stamp = Stamp { watermark: open.last_lsn(), timestamp: env.now() };
        let mark = open.padding_frame(self.mark_len(open), stamp);
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

    /// The space that this segment takes at the least, in bytes. Where frames begin and how long they
    /// are is the same whatever the header says.
    fn least(&self) -> u64 {
        let header = SegmentHeader::new(self.log, self.id, self.epoch, self.last_lsn.next(), 0);
        let mut open = OpenSegment::new(header);
        self.frames(&mut open);
        open.sealed_len(self.mark_len(&open) as u64)
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
        let records: u64 = self.carried.iter().map(|frame| u64::from(frame.count)).sum();
        if records > 0 {
            header.carried = self.last_lsn.plus(records);
        }
        header
    }

    fn frames(&self, open: &mut OpenSegment) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Carried { body, transform, count, timestamp } in self.carried {
            let start = bytes.len();
            bytes.resize(start + FRAME_HEADER_LEN, 0);
            bytes.extend_from_slice(body);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            let stamp = Stamp { watermark: self.last_lsn, timestamp: *timestamp };
            let body_len = u32::try_from(body.len()).unwrap_or(u32::MAX);
            open.push_records(&mut bytes[start..], body_len, *count, *transform, stamp);
        }
        if !bytes.is_empty() && !open.end().is_multiple_of(u64::from(self.alignment)) {
            let stamp = Stamp { watermark: self.last_lsn, timestamp: 0 };
            bytes.extend(open.padding_frame(self.mark_len(open), stamp));
        }
        bytes
    }

    /// The shortest padding frame that ends on the alignment.
    fn mark_len(&self, open: &OpenSegment) -> usize {
        let end = round_up(open.end() + FRAME_HEADER_LEN as u64, u64::from(self.alignment));
        usize::try_from(end - open.end()).unwrap_or(usize::MAX)
    }
}
