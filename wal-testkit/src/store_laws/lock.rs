//! Laws about the store as a whole: its guarantees, its lock, its list.

use std::io::ErrorKind;

use wal_core::{SegmentId, SegmentStore};

use super::{
    ONE, Outcome, Store, StoreCase, TWO, bytes, content, holds, listed, refused, there, unit,
};
use crate::Harm;
use crate::law::{Saw, saw};

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
    // The lock is its own: the handle that took it may go.
    drop(store);
    refused("locking, the holder's handle gone", other.lock(), ErrorKind::WouldBlock)?;
    drop(held);
    Ok(())
}

/// A handle that was refused deleted what the holder had made and not yet synced.
pub(super) fn a_refused_lock_changes_nothing(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    let (first, second) = (bytes(unit * 3, 1), bytes(unit * 2, 2));
    let mut named = there(&store, ONE, 0)?;
    named.append(&first)?;
    for id in [TWO, SegmentId::new(3)] {
        let mut pending = store.create(id, unit as u64 * 20)?;
        pending.append(&first)?;
        for _ in 0..2 {
            let other = case.open()?;
            refused("locking by another handle", other.lock(), ErrorKind::WouldBlock)?;
        }
        pending.append(&second)?;
        pending.syncer().sync()?;
        holds(&store, id, &[&*first, &second].concat())?;
    }
    named.syncer().sync()?;
    holds(&store, ONE, &first)?;
    saw("segments", listed(&store)?, vec![1, 2, 3])
}

/// A handle that was closed, or poisoned, went on writing zeros over what the next owner had
/// acknowledged.
pub(super) fn nothing_changes_under_the_next_owner(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.open()?;
    let lock = store.lock()?;
    let unit = unit(&store);
    let first = bytes(unit * 3, 1);
    let mut named = there(&store, ONE, unit as u64 * 20)?;
    named.append(&first)?;
    let mut pending = store.create(TWO, unit as u64 * 20)?;
    pending.append(&first)?;
    let (syncer, late) = (named.syncer(), pending.syncer());
    drop(lock);
    let other = case.open()?;
    match other.lock() {
        // The writers have the store still. With the last of them it is free.
        Err(error) => {
            saw("locking it beside a writer", error.kind(), ErrorKind::WouldBlock)?;
            drop((named, pending));
            drop((syncer, late));
        }
        Ok(lock) => {
            let mut writer = there(&other, SegmentId::new(3), 0)?;
            writer.append(&first)?;
            writer.syncer().sync()?;
            let before = looked_at(&other)?;
            // Whether these fail is the store's choice; they change nothing.
            let _ = (named.append(&bytes(unit, 7)), syncer.sync());
            let _ = (pending.append(&bytes(unit, 7)), late.sync());
            drop((named, pending, syncer, late, store));
            saw("nothing changed under the next owner", looked_at(&other)? == before, true)?;
            drop((writer, lock));
            return Ok(());
        }
    }
    let lock = other.lock().map_err(|error| {
        Saw::new(format!("the last writer is gone, and the store is not free: {error}"))
    })?;
    holds(&other, ONE, &first)?;
    drop(lock);
    Ok(())
}

/// Every segment with its bytes.
fn looked_at(store: &Store) -> Result<Vec<(u64, Vec<u8>)>, Saw> {
    let ids = listed(store)?.into_iter();
    ids.map(|id| Ok((id, content(store, SegmentId::new(id))?))).collect()
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
