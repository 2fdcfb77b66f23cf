//! Reading what can be read of a half: a sector that cannot be is damage of that half, and the other one
//! may have what it held.

use std::io;

use wal_core::{SegmentReader, medium_failed};

/// Bytes that a disk cannot read at the least, where it cannot read some.
const SECTOR: usize = 4096;

/// Reads as [`read_at`](SegmentReader::read_at) does, a sector at a time where there is one that cannot
/// be read: that counts as zeros. Says how much there is, and whether all of it was read.
pub(super) fn read_leniently(
    reader: &dyn SegmentReader,
    offset: u64,
    buffer: &mut [u8],
) -> io::Result<(usize, bool)> {
    match reader.read_at(offset, buffer) {
        Err(error) if is_unreadable(&error) => {}
        read => return Ok((read?, true)),
    }
    let there = reader.size()?.saturating_sub(offset);
    let len = buffer.len().min(usize::try_from(there).unwrap_or(usize::MAX));
    let (mut at, mut whole) = (0, true);
    while at < len {
        let place = offset + at as u64;
        let to_border = SECTOR - usize::try_from(place % SECTOR as u64).unwrap_or(0);
        let piece = &mut buffer[at..len.min(at + to_border)];
        match reader.read_at(place, piece) {
            Ok(0) => break,
            Ok(read) => at += read,
            Err(error) if is_unreadable(&error) => {
                piece.fill(0);
                at += piece.len();
                whole = false;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((at, whole))
}

/// Whether the bytes are to blame, and not the asking, nor what has the segment's name.
fn is_unreadable(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound};
    medium_failed(error) && !matches!(error.kind(), InvalidData | NotFound)
}

/// A reader that counts what cannot be read as zeros: to keep the rest of it.
#[derive(Debug)]
pub(super) struct Lenient<'a>(pub(super) &'a dyn SegmentReader);

impl SegmentReader for Lenient<'_> {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        read_leniently(self.0, offset, buffer).map(|(count, _)| count)
    }
}
