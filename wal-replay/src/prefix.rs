//! [`prefix`]: the part of a damaged log that comes before the damage.

use wal_core::format::{Anchor, FrameKind, Identity, SegmentHeader, Start};
use wal_core::{ErrorKind, Lsn, Result, SegmentId, SegmentStore};

use crate::anchor::{self, later};
use crate::chain::{Chain, is_damage, listed};
use crate::moved::changed;
use crate::scan::Scan;
use crate::segment::{Opened, Segment};
use crate::verify::{LOOKS, State};

mod bound;

use bound::Unread;

/// The segments of a damaged log from its beginning up to the damage, for a caller that wants to read
/// what is before it; `None` where nothing is. Changes nothing. Of a log without damage this is all of
/// it, and [`survey`](crate::survey) finds that cheaper: here every header is read.
///
/// A segment that is missing, or whose header is damaged, ends the chain before it. What it said may have
/// been that the records before it are cut off; so of those only such count as surely were not, up to
/// [`Chain::until`]: by the segments behind it, by the frames of the damaged segment itself, or by the
/// anchor. Damage inside a segment does not end the chain: a cursor over it ends there with the error.
///
/// A damaged log may have a writer, which an open does not keep from pruning and cutting: what it takes away
/// while the headers are read is not lost. So it is looked at again until nothing has changed meanwhile, and
/// [`Changed`](ErrorKind::Changed) says that this did not come.
pub fn prefix(store: &dyn SegmentStore) -> Result<Option<Chain>> {
    for _ in 0..LOOKS {
        let state = State::of(store);
        let found = look(store);
        if state == State::of(store) {
            return found;
        }
    }
    Err(changed())
}

/// A look at all of it.
fn look(store: &dyn SegmentStore) -> Result<Option<Chain>> {
    // What the anchor knows helps, and where it is damaged nothing is known.
    let known = anchor::read(store).ok().flatten();
    let present = listed(store)?;
    let (mut sound, unsound) = headers(store, &present, known.as_ref())?;
    let Some((newest, start)) = newest(store, &mut sound)? else { return Ok(None) };
    let start = known.map_or(start, |anchor| later(start, anchor.start));
    let unread = |last: &SegmentHeader, behind: Option<&SegmentHeader>| {
        Unread::between(store, known.as_ref(), &unsound, last, behind)
    };
    let above = unread(&newest, None)?;
    let mut until = Lsn::MAX;
    let mut start = start;
    if above.is_any() {
        let Some(bound) = above.bound() else { return Ok(None) };
        until = bound;
        start = above.start().map_or(start, |told| later(start, told));
    }
    // What cannot be read any more may have said that the log begins later.
    let outdated = above.is_any();
    let mut segments = vec![newest.id];
    let mut first = newest;
    while first.id > start.segment {
        let Some(before) = first.predecessor else { break };
        let is_it = |header: &SegmentHeader| {
            header.id == before.id && Identity::of(header) == before.identity
        };
        sound.retain(|header| header.id < before.id || is_it(header));
        let Some(header) = sound.pop() else {
            let pruned = outdated && present.binary_search(&before.id).is_err();
            if !pruned {
                return Ok(None);
            }
            start = Start { segment: first.id, lsn: first.first_lsn };
            break;
        };
        if !is_it(&header) {
            // It is missing or damaged: all that was gathered lies behind that.
            let Some(bound) = unread(&header, Some(&first))?.bound() else { return Ok(None) };
            until = until.min(bound);
            segments.clear();
        }
        segments.push(header.id);
        first = header;
    }
    segments.reverse();
    let whole = segments.first() == Some(&start.segment);
    Ok(whole.then_some(Chain { segments, start, until }))
}

/// The headers that can be read, oldest first, and the segments that cannot. What is surely another
/// log's is neither.
fn headers(
    store: &dyn SegmentStore,
    present: &[SegmentId],
    known: Option<&Anchor>,
) -> Result<(Vec<SegmentHeader>, Vec<SegmentId>)> {
    let (mut sound, mut unsound) = (Vec::new(), Vec::new());
    for &id in present {
        match Segment::open(store, id) {
            Ok(Opened::Sound(Segment { header, .. })) => {
                if known.is_none_or(|anchor| header.log == anchor.log) {
                    sound.push(header);
                }
            }
            Ok(Opened::Begun | Opened::Garbled) => {}
            // Damaged, gone, or not to be read: the damage is there, then.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Corrupt | ErrorKind::NotFound | ErrorKind::Io
                ) =>
            {
                unsound.push(id);
            }
            Err(error) => return Err(error),
        }
    }
    Ok((sound, unsound))
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
            Err(error) if is_damage(&error) => return Ok(Some((header, start))),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
