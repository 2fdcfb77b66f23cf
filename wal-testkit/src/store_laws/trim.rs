//! Laws about giving back space.

use wal_core::{SegmentId, SegmentStore};

use super::{ONE, Outcome, Store, StoreCase, begins, bytes, content, there, unit};
use crate::law::{Saw, Through, saw};

/// A segment with many blocks of prepared space and synced bytes at its start.
fn prepared(case: &StoreCase<'_>, store: &Store) -> Result<Vec<u8>, Saw> {
    let bytes = bytes(unit(store) * 100, 1);
    let mut writer = there(store, ONE, 16 * case.block())?;
    writer.append(&bytes)?;
    writer.syncer().sync()?;
    Ok(bytes)
}

pub(super) fn trim_keeps_what_is_before(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let appended = prepared(case, &store)?;
    // Also lengths in the middle of an append, of a sector, of a page; then one that cuts none.
    for length in [appended.len(), 777, 512, 1, 0] {
        let length = length.min(appended.len());
        store.trim(ONE, length as u64)?;
        begins(&content(&store, ONE)?, ONE, &appended[..length])?;
    }
    Ok(())
}

pub(super) fn trim_gives_back_the_rest(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    prepared(case, &store)?;
    store.trim(ONE, 700)?;
    given_back(case, &store, 700)
}

pub(super) fn trim_leaves_a_short_segment_alone(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let appended = bytes(unit(&store) * 10, 1);
    there(&store, ONE, 0)?.append(&appended)?;
    let before = content(&store, ONE)?;
    for length in [before.len() as u64, before.len() as u64 + 1, 10 * case.block()] {
        store.trim(ONE, length)?;
        saw("the segment after the trim", content(&store, ONE)? == before, true)?;
    }
    Ok(())
}

pub(super) fn a_trim_survives_a_crash(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let appended = prepared(case, &store)?;
    store.trim(ONE, 700)?;
    case.crash()?;
    let store = case.hold()?;
    begins(&content(&store, ONE)?, ONE, &appended[..700])?;
    given_back(case, &store, 700)
}

pub(super) fn an_interrupted_trim_keeps_what_is_before(case: &mut StoreCase<'_>) -> Outcome {
    case.at_every_operation(|case, operation| {
        let store = case.hold()?;
        let appended = prepared(case, &store)?;
        case.interrupt(operation)?;
        let trimmed = Through::of(&store.trim(ONE, 700));
        case.crash()?;
        let store = case.hold()?;
        saw("segments after the crash", store.list()?, vec![SegmentId::new(1)])?;
        begins(&content(&store, ONE)?, ONE, &appended[..700])?;
        Ok(trimmed)
    })
}

fn given_back(case: &StoreCase<'_>, store: &Store, length: u64) -> Outcome {
    let size = store.open(ONE)?.size()?;
    if size <= length + case.block() {
        return Ok(());
    }
    Err(Saw::new(format!("trimmed to {length} bytes, the segment still has {size}")))
}
