//! [`Start`]: where a log begins, once part of it was pruned.

use super::u64_at;
use crate::{Lsn, SegmentId};

/// Bytes of an encoded [`Start`].
pub const START_LEN: usize = 16;

/// The first segment and the first record of a log.
///
/// Recorded, durably, before anything before it is deleted: in a frame of its own at the moment of
/// pruning, and in the header of every segment made later. A segment at or behind the start that is
/// missing is damage; one before it is a deletion that a crash interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The first segment that belongs to the log.
    pub segment: SegmentId,
    /// The first record that belongs to the log.
    pub lsn: Lsn,
}

impl Start {
    /// The start's bytes: the body of a start frame, and a field of the segment header.
    pub fn encode(&self) -> [u8; START_LEN] {
        let mut bytes = [0; START_LEN];
        bytes[..8].copy_from_slice(&self.segment.get().to_le_bytes());
        bytes[8..].copy_from_slice(&self.lsn.get().to_le_bytes());
        bytes
    }

    /// Reads a start; `None` where the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != START_LEN {
            return None;
        }
        let start =
            Self { segment: SegmentId::new(u64_at(bytes, 0)), lsn: Lsn::new(u64_at(bytes, 8)) };
        (start.segment >= SegmentId::FIRST && start.lsn >= Lsn::FIRST).then_some(start)
    }
}
