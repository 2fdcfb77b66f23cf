//! Laws about the store as a whole: its guarantees, its lock, its list.

use std::io::ErrorKind;

use wal_core::{SegmentId, SegmentStore};

use super::{ONE, Outcome, StoreCase, TWO, listed, refused, there};
use crate::Harm;
use crate::law::saw;

pub(super) fn guarantees_make_sense(case: &mut StoreCase<'_>) -> Outcome {
    let (first, second) = (case.open()?.guarantees(), case.open()?.guarantees());
    saw("the guarantees of a second handle", second, first)?;
    saw("the alignment is a power of two", first.alignment.is_power_of_two(), true)?;
    saw("a sync may run", first.overlapping_syncs >= 1, true)
}

pub(super) fn a_second_lock_is_refused(case: &mut StoreCase<'_>) -> Outcome {
    let (store, other) = (case.open()?, case.open()?);
    let held = store.lock()?;
    refused("locking by another handle", other.lock(), ErrorKind::WouldBlock)?;
    refused("locking by the same handle", store.lock(), ErrorKind::WouldBlock)?;
    drop(held);
    Ok(())
}

pub(super) fn a_dropped_lock_is_free(case: &mut StoreCase<'_>) -> Outcome {
    let (store, other) = (case.open()?, case.open()?);
    for _ in 0..3 {
        drop(store.lock()?);
        drop(other.lock()?);
    }
    Ok(())
}

pub(super) fn a_lock_dies_with_its_holder(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.open()?;
    let held = store.lock()?;
    there(&store, ONE, 0)?.syncer().sync()?;
    case.inflict(Harm::Kill)?;
    let found = case.open()?.lock();
    drop(held);
    found.map(drop).map_err(Into::into)
}

/// The numbers are such that an order by text, or by time, is another.
pub(super) fn segments_are_listed_in_order(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    saw("segments of a fresh store", listed(&store)?, Vec::<u64>::new())?;
    for number in [10, 9, 1, 1_000_000_007, 100, 2, 11] {
        there(&store, SegmentId::new(number), 0)?;
    }
    saw("segments", listed(&store)?, vec![1, 2, 9, 10, 11, 100, 1_000_000_007])
}

pub(super) fn only_segments_are_listed(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.open()?;
    let lock = store.lock()?;
    saw("segments of a locked fresh store", listed(&store)?, Vec::<u64>::new())?;
    there(&store, ONE, 0)?;
    there(&store, TWO, 0)?;
    store.remove(&[ONE])?;
    saw("segments, one removed", listed(&store)?, vec![2])?;
    drop(lock);
    saw("segments, unlocked", listed(&store)?, vec![2])
}
