//! Laws about making segments.

use std::io::ErrorKind;

use wal_core::{SegmentId, SegmentStore};

use super::{
    ONE, Outcome, StoreCase, TWO, bytes, content, holds, listed, refused, there, unit, unwritten,
};
use crate::law::{Through, saw};

const THREE: SegmentId = SegmentId::new(3);

/// Space that is prepared, in units.
const PREPARED: u64 = 64;

pub(super) fn a_taken_number_is_refused(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let (first, second) = (bytes(unit(&store), 1), bytes(unit(&store), 2));
    let mut writer = there(&store, ONE, 0)?;
    writer.append(&first)?;
    refused("creating a taken number", store.create(ONE, 4096), ErrorKind::AlreadyExists)?;
    holds(&store, ONE, &first)?;
    writer.append(&second)?;
    let both = [first, second].concat();
    holds(&store, ONE, &both)?;
    drop(writer);
    drop(store);
    let other = case.hold()?;
    refused("creating it by another handle", other.create(ONE, 0), ErrorKind::AlreadyExists)?;
    holds(&other, ONE, &both)
}

pub(super) fn a_synced_segment_is_there(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    let content = bytes(unit * 2, 1);
    let mut writer = store.create(ONE, PREPARED * unit as u64)?;
    writer.append(&content)?;
    let unpublished = store.create(TWO, PREPARED * unit as u64)?;
    writer.syncer().sync()?;
    for store in [&*store, &case.open()?] {
        saw("the segment is listed", listed(store)?.contains(&1), true)?;
        holds(store, ONE, &content)?;
    }
    // One that never came to be is in nobody's way.
    drop(unpublished);
    store.remove(&[TWO])?;
    there(&store, TWO, 0)?;
    saw("segments", listed(&store)?, vec![1, 2])
}

pub(super) fn prepared_space_reads_as_zeros(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    let mut writer = there(&store, ONE, PREPARED * unit as u64)?;
    holds(&store, ONE, &[])?;
    let mut appended = Vec::new();
    for tag in 1..4 {
        let bytes = bytes(unit * 3, tag);
        writer.append(&bytes)?;
        appended.extend(bytes);
        holds(&store, ONE, &appended)?;
    }
    // The space of a segment that went must not show through.
    store.remove(&[ONE])?;
    drop(writer);
    let _writer = there(&store, TWO, PREPARED * unit as u64)?;
    holds(&store, TWO, &[])
}

pub(super) fn prepared_space_is_zeros_after_a_crash(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    // The space of a segment that went must not show through, least of all after a crash.
    there(&store, THREE, PREPARED * unit as u64)?.append(&bytes(unit * 8, 3))?;
    store.remove(&[THREE])?;
    let mut writer = there(&store, ONE, PREPARED * unit as u64)?;
    let _second = store.create(TWO, PREPARED * unit as u64)?;
    writer.append(&bytes(unit * 2, 1))?;
    case.crash()?;
    let store = case.hold()?;
    if listed(&store)?.contains(&2) {
        holds(&store, TWO, &[])?;
    }
    // Of what was appended and not synced any part may be there, and nothing more.
    let content = content(&store, ONE)?;
    unwritten(&store, content.get(unit * 2..).unwrap_or(&[]), ONE, unit * 2)
}

pub(super) fn a_created_segment_survives_a_crash(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let size = PREPARED * unit(&store) as u64;
    let _first = there(&store, ONE, 0)?;
    let _second = there(&store, TWO, size)?;
    case.crash()?;
    let store = case.hold()?;
    saw("segments after the crash", listed(&store)?, vec![1, 2])?;
    holds(&store, ONE, &[])?;
    holds(&store, TWO, &[])
}

pub(super) fn an_interrupted_create_leaves_zeros_or_nothing(case: &mut StoreCase<'_>) -> Outcome {
    case.at_every_operation(|case, operation| {
        let store = case.hold()?;
        let unit = unit(&store);
        let kept = bytes(unit * 3, 1);
        let mut writer = there(&store, ONE, 0)?;
        writer.append(&kept)?;
        writer.syncer().sync()?;
        case.interrupt(operation)?;
        let created = store.create(TWO, PREPARED * unit as u64);
        let created = Through::of(&created.and_then(|writer| writer.syncer().sync()));
        case.crash()?;
        let store = case.hold()?;
        let found = listed(&store)?;
        let wanted =
            if found.contains(&2) || created == Through::Yes { vec![1, 2] } else { vec![1] };
        saw("segments after the crash", &found, &wanted)?;
        holds(&store, ONE, &kept)?;
        if found.contains(&2) {
            holds(&store, TWO, &[])?;
        }
        Ok(created)
    })
}

pub(super) fn a_create_without_room_gives_it_back(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store) as u64;
    // The store's own bookkeeping, if it has any, is there already.
    there(&store, ONE, 0)?;
    case.leave_room(PREPARED * unit + case.front())?;
    for _ in 0..3 {
        match store.create(TWO, 2 * PREPARED * unit) {
            Ok(_) => return Ok(()), // A store that prepares no space needs none.
            Err(error) => saw("the error", error.kind(), ErrorKind::StorageFull)?,
        }
        // What remained of the number may be in the way of the same number only.
        let fits = store.create(THREE, PREPARED * unit / 2).map_err(|error| {
            crate::law::Saw::new(format!("room was lost: a segment that fits gives {error}"))
        })?;
        drop(fits);
        store.remove(&[TWO, THREE])?;
    }
    Ok(())
}
