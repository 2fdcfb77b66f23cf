//! [`Identity`]: what makes a byte of this segment unlike the same byte anywhere else.

use crc32c::crc32c_append;

use super::SegmentHeader;

/// The seed of every checksum in a segment: a CRC32C of the log's id, the segment's id, its epoch
/// and its salt.
///
/// Each frame's checksums continue from here over the frame's offset, so a frame of an earlier life
/// of the file, of another segment, or written to the wrong place never verifies. The idea is
/// `SQLite`'s salts, Pebble's log number in the chunk checksum and NATS' keyed hashes in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u32);

impl Identity {
    /// The identity of the segment with this header.
    pub fn of(header: &SegmentHeader) -> Self {
        let mut name = [0; 40];
        name[..16].copy_from_slice(&header.log.0);
        name[16..24].copy_from_slice(&header.id.get().to_le_bytes());
        name[24..32].copy_from_slice(&header.epoch.get().to_le_bytes());
        name[32..].copy_from_slice(&header.salt.to_le_bytes());
        Self(crc32c::crc32c(&name))
    }

    /// The plain seed.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The identity with this seed, as read from a successor's header.
    pub const fn new(seed: u32) -> Self {
        Self(seed)
    }

    /// The seed of the frame that starts at `offset`.
    pub(super) fn at(self, offset: u64) -> u32 {
        crc32c_append(self.0, &offset.to_le_bytes())
    }
}
