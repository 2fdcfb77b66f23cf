//! [`verify`]: every byte of a log, read and judged, and nothing changed.

use std::cmp::Reverse;
use std::error::Error as _;
use std::io;

use wal_core::format::{Anchor, FrameHeader, FrameKind, Predecessor, Records, SegmentHeader};
use wal_core::{
    Error, ErrorKind, Lsn, Position, Result, SegmentId, SegmentStore, TransformId, Unwritten,
    medium_failed,
};

use crate::anchor;
use crate::chain::{Chain, follows, listed};
use crate::frames::Frame;
use crate::moved::changed;
use crate::scan::{Ending, FrameNote, Scan};
use crate::segment::Segment;
use crate::stranger::Stranger;
use crate::survey::{Survey, inspect};
use crate::unfinished::CopyMark;

/// What [`verify`] found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verification {
    /// The worst of what was found.
    pub verdict: Verdict,
    /// Each segment of the log, oldest first, as far as they could be told.
    pub segments: Vec<SegmentVerdict>,
    /// What is wrong, worst first; empty where the log is clean.
    pub findings: Vec<Finding>,
    /// Segments that are there and no part of the log.
    pub dead: Vec<SegmentId>,
    /// The first record of the log, where that is known.
    pub first_lsn: Lsn,
    /// The last record that a recovery would return, where that is known.
    pub last_lsn: Lsn,
    /// Bytes behind the end of segments in space that was used before, of which nothing can be said.
    pub unjudged: u64,
}

/// How a log is, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// All that was looked at is as it was written: every header, frame and seal, and the space behind
    /// them where it reads as zeros until it is written. Not looked at is what lies behind the end in
    /// space that was used before ([`Verification::unjudged`]), and whether the last frames of a log that
    /// was not closed were more than these.
    Clean,
    /// Some bytes are not, and nothing that the log vouches for is hurt: a torn tail, the beginning
    /// of a segment, a damaged seal.
    Torn,
    /// Bytes that the log vouches for are damaged or missing.
    Corrupt,
}

/// One segment of the log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SegmentVerdict {
    /// Its number.
    pub id: SegmentId,
    /// Its header, if that is sound.
    pub header: Option<SegmentHeader>,
    /// What it holds, if it is sound.
    pub scan: Option<Scan>,
    /// Bytes it takes up, prepared space included.
    pub size: u64,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// What it is.
    pub what: String,
    /// The segment it is in.
    pub segment: Option<SegmentId>,
    /// Bytes from the start of the segment.
    pub offset: Option<u64>,
    /// The record it hits first, or the last that went with a missing segment, where that is known.
    pub lsn: Option<Lsn>,
}

/// Reads every byte of the log in `store` and says how it is; changes nothing, needs no lock, and
/// may be called beside a writer. `visit` gets every sound frame, oldest first and once.
///
/// What a writer does meanwhile is no damage. Segments that are pruned before they were read are left
/// out, and the log begins behind them. Where the log was cut or recovered, or just went on, what
/// looks like damage is looked at again; a log that is never the same twice is
/// [`Changed`](ErrorKind::Changed). A write under way may look torn.
///
/// Damage is a finding, not an error, and so is what the medium cannot read any more. An error is what
/// keeps it from reading at all: the list of segments, a lack of rights, or a format version that this
/// build does not know.
pub fn verify(store: &dyn SegmentStore, visit: &mut dyn FnMut(&FrameNote)) -> Result<Verification> {
    let (mut before, mut visited) = (None::<Vec<Finding>>, None);
    for _ in 0..LOOKS {
        let state = State::of(store);
        let mut once = |note: &FrameNote| {
            let place = (note.position.segment, note.position.offset);
            if visited.is_none_or(|visited| place > visited) {
                visited = Some(place);
                visit(note);
            }
        };
        match Verification::look(store, &mut once) {
            // A write under way looks torn, and is no more so for being looked at again: a log that grows
            // as fast as it is read would never be done.
            Ok(found) if found.verdict != Verdict::Corrupt => return Ok(found),
            Ok(found) => {
                let again = before.as_ref() == Some(&found.findings);
                if again || state == State::of(store) {
                    return Ok(found);
                }
                before = Some(found.findings);
            }
            // Gone since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound && state != State::of(store) => {}
            Err(error) => return Err(error),
        }
    }
    Err(changed())
}

/// How often a log that changes is looked at.
pub(crate) const LOOKS: usize = 16;

/// What changes with every segment that is made, pruned or cut off.
#[derive(PartialEq, Eq)]
pub(crate) struct State {
    anchor: Option<Anchor>,
    present: Option<Vec<SegmentId>>,
}

impl State {
    pub(crate) fn of(store: &dyn SegmentStore) -> Self {
        Self { anchor: anchor::read(store).ok().flatten(), present: listed(store).ok() }
    }
}

/// Reads every byte of the segments of `chain` before this place, which there is one at, and says what is
/// wrong with them, oldest first: for a caller that is about to delete them, and holds the log. Where the
/// system refuses one of them to this process, that ends the look, and is given back with what was found.
pub fn examine(
    store: &dyn SegmentStore,
    chain: &Chain,
    before: usize,
) -> (Vec<Finding>, Option<Error>) {
    let mut found = Verification::nothing();
    let ids = chain.segments.get(..=before).unwrap_or(&chain.segments);
    let refused = found.segments(store, ids, before, &mut |_| {}).err();
    (found.findings, refused)
}

impl Verification {
    fn nothing() -> Self {
        Self {
            verdict: Verdict::Clean,
            segments: Vec::new(),
            findings: Vec::new(),
            dead: Vec::new(),
            first_lsn: Lsn::ZERO,
            last_lsn: Lsn::ZERO,
            unjudged: 0,
        }
    }

    /// A look at all of it.
    fn look(store: &dyn SegmentStore, visit: &mut dyn FnMut(&FrameNote)) -> Result<Self> {
        let mut found = Self::nothing();
        match inspect(store) {
            Ok(Some(survey)) => found.log(store, &survey, visit)?,
            Ok(None) => found.begun(&listed(store)?),
            // Damage keeps it from being a log: each segment by itself, then. The mark of a copy is none.
            Err(error) => {
                found.note(&error)?;
                let mut there = listed(store)?;
                there.retain(|&id| id != CopyMark::ID || error.at_segment() != Some(id));
                found.segments(store, &there, there.len(), visit)?;
            }
        }
        found.findings.sort_by_key(|finding| Reverse(finding.verdict));
        Ok(found)
    }

    /// Whether this segment was pruned since the log was looked at, and is no part of it any more.
    fn is_pruned(&mut self, store: &dyn SegmentStore, id: SegmentId) -> bool {
        if self.first_lsn == Lsn::ZERO {
            return false;
        }
        let Some(now) = inspect(store).ok().flatten() else { return false };
        let pruned = now.chain.start.segment > id;
        if pruned {
            self.first_lsn = self.first_lsn.max(now.chain.start.lsn);
        }
        pruned
    }

    fn log(
        &mut self,
        store: &dyn SegmentStore,
        survey: &Survey,
        visit: &mut dyn FnMut(&FrameNote),
    ) -> Result<()> {
        self.first_lsn = survey.chain.start.lsn;
        self.last_lsn = survey.tail.last_lsn;
        self.dead.clone_from(&survey.dead);
        for stranger in &survey.strangers {
            self.stranger(stranger);
        }
        if let Some(error) = &survey.missing {
            self.note(error)?;
        }
        let begun: Vec<_> =
            survey.dead.iter().copied().filter(|&id| id > survey.newest.id).collect();
        self.begun(&begun);
        let first = survey.chain.segments.first().copied().unwrap_or_default();
        if let Some(first) = self.open(store, first)?
            && let Err(error) = survey.chain.check_start(&first.header)
        {
            self.note(&error)?;
        }
        if let Err(error) = survey.check_predecessor(store) {
            self.note(&error)?;
        }
        let all = &survey.chain.segments;
        self.segments(store, all, all.len(), visit)
    }

    /// So many of these segments, each bounded by the header of the one behind it.
    fn segments(
        &mut self,
        store: &dyn SegmentStore,
        ids: &[SegmentId],
        number: usize,
        visit: &mut dyn FnMut(&FrameNote),
    ) -> Result<()> {
        let mut successor = None;
        for (at, &id) in ids.iter().enumerate().take(number) {
            let segment = match successor.take() {
                Some(segment) => segment,
                None => self.open(store, id)?,
            };
            let next = ids.get(at + 1).map(|&next| self.open(store, next)).transpose()?;
            let bound = match (&segment, &next) {
                (Some(segment), Some(Some(next))) => {
                    match follows(&segment.header, segment.identity, &next.header) {
                        Ok(()) => next.header.predecessor,
                        Err(error) => {
                            self.note(&error)?;
                            None
                        }
                    }
                }
                _ => None,
            };
            // Which syncs what it wrote before it makes the next segment. Of a seal of another writer it
            // may have been read from a cache, and gone with that.
            let own = match (&segment, &next) {
                (Some(one), Some(Some(next))) => one.header.epoch == next.header.epoch,
                _ => false,
            };
            match segment {
                Some(segment) => self.segment(store, &segment, bound, own, visit)?,
                None if self.is_pruned(store, id) => {}
                None => {
                    self.segments.push(SegmentVerdict { id, header: None, scan: None, size: 0 });
                }
            }
            successor = next;
        }
        Ok(())
    }

    fn open(&mut self, store: &dyn SegmentStore, id: SegmentId) -> Result<Option<Segment>> {
        match Segment::open_sound(store, id) {
            Ok(segment) => Ok(Some(segment)),
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_pruned(store, id) => {
                Ok(None)
            }
            Err(error) => self.note(&error).map(|()| None),
        }
    }

    fn segment(
        &mut self,
        store: &dyn SegmentStore,
        segment: &Segment,
        bound: Option<Predecessor>,
        sealed_by_the_next: bool,
        visit: &mut dyn FnMut(&FrameNote),
    ) -> Result<()> {
        let id = segment.header.id;
        let mut visit = |frame: &Frame| {
            let position = Position { segment: id, offset: frame.offset };
            visit(&FrameNote { header: frame.header, position });
            records(segment, frame)
        };
        let scan = match bound {
            Some(bound) => Scan::bounded(segment, &bound, &mut visit),
            None => Scan::whole(segment, &mut visit),
        };
        let sound = scan.as_ref().is_ok_and(|scan| !matches!(scan.ending, Ending::Torn { .. }));
        // Its file may be another segment's by now.
        if !sound && segment.is_gone(store) && self.is_pruned(store, id) {
            return Ok(());
        }
        if let Err(error) = &scan {
            self.note(error)?;
        }
        let scan = scan.ok();
        if let Some(scan) = scan.as_ref().filter(|scan| scan.ending == Ending::Open)
            && bound.is_none()
            && segment.header.unwritten != Unwritten::Zeros
        {
            self.unjudged += segment.size.saturating_sub(scan.end);
        }
        if let Some(Ending::Torn { offset, bytes }) = scan.as_ref().map(|scan| scan.ending) {
            let seal = bound.is_some_and(|bound| bound.length == offset);
            let what = match bound {
                Some(_) if seal => "the seal is damaged; no record is hurt".to_owned(),
                // As where a write on a full disk was done in part, the frame of a prune took its place,
                // and the space behind the seal was never given back.
                Some(_) => format!("{bytes} bytes behind the seal that nothing vouches for"),
                None => format!("torn tail: {bytes} bytes that nothing vouches for"),
            };
            let bad = scan.as_ref().and_then(|scan| scan.unreadable);
            let bad = bad.map(|bad| format!("; the block at {bad} cannot be read"));
            let what = what + &bad.unwrap_or_default();
            if seal && sealed_by_the_next {
                let error = Error::new(ErrorKind::Corrupt, what).segment(id).offset(offset);
                self.note(&error)?;
            } else {
                // Of a tail, the record that it would have begun with.
                let lsn = bound.is_none().then(|| scan.as_ref().map(|scan| scan.last_lsn.next()));
                self.torn(what, id, Some(offset), lsn.flatten());
            }
        }
        let header = Some(segment.header.clone());
        self.segments.push(SegmentVerdict { id, header, scan, size: segment.size });
        Ok(())
    }

    /// Beginnings of segments that a crash interrupted.
    fn begun(&mut self, ids: &[SegmentId]) {
        for &id in ids {
            let what = "a segment whose making was interrupted: there is nothing in it";
            self.torn(what.to_owned(), id, None, None);
        }
    }

    fn torn(&mut self, what: String, segment: SegmentId, offset: Option<u64>, lsn: Option<Lsn>) {
        self.verdict = self.verdict.max(Verdict::Torn);
        let (verdict, segment) = (Verdict::Torn, Some(segment));
        self.findings.push(Finding { verdict, what, segment, offset, lsn });
    }

    /// What lies there and is no segment of this log, or cannot be read.
    fn stranger(&mut self, stranger: &Stranger) {
        let Stranger { id, error, .. } = stranger;
        let verdict = if stranger.may_be_begun() { Verdict::Torn } else { Verdict::Corrupt };
        self.verdict = self.verdict.max(verdict);
        let what = match error.kind() {
            ErrorKind::Io => unreadable(error),
            _ => error.what().to_owned(),
        };
        self.findings.push(Finding {
            verdict,
            what,
            segment: Some(*id),
            offset: error.at_offset(),
            lsn: error.at_lsn(),
        });
    }

    /// Takes damage as a finding, once, and passes on what is none.
    fn note(&mut self, error: &Error) -> Result<()> {
        let what = match error.kind() {
            ErrorKind::Corrupt => error.what().to_owned(),
            ErrorKind::Io if not_given(error) => unreadable(error),
            _ => return Err(error.clone()),
        };
        self.verdict = Verdict::Corrupt;
        let finding = Finding {
            verdict: Verdict::Corrupt,
            what,
            segment: error.at_segment(),
            offset: error.at_offset(),
            lsn: error.at_lsn(),
        };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
        Ok(())
    }
}

/// Whether this error says that the medium does not give what is in a segment, as a worn sector does: to
/// the caller that is what damage is. The error of a write, or of a call that the system refuses to this
/// process, is none of these.
pub fn is_unreadable(error: &Error) -> bool {
    error.kind() == ErrorKind::Io && error.is_of_reading() && not_given(error)
}

/// Whether the medium did not give the bytes of a segment.
fn not_given(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    error.at_segment().is_some() && cause.is_some_and(medium_failed)
}

fn unreadable(error: &Error) -> String {
    let cause = error.source().map_or(String::new(), |cause| format!(" ({cause})"));
    format!("cannot be read: {}{cause}", error.what())
}

/// Checks that a body which went through no transform is the records it counts.
fn records(segment: &Segment, frame: &Frame) -> Result<()> {
    let FrameHeader { kind, transform, count, first_lsn, .. } = frame.header;
    if kind != FrameKind::Records || transform != TransformId::NONE {
        return Ok(());
    }
    if Records::new(&frame.body, count).all(|record| record.is_some()) {
        return Ok(());
    }
    let what = "frame does not hold the records it counts";
    Err(segment.corrupt(what, frame.offset, first_lsn))
}
