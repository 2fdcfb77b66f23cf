//! [`truncate`]: cuts the end of a log off, on purpose.

use wal_core::format::{Anchor, FrameKind, HEADER_LEN, Predecessor, Records, Start, push_record};
use wal_core::{Env, Error, ErrorKind, Lsn, Result, Resume, SegmentId, SegmentStore, Uncut};

use crate::anchor;
use crate::carried::{Carried, CarriedFrame};
use crate::chain::Chain;
use crate::frames::Frame;
use crate::fresh::{Fresh, NotMade};
use crate::recovery::{RecoverOptions, give_back, remove, resumed};
use crate::scan::Scan;
use crate::segment::Segment;
use crate::transforms::Transforms;

/// Cuts off every record behind `lsn`, in a log of which everything is written and durable.
///
/// A fresh segment of a higher epoch says how much of its predecessor counts; once it is durable,
/// what is behind goes. A crash in the middle leaves the whole log or the cut one. What was cut off
/// never comes back, and its LSNs are given out again. The log's anchor is lowered before anything is
/// cut: it never says more than there is.
///
/// # Errors
///
/// Where nothing was changed, as for want of space, the log comes back as it was.
pub fn truncate(
    store: &dyn SegmentStore,
    env: &dyn Env,
    options: &RecoverOptions,
    transforms: &Transforms,
    mut resume: Resume,
    lsn: Lsn,
) -> Result<Resume, Uncut> {
    if lsn >= resume.last_lsn {
        return Ok(resume);
    }
    let plan = match Plan::of(store, transforms, &resume, lsn) {
        Ok(plan) => plan,
        Err(error) => return Err(Uncut { error, log: Some(Box::new(resume)) }),
    };
    let Plan { cut, predecessor, start, kept, mut obsolete } = plan;
    if let Err(error) = lower(store, lsn, resume.start) {
        return Err(Uncut { error, log: Some(Box::new(resume)) });
    }
    let fresh = Fresh {
        log: resume.log,
        id: resume.next_segment,
        epoch: resume.epoch.next(),
        predecessor,
        last_lsn: cut.last_lsn,
        start,
        carried: Carried::Frame(cut.carried.clone()),
        codec: options.codec,
        alignment: options.alignment,
        segment_size: options.segment_size,
    };
    let current = match fresh.make(store, env) {
        Ok(current) => current,
        Err(NotMade { error, next: Some(next) }) => {
            resume.next_segment = next;
            return Err(Uncut { error, log: Some(Box::new(resume)) });
        }
        Err(NotMade { error, next: None }) => return Err(Uncut { error, log: None }),
    };
    let failed = |error| Uncut { error, log: None };
    let header = current.open.header();
    let told = Anchor::new(header.log, header.id, current.open.last_lsn(), current.open.start())
        .of_newest(header.first_lsn, current.open.durable_end());
    anchor::renew(store, &told).map_err(failed)?;
    obsolete.extend(&resume.dead);
    obsolete.sort_unstable();
    let left = remove(store, obsolete);
    if let Some(kept) = kept {
        give_back(store, kept, u64::MAX).map_err(failed)?;
    }
    Ok(resumed(resume, current, left))
}

/// Takes the anchor back to this record. It is the only word on the log's end that would be wrong after
/// the cut, and a wrong one would keep the log from opening; so nothing is cut before this is durable.
/// Where it is durable and nothing is cut, it says less than it could.
///
/// What it knows of the bytes of the newest segment stays: they are there until another one is in force, and
/// where the cut finds no room the log goes on with all of them.
///
/// It is written also where it says no more as it is read: what is read may be in a cache alone, left
/// there by a lowering that failed. And with it goes where the log begins as its writer knows it, for
/// the anchor that is read may have the start of a prune that failed, behind the cut.
fn lower(store: &dyn SegmentStore, lsn: Lsn, start: Option<Start>) -> Result<()> {
    let Some(known) = anchor::read(store)? else { return Ok(()) };
    let start = start.unwrap_or(known.start);
    let newest = known.newest.max(start.segment);
    let last_lsn = known.last_lsn.min(lsn).max(start.lsn.previous());
    let (first_lsn, end) = known.knows_of(newest);
    anchor::write(store, &Anchor::new(known.log, newest, last_lsn, start).of_newest(first_lsn, end))
}

/// What a truncation is to do.
struct Plan {
    cut: Cut,
    /// What the fresh segment follows.
    predecessor: Option<Predecessor>,
    /// Where the log begins; `None` for with the fresh segment.
    start: Option<Start>,
    /// The segment that is cut, where something of it stays.
    kept: Option<Predecessor>,
    /// The segments that go, each proven to be this log's.
    obsolete: Vec<SegmentId>,
}

impl Plan {
    fn of(
        store: &dyn SegmentStore,
        transforms: &Transforms,
        resume: &Resume,
        lsn: Lsn,
    ) -> Result<Self> {
        let invalid = |what| Err(Error::new(ErrorKind::Invalid, what).lsn(lsn));
        let newest = match &resume.current {
            Some(current) => current.open.as_predecessor(),
            None => match resume.predecessor {
                Some(predecessor) => predecessor,
                None => return invalid("the log has no records"),
            },
        };
        let Some(start) = resume.start else { return invalid("the log has no records") };
        if lsn < start.lsn.previous() {
            return invalid("the log begins behind the point to truncate after");
        }
        let chain = Chain::of_live(store, start, newest.id)?;
        let at = chain.find(store, lsn.next())?;
        let segment = Segment::open_sound(store, chain.segments[at])?;
        let end = end(store, &chain, at, newest)?;
        let cut = Cut::find(&segment, &end, transforms, lsn)?;
        let stays = cut.offset > HEADER_LEN as u64;
        let first_gone = if stays { at + 1 } else { at };
        let found = chain.removable(store, first_gone..chain.segments.len())?;
        if let Some(error) = found.strange.into_iter().chain(found.unreadable).next() {
            return Err(error);
        }
        let obsolete = found.proven;
        let kept = stays.then(|| Predecessor {
            id: segment.header.id,
            length: cut.offset,
            seal_len: 0,
            last_lsn: cut.last_lsn,
            identity: segment.identity,
            since: segment.header.since(),
        });
        let predecessor = kept.or(segment.header.predecessor.filter(|_| !stays));
        let start = (!obsolete.contains(&start.segment)).then_some(start);
        Ok(Self { cut, predecessor, start, kept, obsolete })
    }
}

/// How much of the segment at this place in the chain counts.
fn end(
    store: &dyn SegmentStore,
    chain: &Chain,
    at: usize,
    newest: Predecessor,
) -> Result<Predecessor> {
    let Some(&next) = chain.segments.get(at + 1) else { return Ok(newest) };
    Segment::open_sound(store, next)?.header.predecessor.ok_or_else(|| {
        Error::new(ErrorKind::Corrupt, "segment begins a log of its own").segment(next)
    })
}

/// Where a segment is cut: at a frame's beginning, with what counts of that frame carried over.
struct Cut {
    offset: u64,
    last_lsn: Lsn,
    carried: Option<CarriedFrame>,
}

impl Cut {
    fn find(
        segment: &Segment,
        end: &Predecessor,
        transforms: &Transforms,
        lsn: Lsn,
    ) -> Result<Self> {
        let mut cut = None;
        Scan::bounded(segment, end, &mut |frame| {
            let header = &frame.header;
            let holds = header.first_lsn <= lsn.next() && header.last_lsn() > lsn;
            if header.kind == FrameKind::Records && holds {
                let carried = (header.first_lsn <= lsn)
                    .then(|| shortened(segment, frame, transforms, lsn))
                    .transpose()?;
                let last_lsn = header.first_lsn.previous();
                cut = Some(Self { offset: frame.offset, last_lsn, carried });
            }
            Ok(())
        })?;
        let what = "segment does not hold the record that its header says";
        cut.ok_or_else(|| segment.corrupt(what, HEADER_LEN as u64, lsn.next()))
    }
}

/// The frame's records up to `lsn`.
fn shortened(
    segment: &Segment,
    frame: &Frame,
    transforms: &Transforms,
    lsn: Lsn,
) -> Result<CarriedFrame> {
    let header = &frame.header;
    let body = transforms.undo(header.transform, &frame.body)?;
    let keep = lsn.since(header.first_lsn.previous());
    let mut kept = Vec::new();
    let mut count = 0;
    for range in Records::new(&body, header.count) {
        let Some(range) = range else {
            let what = "frame does not hold the records it counts";
            return Err(segment.corrupt(what, frame.offset, header.first_lsn));
        };
        if u64::from(count) == keep {
            break;
        }
        push_record(&mut kept, &body[range]);
        count += 1;
    }
    let (transform, body) = transforms.redo(header.transform, kept)?;
    Ok(CarriedFrame { body, transform, count, timestamp: header.timestamp })
}
