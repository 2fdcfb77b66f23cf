//! The bytes of a record: a function of its LSN and of the history it belongs to.

use crate::chance::Chance;

/// The bytes of record `lsn` of this history: numbers first, so that a stray record can be told by
/// name, then garbage, and in every fourth record zeros, which must not be taken for a blank disk.
pub(super) fn of(lsn: u64, generation: u32, length: u32) -> Vec<u8> {
    let mut payload = vec![0; length as usize];
    let (numbers, rest) = payload.split_at_mut(12.min(length as usize));
    numbers.copy_from_slice(&numbered(lsn, generation)[..numbers.len()]);
    if !is_blank(lsn, generation) {
        Chance::new(lsn ^ (u64::from(generation) << 40)).fill(rest);
    }
    payload
}

/// Whether the record is zeros behind its numbers.
pub(super) fn is_blank(lsn: u64, generation: u32) -> bool {
    (lsn + u64::from(generation)).is_multiple_of(4)
}

/// What the bytes of a record say it is.
pub(super) fn named(payload: &[u8]) -> String {
    let Some((lsn, rest)) = payload.split_first_chunk() else {
        return format!("{} bytes", payload.len());
    };
    let generation = rest.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let (lsn, length) = (u64::from_le_bytes(*lsn), payload.len());
    format!("{length} bytes, by their beginning record {lsn} of history {generation}")
}

fn numbered(lsn: u64, generation: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&lsn.to_le_bytes());
    bytes[8..].copy_from_slice(&generation.to_le_bytes());
    bytes
}
