//! Laws about what is applied, and in which order.

use std::collections::BTreeMap;

use wal_core::{Lsn, Scope};

use super::past::{Past, State, scope};
use super::{EngineCase, Outcome};
use crate::law::{Saw, saw};

/// Replays a log for each of many seeds, and lets `check` see what came of it.
fn replayed(case: &mut EngineCase<'_>, check: impl Fn(&Past, &State) -> Outcome) -> Outcome {
    for count in [1, 2, 7, 100, 1500] {
        case.each_seed(if count > 1000 { 20 } else { 60 }, |case, seed| {
            let engine = case.part_opened()?;
            let (past, mut state) = (Past::new(seed, count), State::default());
            case.history().note(format!("replay {count} entries"));
            engine.replay(&mut past.read(), &mut state)?;
            check(&past, &state)
        })?;
    }
    Ok(())
}

pub(super) fn every_entry_is_applied_once(case: &mut EngineCase<'_>) -> Outcome {
    replayed(case, |past, state| {
        let places = state.places()?;
        let missing =
            past.entries().iter().map(|entry| entry.lsn).find(|lsn| !places.contains_key(lsn));
        saw("the first entry that was not applied", missing, None)?;
        saw("entries applied", places.len(), past.entries().len())
    })
}

pub(super) fn entries_of_a_key_keep_their_order(case: &mut EngineCase<'_>) -> Outcome {
    replayed(case, |past, state| {
        let places = state.places()?;
        let mut last: BTreeMap<Vec<u8>, (usize, Lsn)> = BTreeMap::new();
        for entry in past.entries() {
            let Scope::Key(key) = scope(entry) else { continue };
            let Some(&place) = places.get(&entry.lsn) else { continue };
            if let Some((before, earlier)) = last.insert(key, (place, entry.lsn))
                && place < before
            {
                let lsn = entry.lsn;
                return Err(Saw::new(format!("entry {lsn} before {earlier}, of the same key")));
            }
        }
        Ok(())
    })
}

/// A table dropped and made again, replayed by key alone: rows of the old one came back in the new.
pub(super) fn nothing_crosses_a_barrier(case: &mut EngineCase<'_>) -> Outcome {
    replayed(case, |past, state| {
        let places = state.places()?;
        let place = |lsn: &Lsn| places.get(lsn).copied();
        // The last place used before the newest barrier, and before the one at hand.
        let (mut barrier, mut highest) = (None, None);
        for entry in past.entries() {
            let Some(here) = place(&entry.lsn) else { continue };
            if barrier.is_some_and(|barrier| here < barrier) {
                return Err(Saw::new(format!("entry {} before a barrier it is behind", entry.lsn)));
            }
            if scope(entry) == Scope::Barrier {
                if highest.is_some_and(|highest| highest > here) {
                    let lsn = entry.lsn;
                    return Err(Saw::new(format!("barrier {lsn} before an entry it is behind")));
                }
                barrier = Some(here);
            }
            highest = highest.max(Some(here));
        }
        Ok(())
    })
}

pub(super) fn the_state_is_that_of_the_log(case: &mut EngineCase<'_>) -> Outcome {
    replayed(case, |past, state| saw("the state", &state.values, &past.state().values))
}

pub(super) fn a_second_replay_gives_the_same(case: &mut EngineCase<'_>) -> Outcome {
    case.each_seed(60, |case, seed| {
        let engine = case.part_opened()?;
        let (past, mut state) = (Past::new(seed, 120), State::default());
        let first = engine.replay(&mut past.read(), &mut state)?;
        case.history().note("replay 120 entries, and again over the same state");
        let second = engine.replay(&mut past.read(), &mut state)?;
        saw("the state", &state.values, &past.state().values)?;
        saw("entries of the second replay", second.entries, first.entries)?;
        let mut fresh = State::default();
        engine.replay(&mut past.read(), &mut fresh)?;
        saw("the state of a third replay, from nothing", &fresh.values, &past.state().values)
    })
}
