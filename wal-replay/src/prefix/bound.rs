//! How much of a log counts before a segment that cannot be read.

use wal_core::format::{Anchor, FrameKind, HEADER_LEN, Seal, SegmentHeader, Start};
use wal_core::{Lsn, Result, SegmentId, SegmentStore};

use crate::anchor::later;
use crate::chain::is_damage;
use crate::frames::{FrameReader, Step};
use crate::scan::{Scan, if_readable, sealed_end};
use crate::segment::Segment;

/// What is known of the segments that cannot be read behind a sound one.
///
/// Each of them may be a truncation's, which cut off what lies before it. A rotation never did, nor a
/// recovery, whose carried records are the same ones. So what counts before them must be proven.
pub(super) struct Unread {
    /// How many there are at the least.
    number: u64,
    /// The first record of each, and where the log begins by its word; where all could be told by
    /// their frames.
    told: Option<(Lsn, Option<Start>)>,
    /// What the anchor says of the last record that counts, where it is the word of the first of them, or
    /// older than they are.
    anchored: Option<Lsn>,
    /// Whether the sound segment is whole.
    whole: bool,
}

impl Unread {
    /// Those of `unsound` behind the segment `last`, and before `behind`, which is sound, where there is
    /// one; and those that should be there.
    pub(super) fn between(
        store: &dyn SegmentStore,
        known: Option<&Anchor>,
        unsound: &[SegmentId],
        last: &SegmentHeader,
        behind: Option<&SegmentHeader>,
    ) -> Result<Self> {
        let before = behind.and_then(|behind| behind.predecessor);
        let ceiling = behind.map_or(SegmentId::new(u64::MAX), |behind| behind.id);
        let ids: Vec<_> =
            unsound.iter().copied().filter(|&id| id > last.id && id < ceiling).collect();
        let sealed = sealed_through(&Segment::open_sound(store, last.id)?)?;
        // Of a number that a recovery passed over nothing is asked: `behind` names a run that begins later, and
        // nothing lies there. It could also have been lost; but a truncation takes the seal of what it cuts.
        let next = last.id.next();
        let run = before.map_or(next, |before| before.since.max(next));
        let passed_over = run > next && sealed.is_some() && ids.iter().all(|&id| id >= run);
        let from = if passed_over { run } else { next };
        // The last of them.
        let anchored = known.filter(|_| behind.is_none()).map(|anchor| anchor.newest);
        let top = before.map(|before| before.id).or(anchored).max(ids.last().copied());
        let number = top.map_or(0, |top| top.next().get().saturating_sub(from.get()));
        let told = (ids.len() as u64 == number).then(|| told(store, last, &ids)).flatten();
        // And what was lost had records, which are missing between the two.
        let follows = |first: Lsn| sealed.is_some_and(|last| first <= last.next());
        let told = told.filter(|(first, _)| !passed_over || follows(*first));
        let anchored = known
            .filter(|anchor| behind.is_none() && anchor.newest <= last.id.next())
            .and_then(|anchor| counted(anchor, last));
        // A truncation takes the seal with it, before anything can follow its own segment; and within one
        // epoch there is none.
        let followed = if let (Some(behind), Some(before)) = (behind, before) {
            behind.epoch == last.epoch || before.since <= last.id
        } else {
            let absent = known.filter(|it| it.newest > last.id && !ids.contains(&it.newest));
            ids.len() + usize::from(absent.is_some()) > 1
        };
        let whole = followed && sealed.is_some();
        Ok(Self { number, told, anchored, whole })
    }

    /// Whether there are any.
    pub(super) fn is_any(&self) -> bool {
        self.number > 0
    }

    /// The last record that surely counts; `None` where that is true of none.
    pub(super) fn bound(&self) -> Option<Lsn> {
        match self.told {
            Some((first, _)) => Some(first.previous()),
            None if self.whole => Some(Lsn::MAX),
            None => self.anchored,
        }
    }

    /// Where the log begins by their word.
    pub(super) fn start(&self) -> Option<Start> {
        self.told.and_then(|(_, start)| start)
    }
}

/// The last record of a segment that has a seal: at the end of the file, or behind its frames, where a rotation
/// has left space behind it.
fn sealed_through(segment: &Segment) -> Result<Option<Lsn>> {
    if let Some(frame) = if_readable(sealed_end(segment))? {
        return Ok(Seal::decode(&frame.body).map(|seal| seal.max_lsn));
    }
    match Scan::whole(segment, &mut |_| Ok(())) {
        Ok(scan) => Ok((scan.seal_len > 0).then_some(scan.last_lsn)),
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The last record up to the end of `last` that counts by the word of this anchor, which names `last`, or
/// the segment behind it. Of that one it may know records, which overrule others of the same numbers.
fn counted(anchor: &Anchor, last: &SegmentHeader) -> Option<Lsn> {
    if anchor.newest <= last.id {
        return Some(anchor.last_lsn);
    }
    let first = Some(anchor.first_lsn).filter(|&first| first > Lsn::ZERO)?;
    Some(anchor.last_lsn.min(first.previous()))
}

/// The first record of the segments of these numbers, the lowest of them all, and the latest start that
/// their frames tell. `None` where one of them is not to be told.
fn told(
    store: &dyn SegmentStore,
    last: &SegmentHeader,
    ids: &[SegmentId],
) -> Option<(Lsn, Option<Start>)> {
    let (mut first, mut start) = (Lsn::MAX, None);
    for &id in ids {
        let segment = Segment::by_frames(store, id).filter(|it| it.header.log == last.log)?;
        first = first.min(segment.header.first_lsn);
        let mut frames = FrameReader::new(HEADER_LEN as u64, segment.size);
        while let Step::Frame(frame) = frames.step(&segment).ok()? {
            if frame.header.kind == FrameKind::Start
                && let Some(told) = Start::decode(&frame.body)
            {
                start = Some(start.map_or(told, |start| later(start, told)));
            }
        }
    }
    (first < Lsn::MAX).then_some((first, start))
}
