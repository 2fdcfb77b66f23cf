//! [`truncate`]: cuts the end of a log off, on purpose.

use wal_core::format::{FrameKind, HEADER_LEN, Predecessor, Records, push_record};
use wal_core::{Env, Error, ErrorKind, Lsn, Result, Resume, SegmentStore};

use crate::chain::Chain;
use crate::frames::Frame;
use crate::fresh::{Carried, Fresh};
use crate::recovery::{RecoverOptions, remove, resumed};
use crate::scan::Scan;
use crate::segment::Segment;
use crate::transforms::Transforms;

/// Cuts off every record behind `lsn`, in a log of which everything is written and durable.
///
/// A fresh segment of a higher epoch says how much of its predecessor counts; once it is durable,
/// what is behind goes. A crash in the middle leaves the whole log or the cut one. What was cut off
/// never comes back, and its LSNs are given out again.
pub fn truncate(
    store: &dyn SegmentStore,
    env: &dyn Env,
    options: &RecoverOptions,
    transforms: &Transforms,
    resume: Resume,
    lsn: Lsn,
) -> Result<Resume> {
    let invalid = |what| Err(Error::new(ErrorKind::Invalid, what).lsn(lsn));
    if lsn >= resume.last_lsn {
        return Ok(resume);
    }
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

    let mut dead = resume.dead.clone();
    dead.extend(&chain.segments[at + 1..]);
    let predecessor = if cut.offset > HEADER_LEN as u64 {
        let identity = segment.identity;
        let id = segment.header.id;
        let since = segment.header.since();
        let (length, last_lsn) = (cut.offset, cut.last_lsn);
        Some(Predecessor { id, length, seal_len: 0, last_lsn, identity, since })
    } else {
        dead.push(segment.header.id);
        segment.header.predecessor
    };
    dead.sort_unstable();
    let fresh = Fresh {
        log: resume.log,
        id: resume.next_segment,
        epoch: resume.epoch.next(),
        predecessor,
        last_lsn: cut.last_lsn,
        start: (!dead.contains(&start.segment)).then_some(start),
        carried: cut.carried.as_slice(),
        codec: options.codec,
        alignment: options.alignment,
        segment_size: options.segment_size,
    };
    let current = fresh.make(store, env)?;
    let kept = !dead.contains(&segment.header.id);
    let left = remove(store, dead);
    if kept {
        let trimmed = store.trim(segment.header.id, cut.offset);
        trimmed.map_err(|cause| {
            Error::io("trimming a segment failed", cause).segment(segment.header.id)
        })?;
    }
    Ok(resumed(resume, current, left))
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
    carried: Option<Carried>,
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
) -> Result<Carried> {
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
    Ok(Carried { body, transform, count, timestamp: header.timestamp })
}
