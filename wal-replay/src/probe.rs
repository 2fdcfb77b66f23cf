//! [`probe`]: finding a frame in a segment that has no index.

use wal_core::format::{
    FRAME_ALIGN, FRAME_HEADER_LEN, FrameHeader, HEADER_LEN, is_blank, round_up,
};
use wal_core::{Lsn, Result, Unwritten};

use crate::frames::{FrameReader, Step};
use crate::segment::{BLOCK, Segment};
use crate::verify::is_unreadable;

/// Close enough: as far as entries of a seal's index are apart.
const NEAR: u64 = 64 * 1024;
/// Bytes of another life that are looked through for a frame of this one.
const FAR: u64 = 1 << 20;
/// Bytes read at a time.
const WINDOW: usize = 16 * 1024;
/// Blocks that cannot be read and are passed by a search: a failing disk takes seconds for each of them.
const BAD: usize = 4;

/// A frame at or before the one that holds `lsn`, by a binary search over the bytes: a header is
/// known by its checksum, which is of its place and its segment, wherever one begins to look.
///
/// Only for a record that is known to be written, and so everything before it: behind a tear lie
/// frames that are sound and no part of the log.
pub(crate) fn probe(segment: &Segment, lsn: Lsn) -> Result<u64> {
    let (mut low, mut high) = (HEADER_LEN as u64, segment.size_now()?);
    while high.saturating_sub(low) > NEAR {
        let middle = round_up(low + (high - low) / 2, FRAME_ALIGN as u64);
        match next_frame(segment, middle, high, middle)? {
            Some((offset, header)) if header.first_lsn <= lsn => low = offset,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// A frame behind what cannot be read, where more is known to be written: zeros may be the inside of a
/// record that begins there, and are passed for as long as [`FAR`].
pub(crate) fn frame_behind(
    segment: &Segment,
    offset: u64,
    end: u64,
) -> Result<Option<(u64, FrameHeader)>> {
    next_frame(segment, offset, end, offset.saturating_add(FAR))
}

/// The first sound frame that begins from `offset` on and before `end`. From `passed` on zeros are taken for
/// the end of what was written, and so is much that is no frame where the space was used before; where they
/// are the inside of a record, a frame behind them is missed, and the search goes on before them. What
/// cannot be read is passed: a frame with a part there is none that could be found.
fn next_frame(
    segment: &Segment,
    mut offset: u64,
    end: u64,
    passed: u64,
) -> Result<Option<(u64, FrameHeader)>> {
    let (mut window, mut bad) = (vec![0; WINDOW], 0);
    let far = match segment.header.unwritten {
        Unwritten::Zeros => end,
        _ => end.min(offset.saturating_add(FAR)),
    };
    while offset < far {
        let (read, unreadable) = segment.read_up_to_bad(offset, &mut window)?;
        let behind = unreadable.map(|bad| bad + BLOCK);
        let blank = || offset >= passed && is_blank(&window[..read]);
        if behind.is_none() && (read < FRAME_HEADER_LEN || blank()) {
            return Ok(None);
        }
        let mut at = 0;
        while at + FRAME_HEADER_LEN <= read {
            let place = offset + at as u64;
            if let Ok(header) = FrameHeader::decode(&window[at..read], segment.identity, place)
                && is_sound(segment, place, &header)?
            {
                return Ok((place < end).then_some((place, header)));
            }
            at += FRAME_ALIGN;
        }
        offset = behind.unwrap_or(offset + at as u64);
        bad += usize::from(behind.is_some());
        if bad > BAD {
            break;
        }
    }
    Ok(None)
}

/// Whether the body is the header's, too.
fn is_sound(segment: &Segment, offset: u64, header: &FrameHeader) -> Result<bool> {
    let mut frames = FrameReader::new(offset, offset.saturating_add(header.frame_len()));
    frames.set_read_ahead(WINDOW as u64);
    match frames.step(segment) {
        Err(error) if is_unreadable(&error) => Ok(false),
        step => Ok(matches!(step?, Step::Frame(_))),
    }
}
