//! Laws about crashes, also during recovery.
//!
//! The log of before stays open until the crash is done: what it does when it is dropped must not
//! help.

use wal_core::Result;

use super::story::Story;
use super::{LogCase, Outcome};
use crate::law::{Through, saw};
use crate::log_under_test::TracedLog;
use crate::{Call, Fault, FaultRule, Harm};

/// After how many operations a commit is cut off: before its write, between its write and its
/// sync, and about the frames and segments that come after.
const TEARING: [u64; 5] = [1, 0, 2, 3, 5];

pub(super) fn acknowledged_records_survive_a_crash(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    for round in 0..12 {
        story.append(&log, 90 * round)?;
        story.commit(&log, 300)?;
    }
    // Zeros are a payload as good as any.
    let lsn = story.append_bytes(&log, vec![0; 2000])?;
    story.wait(&log, lsn)?;
    case.crash()?;
    drop(log);
    let log = case.open()?;
    saw("records read", story.check(&log)?, (1, story.last()))?;
    Ok(log.close()?)
}

/// A sync that covers the first dirty block of many: what is committed in small pieces never has
/// more than one.
pub(super) fn what_takes_many_blocks_survives_a_crash(case: &mut LogCase<'_>) -> Outcome {
    let length = usize::try_from(case.unit().clamp(60_000, 100_000)).unwrap_or(60_000);
    let (log, mut story) = (case.open()?, Story::new());
    for records in 1..4 {
        let lsn = story.append_batch(&log, records, length / 10 * 12)?;
        story.wait(&log, lsn)?;
    }
    case.crash()?;
    drop(log);
    let log = case.open()?;
    saw("records read", story.check(&log)?, (1, story.last()))?;
    Ok(log.close()?)
}

pub(super) fn what_the_durable_lsn_covers_survives_a_crash(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    story.commit(&log, 100)?;
    for _ in 0..8 {
        story.append(&log, 700)?;
        story.append_batch(&log, 2, 200)?;
    }
    story.trusts(log.durable_lsn());
    case.crash()?;
    drop(log);
    let log = case.open()?;
    story.adopt(&log)?;
    Ok(log.close()?)
}

pub(super) fn recovery_finds_a_prefix(case: &mut LogCase<'_>) -> Outcome {
    for operations in TEARING {
        case.renew();
        let (log, mut story) = (case.open()?, Story::new());
        for round in 0..6 {
            story.append(&log, 100 * round)?;
            story.commit(&log, 700)?;
        }
        torn(case, &log, &mut story, operations)?;
        case.crash()?;
        drop(log);
        let log = case.open()?;
        story.adopt(&log)?;
        story.commit(&log, 20)?;
        story.check(&log)?;
        log.close()?;
    }
    Ok(())
}

pub(super) fn a_batch_is_whole_or_absent(case: &mut LogCase<'_>) -> Outcome {
    for operations in TEARING {
        case.renew();
        let (log, mut story) = (case.open()?, Story::new());
        story.commit(&log, 100)?;
        case.interrupt(operations)?;
        for (count, length) in [(5, 900), (2, 10), (7, 300)] {
            // Refused or not, what the storage has of it is found whole or not at all.
            let Ok(lsn) = story.append_batch(&log, count, length) else { break };
            if story.wait(&log, lsn).is_err() {
                break;
            }
        }
        case.crash()?;
        drop(log);
        let log = case.open()?;
        story.adopt(&log)?;
        log.close()?;
    }
    Ok(())
}

pub(super) fn closing_makes_everything_durable(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    for _ in 0..20 {
        story.append(&log, 250)?;
    }
    log.close()?;
    story.closed();
    case.crash()?;
    let log = case.open()?;
    saw("records read", story.check(&log)?, (1, 20))?;
    Ok(log.close()?)
}

pub(super) fn a_second_open_finds_the_same(case: &mut LogCase<'_>) -> Outcome {
    for operations in TEARING {
        case.renew();
        let (log, mut story) = (case.open()?, Story::new());
        torn(case, &log, &mut story, operations)?;
        case.crash()?;
        drop(log);
        let log = case.open()?;
        let found = story.adopt(&log)?;
        log.close()?;
        for _ in 0..2 {
            let log = case.open()?;
            saw("records read at a further open", story.check(&log)?, found)?;
            log.close()?;
        }
    }
    Ok(())
}

/// "Observed is durable": a reader who saw a record may have acted on it.
pub(super) fn what_was_seen_stays(case: &mut LogCase<'_>) -> Outcome {
    for operations in TEARING {
        case.renew();
        let (log, mut story) = (case.open()?, Story::new());
        torn(case, &log, &mut story, operations)?;
        case.crash()?;
        drop(log);
        let log = case.open()?;
        let found = story.adopt(&log)?;
        case.crash_hard()?;
        drop(log);
        let log = case.open()?;
        saw("records read after the second crash", story.check(&log)?, found)?;
        log.close()?;
    }
    Ok(())
}

/// The records of a dead process may be in the page cache and nowhere else. Who shows them without
/// writing and syncing them again shows what the next power cut takes away.
pub(super) fn what_is_seen_after_a_kill_stays(case: &mut LogCase<'_>) -> Outcome {
    // The process dies at a sync, so that what it wrote before is in the cache alone.
    for calls in 0..3 {
        case.renew();
        let (log, mut story) = (case.open()?, Story::new());
        story.commit(&log, 200)?;
        let fails = FaultRule::next(Call::Sync, Fault::Io).after(calls).forever();
        case.inflict(Harm::Fault(fails))?;
        for _ in 0..3 {
            let Ok(lsn) = story.append(&log, 700) else { break };
            if story.wait(&log, lsn).is_err() {
                break;
            }
        }
        case.inflict(Harm::Kill)?;
        drop(log);
        let log = case.open()?;
        let found = story.adopt(&log)?;
        case.crash()?;
        drop(log);
        let log = case.open()?;
        saw("records read after the crash", story.check(&log)?, found)?;
        log.close()?;
    }
    Ok(())
}

/// A log whose first tear was cut off in memory only was called corrupt at the second open, when
/// the torn segment was no longer the last.
pub(super) fn tear_after_tear_is_recovered(case: &mut LogCase<'_>) -> Outcome {
    let mut story = Story::new();
    for operations in TEARING {
        let log = case.open()?;
        story.adopt(&log)?;
        torn(case, &log, &mut story, operations)?;
        case.crash()?;
        drop(log);
    }
    let log = case.open()?;
    story.adopt(&log)?;
    Ok(log.close()?)
}

pub(super) fn a_crash_at_any_operation_loses_nothing(case: &mut LogCase<'_>) -> Outcome {
    case.at_every_operation(|case, operation| {
        let mut story = Story::new();
        case.interrupt(operation)?;
        let log = case.open();
        let worked = log.as_ref().map_err(Clone::clone).and_then(|log| work(log, &mut story));
        case.crash()?;
        drop(log);
        let log = case.open()?;
        story.adopt(&log)?;
        story.commit(&log, 30)?;
        story.check(&log)?;
        log.close()?;
        Ok(Through::of(&worked))
    })
}

pub(super) fn a_crash_in_recovery_loses_nothing(case: &mut LogCase<'_>) -> Outcome {
    case.at_every_operation(|case, operation| {
        let (log, mut story) = (case.open()?, Story::new());
        torn(case, &log, &mut story, 1)?;
        case.crash()?;
        drop(log);
        case.interrupt(operation)?;
        let log = case.open();
        let through = Through::of(&log);
        if let Ok(log) = &log
            && log.entries(wal_core::Lsn::FIRST).is_ok()
        {
            story.adopt(log)?;
        }
        case.crash()?;
        drop(log);
        let log = case.open()?;
        let found = story.adopt(&log)?;
        story.commit(&log, 40)?;
        log.close()?;
        let log = case.open()?;
        saw("records read in the end", story.check(&log)?, (found.0.max(1), found.1 + 1))?;
        log.close()?;
        Ok(through)
    })
}

/// Acknowledged records, and a commit of more that the power cuts off after so many operations.
fn torn(case: &LogCase<'_>, log: &TracedLog, story: &mut Story, operations: u64) -> Outcome {
    story.commit(log, 200)?;
    story.append_batch(log, 3, 150)?;
    story.commit(log, 600)?;
    case.interrupt(operations)?;
    // Each may be refused or not; the story takes it for possible.
    let more = |story: &mut Story| {
        story.append(log, 100)?;
        story.append_batch(log, 4, 500)?;
        let lsn = story.append(log, 900)?;
        story.wait(log, lsn)
    };
    let _ = more(story);
    Ok(())
}

fn work(log: &TracedLog, story: &mut Story) -> Result<()> {
    story.commit(log, 100)?;
    let batch = story.append_batch(log, 3, 1500)?;
    story.append(log, 50)?;
    story.wait(log, batch)?;
    story.append_batch(log, 2, 700)?;
    story.sync(log)?;
    story.commit(log, 5000)?;
    story.append(log, 10)?;
    story.sync(log)
}
