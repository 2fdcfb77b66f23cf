//! The bytes on disk, as pure functions: no file, no clock, no chance in here.
//!
//! ```text
//! segment   ┌────────────────┬─────────┬─────────┬─ … ─┬────────┬──────────────────────┐
//!           │ header 4096 B  │ frame   │ frame   │     │ seal   │ prepared space       │
//!           └────────────────┴─────────┴─────────┴─ … ─┴────────┴──────────────────────┘
//! frame     ┌────────────────┬───────────────────────┬─────────┐
//!           │ header 48 B    │ body                  │ 0..7 B 0│   starts on 8 bytes
//!           └────────────────┴───────────────────────┴─────────┘
//! ```
//!
//! `FORMAT.md` at the root of the repository draws every field, walks through a hex dump and states
//! what is assumed of disks. All integers are little endian.

mod anchor;
mod frame;
mod header;
mod identity;
mod open_segment;
mod records;
mod seal;
mod slots;
mod start;

pub use anchor::{ANCHOR_LEN, Anchor, AnchorFault};
pub use frame::{
    FRAME_ALIGN, FRAME_HEADER_LEN, FrameFault, FrameHeader, FrameKind, MAX_BODY_LEN, Witness,
};
pub use header::{
    FORMAT_VERSION, HEADER_LEN, HeaderFault, MAGIC, Predecessor, SegmentHeader, UNBOUNDED,
};
pub use identity::Identity;
pub use open_segment::{Mark, OpenSegment, Stamp};
pub use records::{MAX_PREFIX_LEN, RecordWalk, Records, prefix_len, push_record};
pub use seal::{IndexEntry, MAX_SEGMENT_SIZE, SEAL_ALIGN, Seal, seal_offset};
pub use slots::{MAX_IN_SLOT, SLOT_LEN, Slots};
pub use start::{START_LEN, Start};

/// Rounds up to a multiple of `align`, a power of two.
pub const fn round_up(bytes: u64, align: u64) -> u64 {
    (bytes + align - 1) & !(align - 1)
}

/// The little-endian integer at `at`. The callers check the length of `bytes` once, up front.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

/// The little-endian integer at `at`. The callers check the length of `bytes` once, up front.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

/// Whether every byte is zero; as fast as the memory is.
pub fn is_blank(bytes: &[u8]) -> bool {
    // An OR over a chunk vectorises; a search for the first non-zero byte does not.
    bytes.chunks(4096).all(|chunk| chunk.iter().fold(0, |any, byte| any | byte) == 0)
}
