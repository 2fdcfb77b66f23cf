//! Laws about how a replay ends, and what it says then.

use wal_core::{Error, ErrorKind, Lsn, ReplayReport};

use super::past::{Past, State};
use super::{EngineCase, Outcome};
use crate::law::{Saw, saw};

pub(super) fn an_empty_log_is_no_work(case: &mut EngineCase<'_>) -> Outcome {
    let engine = case.part_opened()?;
    let mut state = State::default();
    let report = engine.replay(&mut std::iter::empty(), &mut state)?;
    saw("entries applied", state.applied.len(), 0)?;
    let ReplayReport { first_lsn, last_lsn, entries, bytes, applied, skipped, .. } = report;
    saw("the LSNs in the report", (first_lsn, last_lsn), (Lsn::ZERO, Lsn::ZERO))?;
    saw("the counts in the report", [entries, bytes, applied, skipped], [0; 4])
}

pub(super) fn no_group_is_empty(case: &mut EngineCase<'_>) -> Outcome {
    for count in [0, 1, 2, 3, 64, 100, 128, 1000, 1024] {
        let engine = case.part_opened()?;
        let mut state = State::default();
        case.history().note(format!("replay {count} entries"));
        engine.replay(&mut Past::new(1, count).read(), &mut state)?;
        saw("groups with nothing in them", state.groups.iter().filter(|&&n| n == 0).count(), 0)?;
    }
    Ok(())
}

pub(super) fn the_report_adds_up(case: &mut EngineCase<'_>) -> Outcome {
    case.each_seed(80, |case, seed| {
        let engine = case.part_opened()?;
        let count = [1, 5, 300][usize::try_from(seed % 3).expect("below three")];
        let (past, mut state) = (Past::new(seed, count), State::default());
        case.history().note(format!("replay {count} entries"));
        let report = engine.replay(&mut past.read(), &mut state)?;
        let entries = past.entries();
        let ends = (entries.first().map(|entry| entry.lsn), entries.last().map(|entry| entry.lsn));
        saw("the LSNs in the report", (Some(report.first_lsn), Some(report.last_lsn)), ends)?;
        saw("entries read", report.entries, count as u64)?;
        let bytes: usize = entries.iter().map(|entry| entry.payload.len()).sum();
        saw("bytes read", report.bytes, bytes as u64)?;
        let passed_over = past.passed_over();
        saw("entries passed over", report.skipped, passed_over)?;
        saw("entries applied", report.applied, count as u64 - passed_over)
    })
}

pub(super) fn a_failing_log_ends_the_replay(case: &mut EngineCase<'_>) -> Outcome {
    case.each_seed(80, |case, seed| {
        let engine = case.part_opened()?;
        let (past, mut state) = (Past::new(seed, 200), State::default());
        let at = usize::try_from(seed * 7 % 200).expect("below 200");
        let mut read = past.read().enumerate().map(|(index, entry)| {
            let broken = || Error::new(ErrorKind::Corrupt, "the log is broken, on purpose");
            if index == at { Err(broken().lsn(Lsn::new(4711))) } else { entry }
        });
        case.history().note(format!("replay 200 entries, number {at} an error"));
        let error = engine.replay(&mut read, &mut state).err();
        let seen = error.as_ref().map(|error| (error.kind(), error.at_lsn()));
        saw("the log's error", seen, Some((ErrorKind::Corrupt, Some(Lsn::new(4711)))))?;
        let before = &past.entries()[..at];
        let behind = state.applied.iter().find(|lsn| !before.iter().any(|e| e.lsn == **lsn));
        saw("an entry applied from behind the error", behind, None)?;
        state.places().map(drop)
    })
}

pub(super) fn a_failing_target_ends_the_replay(case: &mut EngineCase<'_>) -> Outcome {
    case.each_seed(80, |case, seed| {
        let engine = case.part_opened()?;
        let past = Past::new(seed, 200);
        let mut whole = State::default();
        engine.replay(&mut past.read(), &mut whole)?;
        let groups = whole.groups.len();
        let at = usize::try_from(seed).unwrap_or(0) * 7 % groups.max(1);
        let mut state = State { fails_at: Some(at), ..State::default() };
        case.history().note(format!("replay 200 entries, group {at} of {groups} fails"));
        let Err(error) = engine.replay(&mut past.read(), &mut state) else {
            return Err(Saw::new("the target failed, and the replay did not"));
        };
        saw("the target's error", error.kind(), ErrorKind::Invalid)?;
        saw("groups given to the target", state.groups.len(), at + 1)
    })
}
