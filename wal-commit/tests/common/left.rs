//! [`left`]: the log that is left of a store, read by the format alone.

use wal_core::format::{FRAME_HEADER_LEN, FrameHeader, FrameKind, HEADER_LEN, Identity, Records};
use wal_core::format::{Predecessor, SegmentHeader};
use wal_core::{Lsn, SegmentId, SegmentStore, TransformId};
use wal_testkit::{CutChoice, SimDisk, SimStore};

/// A log as a reader finds it.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// The records, from LSN 1 on.
    pub(crate) records: Vec<Vec<u8>>,
    /// How many records each frame holds, in order.
    pub(crate) frames: Vec<u32>,
    /// The segments of the chain, oldest first, each with its last frame's end.
    pub(crate) segments: Vec<(SegmentId, u64)>,
    /// The transform of each frame.
    pub(crate) transforms: Vec<TransformId>,
    /// The ends of all flushes that padding brought to them.
    pub(crate) padded_ends: Vec<u64>,
    /// Where each records frame starts, with its first LSN.
    pub(crate) starts: Vec<(Lsn, SegmentId, u64)>,
}

impl Left {
    pub(crate) fn last_lsn(&self) -> Lsn {
        Lsn::new(self.records.len() as u64)
    }

    pub(crate) fn record(&self, lsn: Lsn) -> &[u8] {
        &self.records[usize::try_from(lsn.get() - 1).unwrap()]
    }
}

/// What is left if the power fails now and every byte that was not synced is lost: the least that a
/// recovery would find.
pub(crate) fn left_of(disk: &SimDisk) -> Left {
    left(&SimStore::new(disk.power_cut(CutChoice::Nothing)), &|_, body| body.to_vec())
}

/// Follows the chain from the newest segment back and reads what counts of each.
///
/// Panics where the log is not one: an LSN missing, a segment missing, a frame that does not match.
pub(crate) fn left(store: &dyn SegmentStore, undo: &dyn Fn(TransformId, &[u8]) -> Vec<u8>) -> Left {
    let mut left = Left::default();
    let mut ids = store.list().unwrap();
    let newest = std::iter::from_fn(|| ids.pop()).find_map(|id| {
        let bytes = bytes(store, id);
        let header = SegmentHeader::decode(&bytes).ok()?;
        Some((header, bytes))
    });
    let Some(newest) = newest else { return left };
    let mut chain = vec![(newest, None)];
    while let Some(before) = chain.last().and_then(|((header, _), _)| header.predecessor) {
        let bytes = bytes(store, before.id);
        let header = SegmentHeader::decode(&bytes).expect("the predecessor is a segment");
        assert_eq!(Identity::of(&header), before.identity, "another segment took its number");
        chain.push(((header, bytes), Some(before)));
    }
    for ((header, bytes), bound) in chain.into_iter().rev() {
        left.segment(&header, &bytes, bound, undo);
    }
    left
}

fn bytes(store: &dyn SegmentStore, id: SegmentId) -> Vec<u8> {
    let reader = store.open(id).unwrap();
    let mut bytes = vec![0; usize::try_from(reader.size().unwrap()).unwrap()];
    assert_eq!(reader.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

impl Left {
    fn segment(
        &mut self,
        header: &SegmentHeader,
        bytes: &[u8],
        bound: Option<Predecessor>,
        undo: &dyn Fn(TransformId, &[u8]) -> Vec<u8>,
    ) {
        let identity = Identity::of(header);
        let end = bound.map_or(bytes.len(), |bound| usize::try_from(bound.length).unwrap());
        let mut at = HEADER_LEN;
        while at < end {
            let frame = match FrameHeader::decode(&bytes[at..end], identity, at as u64) {
                Ok(frame) => frame,
                Err(fault) => {
                    assert!(bound.is_none(), "{fault:?} inside the length that counts");
                    break;
                }
            };
            let body_end = at + usize::try_from(frame.frame_len()).unwrap();
            let body = &bytes[at + FRAME_HEADER_LEN..];
            let padded = body.get(..usize::try_from(frame.padded_body_len()).unwrap());
            if !padded.is_some_and(|padded| frame.matches(padded, identity, at as u64)) {
                assert!(bound.is_none(), "a damaged body inside the length that counts");
                break;
            }
            if frame.kind == FrameKind::Seal {
                break;
            }
            if frame.kind == FrameKind::Padding {
                self.padded_ends.push(body_end as u64);
            }
            if frame.kind == FrameKind::Records {
                assert_eq!(frame.first_lsn, self.last_lsn().next(), "the log has a gap");
                let body = undo(frame.transform, &body[..frame.body_len as usize]);
                for range in Records::new(&body, frame.count) {
                    self.records.push(body[range.expect("a whole record")].to_vec());
                }
                self.frames.push(frame.count);
                self.transforms.push(frame.transform);
                self.starts.push((frame.first_lsn, header.id, at as u64));
            }
            at = body_end;
        }
        self.segments.push((header.id, at as u64));
    }
}
