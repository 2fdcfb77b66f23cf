//! Laws about when a segment is there.
//!
//! All but the last are about stores that say [`Naming::AtSync`].

use std::io::ErrorKind;

use wal_core::{Naming, SegmentStore};

use super::{ONE, Outcome, Store, StoreCase, TWO, begins, bytes, content, listed, refused, unit};
use crate::law::{Through, saw};

/// Space that is asked for, in units.
const ASKED: u64 = 32;

fn at_sync(store: &Store) -> bool {
    store.guarantees().naming == Naming::AtSync
}

pub(super) fn a_segment_is_there_from_when_it_says(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    if !at_sync(&store) {
        return Ok(());
    }
    let unit = unit(&store);
    let mut appended = Vec::new();
    let mut writer = store.create(ONE, ASKED * unit as u64)?;
    for tag in 1..4 {
        let bytes = bytes(unit * 3, tag);
        writer.append(&bytes)?;
        appended.extend(bytes);
        for store in [&*store, &case.open()?] {
            saw("segments before the first sync", listed(store)?, Vec::<u64>::new())?;
            refused("opening one before its first sync", store.open(ONE), ErrorKind::NotFound)?;
        }
    }
    writer.syncer().sync()?;
    for store in [&*store, &case.open()?] {
        saw("segments after the first sync", listed(store)?, vec![1])?;
        begins(&content(store, ONE)?, ONE, &appended)?;
    }
    Ok(())
}

pub(super) fn an_interrupted_naming_leaves_all_or_nothing(case: &mut StoreCase<'_>) -> Outcome {
    case.at_every_operation(|case, operation| {
        let store = case.hold()?;
        let unit = unit(&store);
        case.interrupt(operation)?;
        let appended = bytes(unit * 9, 1);
        let named = store.create(ONE, ASKED * unit as u64).and_then(|mut writer| {
            writer.append(&appended[..unit * 4])?;
            writer.append(&appended[unit * 4..])?;
            let synced = writer.syncer().sync();
            // What is appended later need not be there.
            let _ = writer.append(&bytes(unit * 7, 2));
            synced
        });
        let named = Through::of(&named);
        case.crash()?;
        let naming = at_sync(&store);
        let store = case.hold()?;
        let found = listed(&store)?.contains(&1);
        saw("it is there, being synced", found || named == Through::No, true)?;
        if found && (naming || named == Through::Yes) {
            begins(&content(&store, ONE)?, ONE, &appended)?;
        }
        Ok(named)
    })
}

pub(super) fn nothing_is_left_of_a_writer_that_went_away(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    if !at_sync(&store) {
        return Ok(());
    }
    let unit = unit(&store);
    for round in 1..4 {
        let mut gone = store.create(ONE, ASKED * unit as u64)?;
        gone.append(&bytes(unit * 2, round))?;
        drop(gone);
        saw("segments, its writer gone", listed(&store)?, Vec::<u64>::new())?;
    }
    let kept = bytes(unit * 5, 9);
    for id in [ONE, TWO] {
        let mut writer = store.create(id, 0)?;
        writer.append(&kept)?;
        writer.syncer().sync()?;
    }
    saw("segments", listed(&store)?, vec![1, 2])?;
    begins(&content(&store, ONE)?, ONE, &kept)
}
