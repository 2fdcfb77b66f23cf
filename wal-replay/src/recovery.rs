//! [`recover`]: repairs what a crash left, and says where the writer goes on.

use std::time::{Duration, Instant};

use wal_core::format::{FrameKind, HEADER_LEN, Predecessor};
use wal_core::{
    CodecId, CurrentSegment, Env, Error, ErrorKind, LogId, Lsn, Position, Result, Resume,
    SegmentId, SegmentStore,
};

use crate::chain::listed;
use crate::fresh::{Carried, Fresh};
use crate::scan::{Ending, Scan};
use crate::segment::Segment;
use crate::survey::{Survey, look};

/// What a recovery needs to know of the log that it opens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecoverOptions {
    /// The codec of the records; [`CodecId::RAW`] takes any log.
    pub codec: CodecId,
    /// Flushes end on a multiple of this many bytes, a power of two from 8 on.
    pub alignment: u32,
    /// Bytes to prepare for a segment.
    pub segment_size: u64,
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
    /// Segments that were no part of the log any more, and are gone or go with the next segment.
    pub segments_dropped: u64,
    /// The codec that the log's newest segment names.
    pub codec: CodecId,
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
/// does not. Read are the newest segment and that one's header; of a log with one segment that
/// segment alone, and another log's in its place is that log.
pub fn recover(
    store: &dyn SegmentStore,
    env: &dyn Env,
    options: &RecoverOptions,
) -> Result<(Resume, Recovery)> {
    let began = Instant::now();
    let present = listed(store)?;
    let Some((survey, segment)) = look(store, &present)? else {
        return Ok(fresh_log(env, present));
    };
    survey.check_predecessor(store)?;
    let scanned = began.elapsed();
    check_codec(options.codec, &survey, &segment)?;
    let mut report = report(&survey, &segment);
    report.scan = scanned;
    let began = Instant::now();
    let resume = repair(store, env, options, &survey, &segment, &mut report)?;
    report.repair = began.elapsed();
    Ok((resume, report))
}

/// A log of its own; `present` are beginnings of a first segment that never came to be.
fn fresh_log(env: &dyn Env, present: Vec<SegmentId>) -> (Resume, Recovery) {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&env.random().to_le_bytes());
    id[8..].copy_from_slice(&env.random().to_le_bytes());
    let mut resume = Resume::fresh(LogId(id));
    resume.dead = present;
    if let Some(highest) = resume.dead.last() {
        resume.next_segment = highest.next();
    }
    let mut report = Recovery { first_lsn: Lsn::FIRST, ..Recovery::default() };
    report.segments_dropped = resume.dead.len() as u64;
    (resume, report)
}

fn check_codec(codec: CodecId, survey: &Survey, segment: &Segment) -> Result<()> {
    let written = survey.newest.codec;
    if codec == CodecId::RAW || written == CodecId::RAW || codec == written {
        return Ok(());
    }
    let what = format!("the log was written with codec {written}, not {codec}");
    Err(Error::new(ErrorKind::Unsupported, what).segment(segment.header.id))
}

fn report(survey: &Survey, segment: &Segment) -> Recovery {
    let mut report = Recovery {
        first_lsn: survey.chain.start.lsn,
        last_lsn: survey.tail.last_lsn,
        valid_records: survey.records(),
        segments: survey.chain.segments.len() as u64,
        segments_scanned: 1,
        bytes_scanned: survey.tail.scanned,
        segments_dropped: survey.dead.len() as u64,
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

fn repair(
    store: &dyn SegmentStore,
    env: &dyn Env,
    options: &RecoverOptions,
    survey: &Survey,
    segment: &Segment,
    report: &mut Recovery,
) -> Result<Resume> {
    let tail = &survey.tail;
    let mut resume = Resume::fresh(survey.newest.log);
    resume.epoch = survey.newest.epoch.next();
    resume.next_segment = survey.highest.next();
    resume.last_lsn = tail.last_lsn;
    let (before, passed_over) = predecessor(survey, segment);
    resume.predecessor = before;
    let begins = survey.chain.start;
    resume.start = (passed_over != Some(begins.segment)).then_some(begins);

    let doubt = tail.last_lsn > tail.doubt_lsn;
    let torn = matches!(tail.ending, Ending::Torn { .. });
    // What deletes or shortens a segment is to be known as durable before it is shown to have.
    let cuts =
        !survey.proven() && (!survey.dead.is_empty() || segment.header.predecessor.is_some());
    let deletes = tail.start != tail.vouched_start && !survey.dead.is_empty();
    if !(doubt || torn || cuts || deletes) {
        resume.dead = remove(store, survey.dead.clone());
        resume.dead.extend(passed_over);
        return Ok(resume);
    }
    let carried = carried(segment, tail)?;
    let fresh = Fresh {
        log: resume.log,
        id: resume.next_segment,
        epoch: resume.epoch,
        predecessor: before,
        last_lsn: tail.doubt_lsn,
        start: resume.start,
        carried: &carried,
        codec: if options.codec == CodecId::RAW { survey.newest.codec } else { options.codec },
        alignment: options.alignment,
        segment_size: options.segment_size,
    };
    let current = fresh.make(store, env)?;
    report.fresh_segment = Some(fresh.id);
    resume.dead = remove(store, survey.dead.iter().copied().chain(passed_over).collect());
    if let Some(before) = before
        && before.id == segment.header.id
    {
        let trimmed = store.trim(before.id, before.length + before.seal_len);
        trimmed
            .map_err(|cause| Error::io("trimming a segment failed", cause).segment(before.id))?;
    }
    resume.next_segment = fresh.id.next();
    resume.start = Some(current.open.start());
    resume.current = Some(current);
    Ok(resume)
}

/// What the next segment names as its predecessor. A newest segment of which nothing counts is
/// passed over; it must stay until the next one is durable, being the only word on what it cuts.
fn predecessor(survey: &Survey, segment: &Segment) -> (Option<Predecessor>, Option<SegmentId>) {
    if survey.tail.doubt > HEADER_LEN as u64 {
        return (Some(survey.tail.as_predecessor(segment)), None);
    }
    (segment.header.predecessor, Some(segment.header.id))
}

/// The frames in doubt.
fn carried(segment: &Segment, tail: &Scan) -> Result<Vec<Carried>> {
    let mut carried = Vec::new();
    if tail.last_lsn == tail.doubt_lsn {
        return Ok(carried);
    }
    Scan::whole(segment, &mut |frame| {
        if frame.offset >= tail.doubt && frame.header.kind == FrameKind::Records {
            carried.push(Carried {
                body: bytes::Bytes::copy_from_slice(&frame.body),
                transform: frame.header.transform,
                count: frame.header.count,
                timestamp: frame.header.timestamp,
            });
        }
        Ok(())
    })?;
    Ok(carried)
}

/// Removes these segments; gives back those that could not go now, and go with the next segment.
/// They are no part of the log, whether they lie there or not.
pub(crate) fn remove(store: &dyn SegmentStore, dead: Vec<SegmentId>) -> Vec<SegmentId> {
    if dead.is_empty() || store.remove(&dead).is_ok() { Vec::new() } else { dead }
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
