//! [`recover`]: repairs what a crash left, and says where the writer goes on.

use std::time::{Duration, Instant};

use wal_core::format::{Anchor, HEADER_LEN, Predecessor, round_up};
use wal_core::{
    CodecId, CurrentSegment, Env, Error, ErrorKind, Fenced, LogId, Lsn, Position, Result, Resume,
    SegmentId, SegmentStore,
};

use crate::anchor;
use crate::carried::Carried;
use crate::chain::listed;
use crate::damaged::Damaged;
use crate::fresh::Fresh;
use crate::scan::Ending;
use crate::segment::Segment;
use crate::survey::{Looked, Survey, look};

/// What a recovery needs to know of the log that it opens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecoverOptions {
    /// The codec of the records; [`CodecId::RAW`] takes any log. Another one takes a log that names it, and
    /// one that has no records.
    pub codec: CodecId,
    /// Flushes end on a multiple of this many bytes, a power of two from 8 on; or on a multiple of the
    /// [larger one](Recovery::alignment) that the log's newest segment names.
    pub alignment: u32,
    /// Bytes to prepare for a segment.
    pub segment_size: u64,
}

impl RecoverOptions {
    /// The most that a header makes this build pad a flush to, in bytes. A header can name up to 2 GiB,
    /// and each flush would take that.
    pub const LARGEST_ALIGNMENT: u32 = 1 << 20;
}

impl Default for RecoverOptions {
    fn default() -> Self {
        Self { codec: CodecId::RAW, alignment: 8, segment_size: 128 << 20 }
    }
}

/// What a recovery found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// The first record of the log.
    pub first_lsn: Lsn,
    /// The last record of the log; one less than the first where there is none.
    pub last_lsn: Lsn,
    /// Records in the log.
    pub valid_records: u64,
    /// Segments in the log.
    pub segments: u64,
    /// Segments that were read, but for headers; the others are vouched for by their successors.
    pub segments_scanned: u64,
    /// Bytes that were read.
    pub bytes_scanned: u64,
    /// Bytes of the torn tail that was cut, up to the last block that is not zero; 0 for none.
    pub bytes_truncated: u64,
    /// Where the torn tail began.
    pub torn_at: Option<Position>,
    /// Records that nothing vouched for and that were carried over into a fresh segment. They may
    /// have been acknowledged, and are durable now.
    pub records_carried: u64,
    /// Segments that were no part of the log any more, and are gone now.
    pub segments_dropped: u64,
    /// Segments that are no part of the log any more and still there: they are needed until the next
    /// segment is durable, or could not be removed, and are tried again then.
    pub segments_left: u64,
    /// Segments that were pruned before the repair, to make room for it, where the caller asked for
    /// that ([`prune_first`](crate::prune_first)).
    pub segments_pruned: u64,
    /// Bytes that they took up.
    pub bytes_pruned: u64,
    /// What was wrong with segments that the log does not begin before any more by that, as far as their
    /// headers were looked at.
    pub pruned_damaged: Vec<Damaged>,
    /// The codec that the log's newest segment names.
    pub codec: CodecId,
    /// What flushes are padded to from now on, in bytes: what the caller asked for, or what the log's
    /// newest segment names, where that is more. It is there because the disk may garble a whole block
    /// that is rewritten, and that holds whichever program opens the log.
    pub alignment: u32,
    /// The fresh segment, where one had to be made.
    pub fresh_segment: Option<SegmentId>,
    /// Time spent looking.
    pub scan: Duration,
    /// Time spent repairing.
    pub repair: Duration,
}

/// Repairs the log in `store` and says where a writer goes on. The caller holds the store's lock.
///
/// Nothing is ever rewritten in place. Where there is a torn tail, or records that nothing vouches
/// for, a *fresh segment* of a higher epoch is made: its header says how much of its predecessor
/// counts, and the records in doubt come along. All of it is durable when this returns, so that
/// what a recovery has once shown never disappears. A crash in the middle leaves the log as it was;
/// the second of two recoveries finds nothing to do.
///
/// Damage to what the log vouches for is an error of kind [`Corrupt`](ErrorKind::Corrupt), and
/// changes nothing. So is a newest segment that does not follow the one before it, as another log's
/// does not; an end that is missing, by the log's anchor; and anything else that has a segment's name
/// and is no sound segment of this log. Read are the newest segment, that one's header, and the header
/// of each segment that is no part of the log; of a log with one segment that segment alone, and
/// another log's in its place is that log where there is no anchor.
pub fn recover(
    store: &dyn SegmentStore,
    env: &dyn Env,
    options: &RecoverOptions,
) -> Result<(Resume, Recovery)> {
    let began = Instant::now();
    let known = anchor::read(store)?;
    let present = listed(store)?;
    let (survey, segment) = match look(store, &present, known.as_ref())? {
        Looked::Log(survey, segment) => (survey, segment),
        Looked::Nothing(remains) => {
            let (resume, mut report) = fresh_log(env, remains, &present);
            report.alignment = options.alignment;
            return Ok((resume, report));
        }
    };
    survey.check()?;
    let before_size = survey.check_predecessor(store)?;
    let scanned = began.elapsed();
    check_codec(options.codec, &survey, &segment)?;
    let mut options = options.clone();
    options.alignment = alignment(options.alignment, &segment)?;
    let mut report = report(&survey, &segment);
    report.alignment = options.alignment;
    report.scan = scanned;
    let began = Instant::now();
    let repair = Repair { store, env, options: &options, survey: &survey, segment: &segment };
    let resume = repair.run(before_size, known.as_ref(), &mut report)?;
    report.repair = began.elapsed();
    Ok((resume, report))
}

/// A log of its own; `begun`, of those `present`, are beginnings of a first segment that never came
/// to be.
fn fresh_log(env: &dyn Env, begun: Vec<SegmentId>, present: &[SegmentId]) -> (Resume, Recovery) {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&env.random().to_le_bytes());
    id[8..].copy_from_slice(&env.random().to_le_bytes());
    let mut resume = Resume::fresh(LogId(id));
    resume.dead = begun;
    if let Some(highest) = present.last() {
        resume.next_segment = highest.next();
    }
    let mut report = Recovery { first_lsn: Lsn::FIRST, ..Recovery::default() };
    report.segments_left = resume.dead.len() as u64;
    (resume, report)
}

/// A log in which nothing was written yet takes any codec. One that names none, and has records, has them as
/// plain bytes: they would be nonsense to the codec that is asked for, and what comes behind them to the
/// next program that opens the log without one.
fn check_codec(codec: CodecId, survey: &Survey, segment: &Segment) -> Result<()> {
    let written = survey.newest.codec;
    if codec == CodecId::RAW || codec == written {
        return Ok(());
    }
    let what = if written != CodecId::RAW {
        format!("the log was written with codec {written}, not {codec}")
    } else if survey.records() > 0 {
        format!("the records of the log were written as plain bytes, not with codec {codec}")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Unsupported, what).segment(segment.header.id))
}

/// The larger of what the caller asks for and what the newest segment was written with. A log never
/// gets less protection than it had because a tool, or a program with other settings, has opened it.
fn alignment(asked: u32, newest: &Segment) -> Result<u32> {
    let written = newest.header.alignment;
    if written > asked.max(RecoverOptions::LARGEST_ALIGNMENT) {
        let what = format!("flushes are padded to {written} bytes, more than this build writes");
        return Err(Error::new(ErrorKind::Unsupported, what).segment(newest.header.id));
    }
    Ok(asked.max(written))
}

fn report(survey: &Survey, segment: &Segment) -> Recovery {
    let mut report = Recovery {
        first_lsn: survey.chain.start.lsn,
        last_lsn: survey.tail.last_lsn,
        valid_records: survey.records(),
        segments: survey.chain.segments.len() as u64,
        segments_scanned: 1,
        bytes_scanned: survey.tail.scanned,
        codec: survey.newest.codec,
        records_carried: survey.tail.last_lsn.since(survey.tail.doubt_lsn),
        ..Recovery::default()
    };
    if let Ending::Torn { offset, bytes } = survey.tail.ending {
        report.bytes_truncated = bytes;
        report.torn_at = Some(Position { segment: segment.header.id, offset });
    }
    report
}

/// A log that is being repaired.
struct Repair<'a> {
    store: &'a dyn SegmentStore,
    env: &'a dyn Env,
    options: &'a RecoverOptions,
    survey: &'a Survey,
    segment: &'a Segment,
}

impl Repair<'_> {
    /// Repairs the log. Of the segment before the newest it is known that it has `before_size` bytes,
    /// if anything is.
    fn run(
        &self,
        before_size: Option<u64>,
        known: Option<&Anchor>,
        report: &mut Recovery,
    ) -> Result<Resume> {
        let Self { store, survey, segment, .. } = *self;
        let tail = &survey.tail;
        let mut resume = Resume::fresh(survey.newest.log);
        // No power cut gives an epoch out twice with records in both lives: a writer's first frame
        // comes behind the durable header and name of its segment, whatever the strategy syncs of the
        // frames, and the segment is still there where they are not. An epoch of which no segment is
        // left had no frame.
        resume.epoch = survey.newest.epoch.next();
        resume.next_segment = survey.highest.next();
        resume.last_lsn = tail.last_lsn;
        let (before, passed_over) = predecessor(survey, segment);
        resume.predecessor = before;
        let begins = survey.chain.start;
        resume.start = (passed_over != Some(begins.segment)).then_some(begins);

        let doubt = tail.last_lsn > tail.doubt_lsn;
        let torn = matches!(tail.ending, Ending::Torn { .. });
        // A segment without a frame may be in the cache alone, or in the cache alone without one: a refused
        // write that was blanked, say, comes back with a power cut. What it deletes or shortens is to be
        // known as durable before it is shown to have.
        let bare = !survey.proven();
        let cuts = bare && (!survey.dead.is_empty() || segment.header.predecessor.is_some());
        let vouched = begins == tail.vouched_start || self.settle_start(known)?;
        let deletes = !vouched && !survey.dead.is_empty();
        let mut obsolete = survey.dead.clone();
        // A fresh segment of an earlier recovery is in force once all that it carried is there. Where
        // that may be in a cache alone, a power cut puts its predecessor into force again.
        let stays = survey.proven() && tail.doubt_lsn >= segment.header.carried;
        if stays && vouched {
            // Before a fresh segment takes space: what was pruned is of no use, whatever comes, and
            // nor is what the segment before the newest has behind its end.
            let pruned = obsolete.partition_point(|&id| id < begins.segment);
            let later = obsolete.split_off(pruned);
            obsolete = remove(store, obsolete);
            obsolete.extend(later);
            if let (Some(size), Some(before)) = (before_size, segment.header.predecessor) {
                give_back(store, before, size)?;
            }
        }
        let fresh =
            (doubt || torn || bare || deletes).then(|| self.fresh(&resume, report)).transpose();
        let fresh = match fresh {
            // A torn tail alone can wait until the next segment cuts it off: it is found again till
            // then, as it was found now, and nothing is reported that could be lost. So can a bare segment
            // that cuts nothing, once it is synced.
            Err(error) if error.kind() == ErrorKind::StorageFull && !(doubt || cuts || deletes) => {
                None
            }
            fresh => fresh?,
        };
        let known_dead = survey.dead.len() as u64;
        let Some(current) = fresh else {
            if tail.ending != Ending::Sealed {
                // What was read of it may be in the cache alone, as the zeros over a refused write are until
                // they are synced: what is shown now stays.
                let synced = store.trim(segment.header.id, u64::MAX);
                synced.map_err(|cause| {
                    Error::io("syncing the newest segment failed", cause).segment(segment.header.id)
                })?;
            }
            resume.dead = remove(store, obsolete);
            report.segments_dropped = known_dead - resume.dead.len() as u64;
            resume.dead.extend(passed_over);
            report.segments_left = resume.dead.len() as u64;
            return Ok(resume);
        };
        // The anchor follows what is durable, and comes before anything that it knew goes.
        let header = current.open.header();
        let start = current.open.start();
        let told = Anchor::new(header.log, header.id, current.open.last_lsn(), start)
            .of_newest(header.first_lsn, current.open.durable_end());
        anchor::renew(store, &told)?;
        resume.dead = remove(store, obsolete.into_iter().chain(passed_over).collect());
        let all = known_dead + u64::from(passed_over.is_some());
        report.segments_left = resume.dead.len() as u64;
        report.segments_dropped = all - report.segments_left;
        // Either the newest segment, which was read, or the one before it, where that was: what has
        // that one's name and was not proven to be it may be anything.
        if let Some(before) = before
            && (passed_over.is_none() || before_size.is_some())
        {
            give_back(store, before, u64::MAX)?;
        }
        resume.next_segment = header.id.next();
        resume.start = Some(start);
        resume.current = Some(current);
        Ok(resume)
    }

    /// Whether the anchor says that the log begins where it does, which no segment vouches for. Where
    /// anything goes by that, it is written once more: the one that was read may be in a cache alone,
    /// left there by a process that died before its sync, or whose sync failed.
    fn settle_start(&self, known: Option<&Anchor>) -> Result<bool> {
        match known.filter(|anchor| anchor.start == self.survey.chain.start) {
            None => Ok(false),
            Some(_) if self.survey.dead.is_empty() => Ok(true),
            Some(anchor) => anchor::write(self.store, anchor).map(|()| true),
        }
    }

    fn fresh(&self, resume: &Resume, report: &mut Recovery) -> Result<CurrentSegment> {
        let Self { store, env, options, survey, segment } = *self;
        let fresh = Fresh {
            log: resume.log,
            id: resume.next_segment,
            epoch: resume.epoch,
            predecessor: resume.predecessor,
            last_lsn: survey.tail.doubt_lsn,
            start: resume.start,
            carried: Carried::Doubtful(segment, &survey.tail),
            codec: if options.codec == CodecId::RAW { survey.newest.codec } else { options.codec },
            alignment: options.alignment,
            segment_size: options.segment_size,
        };
        let current = fresh.make(store, env)?;
        report.fresh_segment = Some(current.open.header().id);
        Ok(current)
    }
}

/// Gives back the space behind what counts of a segment that a durable successor follows, where that
/// is more than a block: `size` is what it has. Where that fails it is put off, to the next open at
/// the latest; not so where the writer's place was taken.
pub(crate) fn give_back(store: &dyn SegmentStore, before: Predecessor, size: u64) -> Result<()> {
    let len = before.length + before.seal_len;
    if size <= round_up(len, HEADER_LEN as u64) {
        return Ok(());
    }
    match store.trim(before.id, len) {
        Err(cause) if Fenced::is_source_of(&cause) => {
            Err(Error::io("trimming a segment failed", cause).segment(before.id))
        }
        _ => Ok(()),
    }
}

/// What the next segment names as its predecessor. A newest segment of which nothing counts is
/// passed over; it must stay until the next one is durable, being the only word on what it cuts.
fn predecessor(survey: &Survey, segment: &Segment) -> (Option<Predecessor>, Option<SegmentId>) {
    if survey.tail.doubt > HEADER_LEN as u64 {
        return (Some(survey.tail.as_predecessor(segment)), None);
    }
    (segment.header.predecessor, Some(segment.header.id))
}

/// Removes these segments, which are proven to be this log's and no part of it any more; gives back
/// those that are still there, and go with the next segment.
pub(crate) fn remove(store: &dyn SegmentStore, dead: Vec<SegmentId>) -> Vec<SegmentId> {
    if dead.is_empty() || store.remove(&dead).is_ok() {
        return Vec::new();
    }
    // One that cannot go does not keep the others.
    let there = store.list();
    dead.into_iter()
        .filter(|id| there.as_ref().map_or(true, |there| there.binary_search(id).is_ok()))
        .collect()
}

/// The segment that a writer goes on in, as a truncation hands it on.
pub(crate) fn resumed(mut resume: Resume, current: CurrentSegment, dead: Vec<SegmentId>) -> Resume {
    resume.next_segment = current.open.header().id.next();
    resume.last_lsn = current.open.last_lsn();
    resume.predecessor = current.open.header().predecessor;
    resume.start = Some(current.open.start());
    resume.epoch = current.open.header().epoch;
    resume.current = Some(current);
    resume.dead = dead;
    resume
}
