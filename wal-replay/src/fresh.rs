//! Making the fresh segment that a log goes on in after a recovery or a truncation.

use std::io::ErrorKind::StorageFull;

use bytes::Bytes;
use wal_core::format::{
    FRAME_HEADER_LEN, OpenSegment, Predecessor, SegmentHeader, Stamp, Start, round_up,
};
use wal_core::{
    CodecId, CurrentSegment, Env, Epoch, Error, ErrorKind, LogId, Lsn, Result, SegmentId,
    SegmentStore, TransformId, Unwritten,
};

/// What the fresh segment says and holds.
#[derive(Debug)]
pub(crate) struct Fresh<'a> {
    pub(crate) log: LogId,
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
    pub(crate) fn make(&self, store: &dyn SegmentStore, env: &dyn Env) -> Result<CurrentSegment> {
        let place = |error: Error| error.segment(self.id);
        let io = |what, cause| place(Error::io(what, cause));
        let mut open = OpenSegment::new(self.header(store.guarantees().unwritten, env));
        let bytes = self.frames(&mut open);
        let size = self.segment_size.max(open.sealed_len(0));
        let mut made = store.create(self.id, size);
        if made.as_ref().is_err_and(|error| error.kind() == StorageFull) {
            // Only what is needed now: an open log can be pruned.
            store.remove(&[self.id]).ok();
            made = store.create(self.id, open.sealed_len(0));
        }
        let mut writer =
            made.map_err(|cause| io("making the segment of a recovery failed", cause))?;
        let syncer = writer.syncer();
        let sync = || {
            let failed = Error::new(ErrorKind::Io, "syncing the segment of a recovery failed");
            syncer.sync().map_err(|cause| place(failed.because(cause)))
        };
        let written = writer.append(&open.header().encode());
        written.map_err(|cause| io("writing a segment header failed", cause))?;
        sync()?;
        if !bytes.is_empty() {
            let written = writer.append(&bytes);
            written.map_err(|cause| io("carrying records over failed", cause))?;
            sync()?;
        }
        open.synced(open.end());
        let stamp = Stamp { watermark: open.last_lsn(), timestamp: env.now() };
        let mark = open.padding_frame(self.mark_len(&open), stamp);
        let written = writer.append(&mark);
        written.map_err(|cause| io("marking what is durable failed", cause))?;
        sync()?;
        open.synced(open.end());
        Ok(CurrentSegment { open, writer })
    }

    fn header(&self, unwritten: Unwritten, env: &dyn Env) -> SegmentHeader {
        let first = self.last_lsn.next();
        let mut header = SegmentHeader::new(self.log, self.id, self.epoch, first, env.random());
        header.created = env.now();
        header.codec = self.codec;
        header.alignment = self.alignment;
        header.unwritten = unwritten;
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
