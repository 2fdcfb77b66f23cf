//! [`prefix`]: the part of a damaged log that comes before the damage.

use wal_core::format::{FrameKind, Identity, SegmentHeader, Start};
use wal_core::{ErrorKind, Result, SegmentStore};

use crate::anchor::{self, later};
use crate::chain::{Chain, listed};
use crate::scan::Scan;
use crate::segment::{Opened, Segment};

/// The segments of a damaged log from its beginning up to the damage, for who wants to read what is
/// before it; `None` where nothing is. Changes nothing. Of a log without damage this is all of it,
/// and [`survey`](crate::survey) finds that cheaper: here every header is read.
///
/// A segment that is missing, or whose header is damaged, ends the chain before it. Damage inside a
/// segment does not: a cursor over the chain ends there with the error.
pub fn prefix(store: &dyn SegmentStore) -> Result<Option<Chain>> {
    // What the anchor knows helps, and where it is damaged nothing is known.
    let known = anchor::read(store).ok().flatten();
    let mut sound = sound_headers(store)?;
    sound.retain(|header| known.is_none_or(|anchor| header.log == anchor.log));
    let Some((newest, start)) = newest(store, &mut sound)? else { return Ok(None) };
    let start = known.map_or(start, |anchor| later(start, anchor.start));
    let mut segments = vec![newest.id];
    let mut first = newest;
    while first.id > start.segment {
        let Some(before) = first.predecessor else { return Ok(None) };
        let is_it = |header: &SegmentHeader| {
            header.id == before.id && Identity::of(header) == before.identity
        };
        sound.retain(|header| header.id < before.id || is_it(header));
        let Some(header) = sound.pop() else { return Ok(None) };
        if !is_it(&header) {
            // It is missing: all that was gathered lies behind the damage.
            segments.clear();
        }
        segments.push(header.id);
        first = header;
    }
    segments.reverse();
    let whole = segments.first() == Some(&start.segment);
    Ok(whole.then_some(Chain { segments, start }))
}

/// The headers that can be read, oldest first.
fn sound_headers(store: &dyn SegmentStore) -> Result<Vec<SegmentHeader>> {
    let mut sound = Vec::new();
    for id in listed(store)? {
        match Segment::open(store, id) {
            Ok(Opened::Sound(segment)) => sound.push(segment.header),
            Ok(Opened::Begun | Opened::Garbled) => {}
            // Damaged, gone, or not to be read: the damage is there, then.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Corrupt | ErrorKind::NotFound | ErrorKind::Io
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sound)
}

/// Takes the newest segment in force out of `sound`, and where it says that the log begins.
fn newest(
    store: &dyn SegmentStore,
    sound: &mut Vec<SegmentHeader>,
) -> Result<Option<(SegmentHeader, Start)>> {
    while let Some(header) = sound.pop() {
        let segment = Segment::open_sound(store, header.id)?;
        let mut start = header.start;
        let scan = Scan::whole(&segment, &mut |frame| {
            if frame.header.kind == FrameKind::Start {
                start = Start::decode(&frame.body).unwrap_or(start);
            }
            Ok(())
        });
        match scan {
            // A recovery that a crash interrupted.
            Ok(scan) if scan.last_lsn < header.carried => {}
            Ok(_) => return Ok(Some((header, start))),
            Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(Some((header, start))),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
