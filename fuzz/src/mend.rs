//! Right checksums for bytes that a fuzzer chose.
//!
//! Laid out as FORMAT.md says and without code of the kit, so that a wrong checksum in the kit is
//! not mended in the same wrong way.

use crc32c::{crc32c, crc32c_append};
use wal::parts::core::format::{FORMAT_VERSION, FRAME_HEADER_LEN, HEADER_LEN, Identity, MAGIC};

const HEADER_CRC_AT: usize = HEADER_LEN - 4;

/// Gives the header of a segment, [`HEADER_LEN`] bytes, its magic, its version, no features that
/// must be understood, and its checksum.
pub(crate) fn header(bytes: &mut [u8]) {
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[12..16].fill(0);
    header_crc(bytes);
}

/// Gives the header of a segment its checksum.
pub(crate) fn header_crc(bytes: &mut [u8]) {
    let crc = crc32c(&bytes[..HEADER_CRC_AT]);
    bytes[HEADER_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
}

/// What [`frame`] does with the bytes between a body and the next eighth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    Zeroed,
    Kept,
}

/// Gives the frame at the start of `bytes`, which will lie at `offset`, both checksums; says how long
/// it is.
pub(crate) fn frame(bytes: &mut [u8], identity: Identity, offset: u64, padding: Padding) -> usize {
    let room = bytes.len() - FRAME_HEADER_LEN;
    let claimed = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    // A body that cannot fit stays as claimed, once its header is sound: the reader must see to it.
    let body_len = usize::try_from(claimed).unwrap_or(usize::MAX);
    let padded = body_len.checked_next_multiple_of(8).unwrap_or(usize::MAX);
    let stored = padded.min(room);
    if padding == Padding::Zeroed && body_len < stored {
        bytes[FRAME_HEADER_LEN + body_len..FRAME_HEADER_LEN + stored].fill(0);
    }
    let body = &bytes[FRAME_HEADER_LEN..FRAME_HEADER_LEN + stored];
    let body_crc = body_crc(body, identity, offset);
    bytes[40..44].copy_from_slice(&body_crc.to_le_bytes());
    let header_crc = crc32c_append(seed(identity, offset), &bytes[..44]);
    bytes[44..48].copy_from_slice(&header_crc.to_le_bytes());
    FRAME_HEADER_LEN + stored
}

/// The checksum of a body with its padding, in a frame that lies at `offset`.
pub(crate) fn body_crc(body: &[u8], identity: Identity, offset: u64) -> u32 {
    crc32c_append(seed(identity, offset), body)
}

fn seed(identity: Identity, offset: u64) -> u32 {
    crc32c_append(identity.get(), &offset.to_le_bytes())
}

/// The identity that the header of a segment gives its frames, also where the header makes no sense.
pub(crate) fn identity(header: &[u8]) -> Identity {
    let name = [&header[24..56], &header[64..72]].concat();
    Identity::new(crc32c(&name))
}
