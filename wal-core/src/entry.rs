//! [`Entry`]: a record with its LSN and its place.

use std::fmt;

use bytes::Bytes;

use crate::{Lsn, Position};

/// A record as it is read back: its bytes, its LSN, where its frame lies and when that was written.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The record's number.
    pub lsn: Lsn,
    /// The start of the frame that holds the record.
    pub position: Position,
    /// When the frame was written, in nanoseconds since the Unix epoch by the writer's clock.
    /// Informative: nothing decides by it but what is asked to, such as keeping records by their age.
    pub timestamp: u64,
    /// The record's bytes. A slice of the frame, which stays in memory as long as any of its
    /// records does: copy out what is kept for long.
    pub payload: Bytes,
}

impl Entry {
    /// An entry of these parts.
    pub fn new(lsn: Lsn, position: Position, timestamp: u64, payload: Bytes) -> Self {
        Self { lsn, position, timestamp, payload }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("lsn", &self.lsn)
            .field("position", &self.position)
            .field("timestamp", &self.timestamp)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}
