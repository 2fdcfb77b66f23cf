//! Laws about a storage that fails and a process that lives on.

use wal_core::{Lsn, Result};

use super::story::Story;
use super::{LogCase, Outcome};
use crate::law::{Saw, saw};
use crate::log_under_test::TracedLog;
use crate::{Call, Fault, FaultRule, Harm};

/// Many a sync is tried again and succeeds; it proves nothing, as the kernel has forgotten what it
/// was about. `PostgreSQL` has ended the process instead since 2018.
pub(super) fn nothing_is_acknowledged_after_a_failed_sync(case: &mut LogCase<'_>) -> Outcome {
    for fault in [Fault::Io, Fault::Dropped, Fault::AfterEffect] {
        case.renew();
        let (log, mut story) = (case.open()?, Story::new());
        story.commit(&log, 100)?;
        case.inflict(Harm::Fault(FaultRule::next(Call::Sync, fault)))?;
        let failed = story.append(&log, 100)?;
        saw("waiting through a failed sync fails", log.wait(failed).is_err(), true)?;
        for _ in 0..3 {
            saw("waiting once more fails", log.wait(failed).is_err(), true)?;
            saw("syncing after that fails", log.sync().is_err(), true)?;
            if let Ok(later) = story.append(&log, 50) {
                saw("waiting for a later record fails", log.wait(later).is_err(), true)?;
            }
        }
        saw("the durable LSN", log.durable_lsn(), Lsn::FIRST)?;
        // Reading goes on; what it shows is checked against what is durable.
        story.check(&log)?;
        drop(log);
        let log = case.open()?;
        story.adopt(&log)?;
        story.commit(&log, 10)?;
        log.close()?;
    }
    Ok(())
}

/// After a failed sync the page cache holds what the disk does not, and a sync of the reopened
/// file changes nothing about it: only bytes written anew are ever written.
pub(super) fn what_is_seen_after_a_failed_sync_stays(case: &mut LogCase<'_>) -> Outcome {
    for fault in [Fault::Io, Fault::Dropped, Fault::AfterEffect] {
        case.renew();
        let (log, mut story) = (case.open()?, Story::new());
        story.commit(&log, 100)?;
        case.inflict(Harm::Fault(FaultRule::next(Call::Sync, fault)))?;
        let failed = story.append(&log, 700)?;
        saw("waiting through a failed sync fails", log.wait(failed).is_err(), true)?;
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

pub(super) fn a_failed_write_loses_nothing_acknowledged(case: &mut LogCase<'_>) -> Outcome {
    let faults = [Fault::Io, Fault::StorageFull, Fault::Partial(5), Fault::Short(5)];
    for (fault, nth) in faults.into_iter().flat_map(|fault| (0..6).map(move |nth| (fault, nth))) {
        case.renew();
        let (log, mut story) = (case.open()?, Story::new());
        story.commit(&log, 100)?;
        case.inflict(Harm::Fault(FaultRule::next(Call::Write, fault).after(nth)))?;
        let worked = work(&log, &mut story);
        if matches!(fault, Fault::Short(_)) {
            worked?;
        }
        case.crash()?;
        drop(log);
        let log = case.open()?;
        story.adopt(&log)?;
        story.commit(&log, 10)?;
        story.check(&log)?;
        log.close()?;
    }
    Ok(())
}

pub(super) fn a_full_disk_loses_nothing_acknowledged(case: &mut LogCase<'_>) -> Outcome {
    for room in [0, 100, 1000, 5000, 20_000] {
        case.renew();
        let (log, mut story) = (case.open()?, Story::new());
        story.commit(&log, 100)?;
        case.leave_room(room)?;
        let full = (0..200).try_for_each(|_| story.commit(&log, 700).map(drop));
        saw("a record is refused once the disk is full", full.is_err(), true)?;
        story.check(&log)?;
        case.give_room()?;
        case.crash()?;
        drop(log);
        let log = case.open()?;
        story.adopt(&log)?;
        story.commit(&log, 700)?;
        story.check(&log)?;
        log.close()?;
    }
    goes_on(case)
}

/// With room again the log goes on, be it the same handle or one opened anew.
fn goes_on(case: &mut LogCase<'_>) -> Outcome {
    case.renew();
    let (log, mut story) = (case.open()?, Story::new());
    case.leave_room(3000)?;
    let full = (0..200).try_for_each(|_| story.commit(&log, 700).map(drop));
    saw("a record is refused once the disk is full", full.is_err(), true)?;
    case.give_room()?;
    let waiting = story.last();
    if story.wait(&log, Lsn::new(waiting)).is_ok() {
        story.commit(&log, 100)?;
    }
    story.check(&log)?;
    drop(log);
    let log = case.open()?;
    story.adopt(&log)?;
    let lsn = story.commit(&log, 100)?;
    if lsn.get() == story.last() { Ok(log.close()?) } else { Err(Saw::new("a gap in the LSNs")) }
}

/// Goes on after a wait that failed, as a caller may who did not look; gives the first failure.
/// An append that is refused ends it, since nobody knows then which number comes next.
fn work(log: &TracedLog, story: &mut Story) -> Result<()> {
    let mut first = Ok(());
    for _ in 0..4 {
        let waited = story.append(log, 300).map(|lsn| story.wait(log, lsn));
        let batch = story.append_batch(log, 2, 200).map(|lsn| story.wait(log, lsn));
        match (waited, batch) {
            (Ok(waited), Ok(batch)) => first = first.and(waited).and(batch),
            (Err(refused), _) | (_, Err(refused)) => return first.and(Err(refused)),
        }
    }
    first
}
