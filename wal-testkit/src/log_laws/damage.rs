//! Laws about a medium that lies: rot, lost and misdirected writes, reads that fail or go wrong.
//!
//! All of them are about a log that was closed: everything in it is vouched for. Of a log that was
//! killed, the very last frames may look like a torn tail.

use wal_core::{ErrorKind, Lsn, Result};

use super::story::Story;
use super::{LogCase, Outcome};
use crate::law::{Saw, saw};
use crate::log_under_test::TracedLog;
use crate::{Call, Fault, FaultRule, Harm};

/// More writes than the work below makes.
const WRITES: u64 = 40;
/// More reads than an open and a read of all of it make.
const READS: u64 = 40;

/// Records in several segments.
fn fill(log: &TracedLog, story: &mut Story) -> Result<()> {
    for round in 0..9 {
        story.append(log, 400 * round)?;
        story.append_batch(log, 3, 300)?;
        story.sync(log)?;
    }
    Ok(())
}

fn closed(case: &LogCase<'_>) -> Result<Story, Saw> {
    let (log, mut story) = (case.open()?, Story::new());
    fill(&log, &mut story)?;
    log.close()?;
    Ok(story)
}

/// Opens and reads: the right records, all of them, or an error.
fn right_or_refused(case: &LogCase<'_>, story: &Story) -> Result<Option<ErrorKind>, Saw> {
    let log = match case.open() {
        Ok(log) => log,
        Err(error) => return Ok(Some(error.kind())),
    };
    match log.entries(Lsn::FIRST) {
        Ok(entries) => story.check_entries(&entries).map(|_| None),
        Err(error) => Ok(Some(error.kind())),
    }
}

pub(super) fn damage_is_loud(case: &mut LogCase<'_>) -> Outcome {
    let rot = (0..4).map(|n| Fault::WrongBit(n * 7919 + 1));
    let faults = [Fault::Ignored, Fault::Misdirected(512), Fault::Misdirected(4096)];
    for fault in faults.into_iter().chain(rot) {
        for nth in 0..WRITES {
            case.renew();
            case.inflict(Harm::Fault(FaultRule::next(Call::Write, fault).after(nth)))?;
            let mut story = Story::new();
            // Whoever notices at once has been loud.
            let Ok(log) = case.open() else { continue };
            if fill(&log, &mut story).is_err() || log.close().is_err() {
                continue;
            }
            // What is written from here on is written right.
            case.inflict(Harm::Kill)?;
            for _ in 0..2 {
                let Some(kind) = right_or_refused(case, &story)? else { continue };
                let loud = matches!(kind, ErrorKind::Corrupt | ErrorKind::Unsupported);
                saw(&format!("{kind:?} says that the log is damaged"), loud, true)?;
            }
        }
    }
    Ok(())
}

pub(super) fn a_failed_read_is_no_end(case: &mut LogCase<'_>) -> Outcome {
    for nth in 0..READS {
        case.renew();
        let story = closed(case)?;
        case.inflict(Harm::Fault(FaultRule::next(Call::Read, Fault::Io).after(nth)))?;
        right_or_refused(case, &story)?;
        whole(case, &story)?;
    }
    Ok(())
}

/// A bit that flips on the bus: the disk is right, and a recovery that cuts off what it took for
/// torn makes the error one for ever.
pub(super) fn a_wrong_read_destroys_nothing(case: &mut LogCase<'_>) -> Outcome {
    for nth in 0..READS {
        for number in 0..5 {
            case.renew();
            let story = closed(case)?;
            let fault = Fault::WrongBit(number * 104_729 + nth);
            case.inflict(Harm::Fault(FaultRule::next(Call::Read, fault).after(nth)))?;
            right_or_refused(case, &story)?;
            whole(case, &story)?;
        }
    }
    Ok(())
}

/// Once the fault is over, everything is there.
fn whole(case: &LogCase<'_>, story: &Story) -> Outcome {
    case.inflict(Harm::Kill)?;
    let log = case.open()?;
    saw("records read once the fault is over", story.check(&log)?, (1, story.last()))?;
    Ok(log.close()?)
}
