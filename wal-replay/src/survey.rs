//! [`survey`]: a log as it lies there, read without changing anything.

use std::cmp::Ordering;

use wal_core::format::{Anchor, SegmentHeader, Start};
use wal_core::{Error, ErrorKind, LogId, Lsn, Result, SegmentId, SegmentStore};

use crate::anchor::{self, later, vanished};
use crate::chain::{Chain, follows, listed};
use crate::scan::{Ending, Scan};
use crate::segment::{Opened, Segment};
use crate::stranger::{Stranger, Useless, look_at, not_the_anchors, nothing_behind};
use crate::unfinished::CopyMark;

/// How often a log that changes is looked at before it is taken for what it seems.
const LOOKS: usize = 16;

/// A log as it lies there. Only its newest segment was read, and headers where numbers leave a gap.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Survey {
    /// The segments that make up the log.
    pub chain: Chain,
    /// The header of the newest segment in force.
    pub newest: SegmentHeader,
    /// What the newest segment holds.
    pub tail: Scan,
    /// Segments of this log, by their headers, that are there and are no part of it any more: pruned,
    /// cut off, or beginnings that a crash interrupted.
    pub dead: Vec<SegmentId>,
    /// What has a segment's name besides, and is no sound segment of this log; by number.
    pub strangers: Vec<Stranger>,
    /// What the log's anchor says and the segments do not: the end of the log is not there.
    pub missing: Option<Error>,
    /// The highest number there is.
    pub highest: SegmentId,
}

impl Survey {
    /// The last record that can be read.
    pub fn last_lsn(&self) -> Lsn {
        self.tail.last_lsn
    }

    /// How many records the log has.
    pub fn records(&self) -> u64 {
        self.tail.last_lsn.since(self.chain.start.lsn.previous())
    }

    /// Refuses a log that something strange lies beside, or whose end is missing: the strange thing
    /// with the highest number is named, for it may be the end.
    pub fn check(&self) -> Result<()> {
        match self.strangers.iter().rfind(|stranger| stranger.forbids()) {
            Some(stranger) => Err(stranger.error.clone()),
            None => self.missing.clone().map_or(Ok(()), Err),
        }
    }

    /// Whether the newest segment is known to have been durable before this process came: it holds
    /// a frame, and frames are written only into a segment whose name and header are durable.
    pub(crate) fn proven(&self) -> bool {
        self.tail.frames > 0 || self.tail.ending == Ending::Sealed
    }

    /// The newest segment follows the one before it, where that can be told, and is not another log's:
    /// by the word of that one this log would be cut, and go on. Costs one header. Where that header is
    /// damaged or cannot be read, nothing can be told, and the log opens as it does with damage further
    /// back: so it can be pruned.
    ///
    /// Gives back how long that segment is, where it could be told.
    pub(crate) fn check_predecessor(&self, store: &dyn SegmentStore) -> Result<Option<u64>> {
        let Some(before) = self.newest.predecessor else { return Ok(None) };
        let belongs = self.chain.segments.binary_search(&before.id).is_ok();
        if !belongs && !self.dead.contains(&before.id) {
            return Ok(None);
        }
        match Segment::open_sound(store, before.id) {
            Ok(segment) => {
                follows(&segment.header, segment.identity, &self.newest)?;
                Ok(belongs.then_some(segment.size))
            }
            // What was pruned may be gone by now.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Corrupt | ErrorKind::NotFound | ErrorKind::Io
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Reads the log in `store` without changing anything and without a lock, also while another
/// process writes it; `None` where there is no log.
///
/// Damage to what the log vouches for is an error of kind [`Corrupt`](ErrorKind::Corrupt), as far
/// as the newest segment, the list of segments and the anchor show it; [`verify`](crate::verify)
/// reads all. So is anything that has a segment's name and is none of this log: [`inspect`] names
/// all of these.
///
/// What stands in a *middle* segment's place, a text or a link that leads nowhere, is not looked at here:
/// the chain takes a run of numbers on the word of its last header, so that an open costs the same
/// however long the log is. A writer may go on in front of it, since it never touches what it has not
/// read: a reader that comes there is told, pruning leaves it alone and says so, and `verify`, which
/// reads all, names it.
pub fn survey(store: &dyn SegmentStore) -> Result<Option<Survey>> {
    let found = inspect(store)?;
    if let Some(survey) = &found {
        survey.check()?;
    }
    Ok(found)
}

/// As [`survey`], of a log that something strange lies beside, or whose end is missing, too:
/// [`Survey::strangers`] and [`Survey::missing`] tell.
pub fn inspect(store: &dyn SegmentStore) -> Result<Option<Survey>> {
    // A log that is being written can lose segments to pruning while it is looked at, their files
    // become others', and be truncated, which the anchor is told first. So nothing is wrong before it
    // was found twice with nothing changed in between. Frames are written beside a look at them, too,
    // and so damage counts once it was found twice at the same place.
    let (mut attempts, mut found_before) = (0, None::<Error>);
    loop {
        let known = anchor::read(store);
        let present = listed(store)?;
        let looked = match &known {
            Ok(known) => look(store, &present, known.as_ref()),
            Err(error) => Err(error.clone()),
        };
        let in_doubt = match &looked {
            Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt),
            Ok(Looked::Log(survey, _)) => survey.check().is_err(),
            Ok(Looked::Nothing(_)) => false,
        };
        if in_doubt && attempts < LOOKS {
            let now = anchor::read(store).ok();
            let changed = known.ok() != now || now.is_none() || listed(store)? != present;
            let gone = looked.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
            if changed || gone {
                attempts += 1;
                continue;
            }
            if let Err(error) = &looked
                && !found_before.as_ref().is_some_and(|before| before.is_like(error))
            {
                found_before = Some(error.clone());
                attempts += 1;
                continue;
            }
        }
        return looked.map(Looked::into_survey);
    }
}

/// What is in a store.
pub(crate) enum Looked {
    /// A log, and its newest segment, opened.
    Log(Box<Survey>, Segment),
    /// No log, or the beginnings of a first segment that never came to be.
    Nothing(Vec<SegmentId>),
}

impl Looked {
    fn into_survey(self) -> Option<Survey> {
        match self {
            Self::Log(survey, _) => Some(*survey),
            Self::Nothing(_) => None,
        }
    }
}

/// Looks at the log; `present` are all segments there are, listed after `anchor` was read.
pub(crate) fn look(
    store: &dyn SegmentStore,
    present: &[SegmentId],
    anchor: Option<&Anchor>,
) -> Result<Looked> {
    let mut above = Above::default();
    for &id in present.iter().rev() {
        let Some((segment, tail)) = above.step(store, id, anchor)? else { continue };
        return above.log(store, present, anchor, segment, tail);
    }
    above.nothing(anchor)
}

/// What lies above the newest segment in force.
#[derive(Default)]
struct Above {
    begun: Vec<SegmentId>,
    /// Recoveries, truncations or copies that a crash interrupted.
    interrupted: Vec<(SegmentId, LogId)>,
    strangers: Vec<Stranger>,
    /// The last record that an interrupted one relied on.
    relied_on: Option<(Lsn, SegmentHeader)>,
}

impl Above {
    /// Looks at the next lower number: the newest segment in force, with what it holds, or something
    /// above that.
    fn step(
        &mut self,
        store: &dyn SegmentStore,
        id: SegmentId,
        anchor: Option<&Anchor>,
    ) -> Result<Option<(Segment, Scan)>> {
        let segment = match Segment::open(store, id) {
            Ok(Opened::Sound(segment)) => segment,
            Ok(Opened::Begun) => {
                self.begun.push(id);
                return Ok(None);
            }
            Ok(Opened::Garbled) => {
                self.strangers.push(Stranger::garbled(id));
                return Ok(None);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let stranger = nothing_behind(store, id)?.ok_or(error)?;
                self.strangers.push(stranger);
                return Ok(None);
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                self.strangers.push(Stranger::new(id, error));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        // The mark of a copy may find the anchor of one begun there before.
        if let Some(anchor) = anchor
            && segment.header.log != anchor.log
            && CopyMark::read(&segment.header).is_none()
        {
            self.strangers.push(not_the_anchors(&segment, anchor.log));
            return Ok(None);
        }
        let tail = whole_tail(&segment, anchor.filter(|anchor| anchor.log == segment.header.log))?;
        if tail.last_lsn >= segment.header.carried {
            return Ok(Some((segment, tail)));
        }
        // A recovery or truncation that a crash interrupted: nothing was taken away from where the
        // records were before it was finished, and so the log is what it was. What it was to carry may
        // never have been durable; what it found vouched for was.
        let before = segment.header.predecessor.map_or(Lsn::ZERO, |before| before.last_lsn);
        self.interrupted.push((id, segment.header.log));
        if self.relied_on.as_ref().is_none_or(|(lsn, _)| before > *lsn) {
            self.relied_on = Some((before, segment.header));
        }
        Ok(None)
    }

    /// The log that ends with this segment.
    fn log(
        self,
        store: &dyn SegmentStore,
        present: &[SegmentId],
        anchor: Option<&Anchor>,
        segment: Segment,
        tail: Scan,
    ) -> Result<Looked> {
        let Self { begun: mut dead, interrupted, mut strangers, relied_on } = self;
        let id = segment.header.id;
        let log = segment.header.log;
        if let Some((lsn, relying)) = relied_on
            && tail.last_lsn < lsn
        {
            return Err(gone(&relying, lsn));
        }
        // Pruned on a full disk, where only the anchor had the space to say so.
        let begins = anchor.map_or(tail.start, |anchor| later(tail.start, anchor.start));
        check_start(begins, &segment.header)?;
        let chain = Chain::new(store, present, begins, &segment.header)?;
        for (other, its) in interrupted {
            if its == log {
                dead.push(other);
            } else {
                let what = format!("this segment belongs to log {its}, not to log {log}");
                let error = Error::new(ErrorKind::Corrupt, what).segment(other).offset(0);
                strangers.push(Stranger::new(other, error));
            }
        }
        let belongs = |id: &SegmentId| chain.segments.binary_search(id).is_ok();
        for &other in present.iter().filter(|&other| *other < id && !belongs(other)) {
            match look_at(store, log, other)? {
                Useless::Obsolete => dead.push(other),
                Useless::Strange(stranger) => strangers.push(stranger),
                Useless::Gone => {}
            }
        }
        dead.sort_unstable();
        strangers.sort_unstable_by_key(|stranger| stranger.id);
        let ends_early = |anchor: &&Anchor| id < anchor.newest || tail.last_lsn < anchor.last_lsn;
        let missing = anchor.filter(ends_early).map(|anchor| vanished(anchor, Some(tail.last_lsn)));
        let highest = present.last().copied().unwrap_or(id);
        let newest = segment.header.clone();
        let survey = Survey { chain, newest, tail, dead, strangers, missing, highest };
        Ok(Looked::Log(Box::new(survey), segment))
    }

    /// There is no segment in force.
    fn nothing(self, anchor: Option<&Anchor>) -> Result<Looked> {
        if let Some((lsn, relying)) = &self.relied_on
            && (CopyMark::read(relying).is_some() || self.strangers.is_empty())
        {
            return Err(gone(relying, *lsn));
        }
        // The highest, which may be what is left of the end.
        if let Some(stranger) = self.strangers.iter().find(|stranger| stranger.forbids()) {
            return Err(stranger.error.clone());
        }
        if let Some((lsn, relying)) = &self.relied_on {
            return Err(gone(relying, *lsn));
        }
        if let Some(anchor) = anchor {
            return Err(vanished(anchor, None));
        }
        let mut begun = self.begun;
        begun.sort_unstable();
        Ok(Looked::Nothing(begun))
    }
}

/// A log begins with the first record of one of its segments: of the newest, or of one before it.
fn check_start(begins: Start, newest: &SegmentHeader) -> Result<()> {
    let what = match begins.segment.cmp(&newest.id) {
        Ordering::Less if begins.lsn <= newest.first_lsn => return Ok(()),
        Ordering::Equal if begins.lsn == newest.first_lsn => return Ok(()),
        Ordering::Equal => "the log's start is not the first record of its segment",
        _ => "the log's start is behind its end",
    };
    Err(Error::new(ErrorKind::Corrupt, what).segment(newest.id).lsn(begins.lsn))
}

/// What the last segment of a log holds, if it has all the space that it was made with. A seal is
/// written before space is given back, so where there is none it was cut from outside, and records
/// that were acknowledged may be gone with what was cut off.
///
/// And if it holds what its anchor knows to have been durable of it: of a log that was closed all, the
/// seal included; of one that was repaired all that was carried over, and the mark behind it.
fn whole_tail(segment: &Segment, anchor: Option<&Anchor>) -> Result<Scan> {
    // What an anchor knows that was written before this segment was there is the copy in its predecessor:
    // a copy that was carried over since may be in the page cache alone, where its sync has failed, and the
    // predecessor stays needed.
    let known = anchor.filter(|anchor| anchor.newest == segment.header.id);
    let scan = Scan::tail(segment, known);
    if let (Ok(scan), Some(anchor)) = (&scan, known) {
        let end = scan.end + scan.seal_len;
        if end < anchor.durable_end {
            let what = "frame is damaged or missing, and the log's anchor vouches for it";
            return Err(segment.corrupt(what, end, scan.last_lsn.next()));
        }
    }
    let sealed = |scan: &Scan| scan.seal_len > 0;
    // What could not be read says nothing of the file's length.
    let unread = scan.as_ref().is_err_and(|error| error.kind() != ErrorKind::Corrupt);
    if segment.size >= segment.header.space || unread || scan.as_ref().is_ok_and(sealed) {
        return scan;
    }
    let what = "the file is shorter than its writer left it";
    let next = scan.map_or(segment.header.first_lsn, |scan| scan.last_lsn.next());
    Err(segment.corrupt(what, segment.size, next))
}

fn gone(relying: &SegmentHeader, lsn: Lsn) -> Error {
    if let Some(mark) = CopyMark::read(relying) {
        return mark.error();
    }
    let what = "records are gone that an interrupted recovery relied on";
    Error::new(ErrorKind::Corrupt, what).segment(relying.id).lsn(lsn)
}
