//! [`Verdict`]: which half is whole, before either is changed.

use std::io;

use wal_core::format::{HEADER_LEN, Identity};
use wal_core::{SegmentId, SegmentStore};

use super::run::{Head, Run};
use super::view::{Flaw, View, Word};
use super::{Half, Mismatch, plain};

/// What is to be done with two halves that belong together by their marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// What counts is the same in both.
    Same,
    /// This half is whole, and holds all that the other one does.
    Good(Half),
}

type Judged = Result<Verdict, Mismatch>;

impl Verdict {
    /// Reads all of both halves.
    pub(super) fn between(stores: [&dyn SegmentStore; 2]) -> io::Result<(Self, [View; 2])> {
        let views = [View::of(stores[0])?, View::of(stores[1])?];
        let unknown = views.iter().any(|view| view.unknown);
        let verdict = if unknown || !views.iter().any(View::has_format) {
            plain::judge(stores)?
        } else {
            judge(stores, &views)?
        };
        Ok((verdict?, views))
    }
}

fn judge(stores: [&dyn SegmentStore; 2], views: &[View; 2]) -> io::Result<Judged> {
    let [first, second] = views;
    if !one_log(first, second) {
        return Ok(Err(Mismatch::Diverged));
    }
    Ok(match (first.flaw, second.flaw) {
        (None, None) => both_whole(first, second),
        (None, Some(_)) => one_whole(stores, views, Half::First)?,
        (Some(_), None) => one_whole(stores, views, Half::Second)?,
        // Nothing to choose between: the log says what is wrong.
        _ if plain::identical(stores)? => Ok(Verdict::Same),
        (Some(Flaw::Segment(id)), _) | (_, Some(Flaw::Segment(id))) => Err(Mismatch::Damaged(id)),
        _ => Err(Mismatch::Short(Half::First)),
    })
}

/// Whether all that names a log names the same one, and each number one segment of it.
fn one_log(first: &View, second: &View) -> bool {
    let headers = |view: &View| {
        let ids = view.ids.clone();
        ids.into_iter().filter_map(|id| view.header(id).cloned()).collect::<Vec<_>>()
    };
    let (ones, others) = (headers(first), headers(second));
    let logs: Vec<_> = ones.iter().chain(&others).map(|header| header.log).collect();
    logs.windows(2).all(|pair| pair[0] == pair[1])
        && ones.iter().all(|one| {
            let same = second.header(one.id);
            same.is_none_or(|other| Identity::of(other) == Identity::of(one))
        })
}

/// The longer of two that are whole: of one lineage, it has all that the other has.
fn both_whole(first: &View, second: &View) -> Judged {
    let differs = || {
        let (one, other) = (first.log.as_ref()?, second.log.as_ref()?);
        let differs = |id: &&SegmentId| {
            let (link, others) = (one.chain.get(id), other.chain.get(id));
            link.zip(others).is_some_and(|(link, others)| {
                link.end == others.end && link.digest != others.digest
            })
        };
        one.chain.keys().find(differs).copied()
    };
    if let Some(id) = differs() {
        return Err(Mismatch::Damaged(id));
    }
    let (one, other) = (first.reach(), second.reach());
    if one != other {
        return Ok(Verdict::Good(if one > other { Half::First } else { Half::Second }));
    }
    if first.ids != second.ids {
        // No part of the log any more: where one half does without, so does the other.
        let fewer = second.ids.len() < first.ids.len();
        return Ok(Verdict::Good(if fewer { Half::Second } else { Half::First }));
    }
    Ok(Verdict::Same)
}

/// The one that is whole, unless the other knows of more.
fn one_whole(stores: [&dyn SegmentStore; 2], views: &[View; 2], good: Half) -> io::Result<Judged> {
    let (whole, flawed) = (&views[good.index()], &views[good.other().index()]);
    let store = stores[good.other().index()];
    let newest = whole.log.as_ref().map(|log| log.newest);
    let mut alone = 0;
    for (&id, head) in flawed.heads.iter().filter(|(id, _)| newest.is_none_or(|at| **id > at)) {
        let more = match head {
            // Made in one half alone, and nothing was written there.
            Head::Sound(header) => {
                alone += 1;
                alone > 1 || Run::last_seen(&*store.open(id)?, header)? > HEADER_LEN as u64
            }
            Head::Begun => false,
            Head::Strange | Head::Unknown => true,
        };
        if more {
            return Ok(Err(Mismatch::Damaged(id)));
        }
    }
    if let Some(log) = &whole.log
        && flawed.heads.contains_key(&log.newest)
        && let Some(header) = whole.header(log.newest)
    {
        let seen = Run::last_seen(&*store.open(log.newest)?, header)?;
        if seen > log.tail.end + log.tail.seal_len {
            return Ok(Err(Mismatch::Damaged(log.newest)));
        }
    }
    if let Word::Log(anchor) = &flawed.anchor {
        if whole.log.as_ref().is_some_and(|log| log.id != anchor.log) {
            return Ok(Err(Mismatch::Diverged));
        }
        if whole.ends() < Some((anchor.newest, anchor.last_lsn)) {
            return Ok(Err(Mismatch::Short(good.other())));
        }
    }
    Ok(Ok(Verdict::Good(good)))
}
