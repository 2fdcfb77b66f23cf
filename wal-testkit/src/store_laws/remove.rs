//! Laws about deleting segments.

use wal_core::{SegmentId, SegmentStore};

use super::{Outcome, Store, StoreCase, bytes, holds, listed, there, unit};
use crate::law::{Saw, Through, saw};
use crate::{Call, Fault, FaultRule, Harm};

fn ids(numbers: &[u64]) -> Vec<SegmentId> {
    numbers.iter().copied().map(SegmentId::new).collect()
}

/// Segments 1 to 6, each with synced bytes.
fn six(store: &Store) -> Result<Vec<u8>, Saw> {
    let bytes = bytes(unit(store), 1);
    for id in ids(&[1, 2, 3, 4, 5, 6]) {
        let mut writer = there(store, id, 0)?;
        writer.append(&bytes)?;
        writer.syncer().sync()?;
    }
    Ok(bytes)
}

pub(super) fn removed_segments_are_gone(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let bytes = six(&store)?;
    store.remove(&ids(&[2, 5]))?;
    store.remove(&[])?;
    for store in [&*store, &case.open()?] {
        saw("segments", listed(store)?, vec![1, 3, 4, 6])?;
        ids(&[1, 3, 4, 6]).into_iter().try_for_each(|id| holds(store, id, &bytes))?;
    }
    Ok(())
}

pub(super) fn remove_passes_over_the_missing(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    six(&store)?;
    store.remove(&ids(&[7, 2, 99, 3, 3]))?;
    store.remove(&ids(&[2, 3]))?;
    saw("segments", listed(&store)?, vec![1, 4, 5, 6])
}

pub(super) fn a_removal_survives_a_crash(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let bytes = six(&store)?;
    store.remove(&ids(&[1, 2, 3]))?;
    case.crash()?;
    let store = case.hold()?;
    saw("segments after the crash", listed(&store)?, vec![4, 5, 6])?;
    ids(&[4, 5, 6]).into_iter().try_for_each(|id| holds(&store, id, &bytes))
}

/// One file that an operator had made immutable kept every obsolete segment for ever.
pub(super) fn remove_goes_past_what_cannot_be_deleted(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let bytes = six(&store)?;
    case.inflict(Harm::Fault(FaultRule::next(Call::Remove, Fault::Io)))?;
    let removed = store.remove(&ids(&[1, 2, 3]));
    let (stay, left): (Vec<_>, Vec<_>) =
        listed(&store)?.into_iter().partition(|&number| number <= 3);
    saw("segments that were not to be deleted", left, vec![4, 5, 6])?;
    // Which of the three it is depends on how the store deletes: some keep a file by renaming it.
    saw("only the one that could not be deleted stays", stay.len() <= 1, true)?;
    saw("all are gone, or there was an error", stay.is_empty() || removed.is_err(), true)?;
    // A store that kept all three has met no failure yet, and may now.
    store.remove(&ids(&[1, 2, 3])).or_else(|_| store.remove(&ids(&[1, 2, 3])))?;
    saw("segments after another try", listed(&store)?, vec![4, 5, 6])?;
    ids(&[4, 5, 6]).into_iter().try_for_each(|id| holds(&store, id, &bytes))
}

/// Once with the order of the numbers, as pruning goes, and once against it, as cutting off an end
/// goes.
pub(super) fn an_interrupted_removal_leaves_the_last(case: &mut StoreCase<'_>) -> Outcome {
    for order in [[1, 2, 3, 4], [6, 5, 4, 3]] {
        case.at_every_operation(|case, operation| {
            let store = case.hold()?;
            let bytes = six(&store)?;
            case.interrupt(operation)?;
            let removed = Through::of(&store.remove(&ids(&order)));
            case.crash()?;
            let store = case.hold()?;
            let left = listed(&store)?;
            let still = order.iter().filter(|number| left.contains(number)).count();
            let wanted = if removed == Through::Yes { 0 } else { still };
            let gone = &order[..order.len() - wanted];
            let expected: Vec<_> = (1..=6).filter(|number| !gone.contains(number)).collect();
            saw(&format!("segments, {order:?} being removed"), &left, &expected)?;
            ids(&left).into_iter().try_for_each(|id| holds(&store, id, &bytes))?;
            Ok(removed)
        })?;
    }
    Ok(())
}
