//! Laws about giving records up: from the front, and from the end.

use wal_core::{Lsn, Result};

use super::story::Story;
use super::{LogCase, Outcome};
use crate::law::{Saw, Through, saw};
use crate::log_under_test::TracedLog;

/// Enough records for several segments.
fn fill(log: &TracedLog, story: &mut Story) -> Result<()> {
    for _ in 0..10 {
        story.append(log, 800)?;
        story.append_batch(log, 2, 500)?;
        story.sync(log)?;
    }
    Ok(())
}

pub(super) fn pruning_gives_space_back(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    story.commit(&log, 100)?;
    // Many times what is kept at a time, and a small part of what is appended in all. A log that works
    // in units of its own has segments of several.
    let room = 400_000 + 12 * case.unit();
    let length = usize::try_from(room / 267).unwrap_or(usize::MAX);
    case.leave_room(room)?;
    for round in 0..100 {
        for _ in 0..10 {
            story.append(&log, length)?;
        }
        story.sync(&log).map_err(|error| {
            let bytes = 10 * length;
            Saw::new(format!("after {round} rounds of {bytes} bytes, all pruned: {error:?}"))
        })?;
        let last = Lsn::new(story.last());
        story.prunes_before(last);
        log.prune_before(last)?;
    }
    story.check(&log)?;
    Ok(log.close()?)
}

pub(super) fn pruning_keeps_the_rest(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    fill(&log, &mut story)?;
    for before in [1, 5, 14, 29] {
        story.prunes_before(Lsn::new(before));
        log.prune_before(Lsn::new(before))?;
        story.adopt(&log)?;
    }
    story.commit(&log, 100)?;
    saw("the last record", story.check(&log)?.1, 31)?;
    log.close()?;
    let log = case.open()?;
    saw("the last record after reopening", story.adopt(&log)?.1, 31)?;
    Ok(log.close()?)
}

pub(super) fn pruned_records_never_come_back(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    fill(&log, &mut story)?;
    story.prunes_before(Lsn::new(25));
    log.prune_before(Lsn::new(25))?;
    story.adopt(&log)?;
    story.commit(&log, 100)?;
    case.crash()?;
    drop(log);
    let log = case.open()?;
    story.adopt(&log)?;
    Ok(log.close()?)
}

pub(super) fn an_interrupted_prune_leaves_no_gap(case: &mut LogCase<'_>) -> Outcome {
    case.at_every_operation(|case, operation| {
        let (log, mut story) = (case.open()?, Story::new());
        fill(&log, &mut story)?;
        story.prunes_before(Lsn::new(28));
        case.interrupt(operation)?;
        let pruned = Through::of(&log.prune_before(Lsn::new(28)));
        case.crash()?;
        drop(log);
        let log = case.open()?;
        saw("the last record", story.adopt(&log)?.1, 30)?;
        story.commit(&log, 100)?;
        story.check(&log)?;
        log.close()?;
        Ok(pruned)
    })
}

pub(super) fn truncating_drops_the_rest(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    fill(&log, &mut story)?;
    for after in [29, 14, 13, 2, 0] {
        log.truncate_after(Lsn::new(after))?;
        story.truncated_after(Lsn::new(after));
        let wanted = if after == 0 { (0, 0) } else { (1, after) };
        saw("records read after the truncation", story.check(&log)?, wanted)?;
        saw("the next LSN", story.commit(&log, 300)?, Lsn::new(after + 1))?;
        story.check(&log)?;
    }
    log.close()?;
    let log = case.open()?;
    saw("records read after reopening", story.check(&log)?, (1, 1))?;
    Ok(log.close()?)
}

pub(super) fn truncated_records_never_come_back(case: &mut LogCase<'_>) -> Outcome {
    for after in [29, 15, 3] {
        case.renew();
        let (log, mut story) = (case.open()?, Story::new());
        fill(&log, &mut story)?;
        log.truncate_after(Lsn::new(after))?;
        story.truncated_after(Lsn::new(after));
        case.crash()?;
        drop(log);
        let log = case.open()?;
        saw("records read after the crash", story.adopt(&log)?, (1, after))?;
        story.commit(&log, 400)?;
        story.append(&log, 500)?;
        case.crash()?;
        drop(log);
        let log = case.open()?;
        story.adopt(&log)?;
        log.close()?;
    }
    Ok(())
}

pub(super) fn an_interrupted_truncation_leaves_a_prefix(case: &mut LogCase<'_>) -> Outcome {
    case.at_every_operation(|case, operation| {
        let (log, mut story) = (case.open()?, Story::new());
        fill(&log, &mut story)?;
        story.truncates_after(Lsn::new(15));
        case.interrupt(operation)?;
        let truncated = log.truncate_after(Lsn::new(15));
        if truncated.is_ok() {
            story.truncated_after(Lsn::new(15));
        }
        case.crash()?;
        drop(log);
        let log = case.open()?;
        story.adopt(&log)?;
        story.commit(&log, 400)?;
        case.crash()?;
        drop(log);
        let log = case.open()?;
        story.adopt(&log)?;
        log.close()?;
        Ok(Through::of(&truncated))
    })
}
