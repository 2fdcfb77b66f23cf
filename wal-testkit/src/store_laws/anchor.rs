//! Laws about the anchor: a few bytes beside the segments.

use std::io::ErrorKind;

use wal_core::{MAX_ANCHOR, SegmentStore};

use super::{ONE, Outcome, Store, StoreCase, bytes, holds, listed, there, unit};
use crate::law::{Saw, Through, saw};
use crate::{Call, Fault, FaultRule, Harm};

/// What one of this log is long.
const USUAL: usize = 80;

fn is(store: &Store, what: &str, wanted: &[u8]) -> Outcome {
    let seen = store.read_anchor()?;
    saw(
        &format!("the anchor, {what}, is the one written last"),
        seen.as_deref() == Some(wanted),
        true,
    )
}

pub(super) fn an_anchor_is_read_back(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    saw("the anchor of a fresh store", store.read_anchor()?, None)?;
    let content = bytes(unit(&store) * 3, 1);
    there(&store, ONE, 0)?.append(&content)?;
    for (tag, length) in (1..).zip([USUAL, 1, MAX_ANCHOR, 7, USUAL, USUAL]) {
        let anchor = bytes(length, tag);
        store.write_anchor(&anchor)?;
        let what = format!("of {length} bytes");
        is(&store, &what, &anchor)?;
        is(&case.open()?, &format!("{what}, by another handle"), &anchor)?;
    }
    saw("segments beside the anchor", listed(&store)?, vec![1])?;
    holds(&store, ONE, &content)
}

pub(super) fn an_anchor_survives_the_death_of_its_process(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    for tag in 1..4 {
        store.write_anchor(&bytes(USUAL, tag))?;
    }
    case.inflict(Harm::Kill)?;
    is(&case.open()?, "after the kill", &bytes(USUAL, 3))
}

pub(super) fn an_anchor_survives_a_crash(case: &mut StoreCase<'_>) -> Outcome {
    for times in 1..4 {
        case.renew();
        let store = case.hold()?;
        for tag in 1..=times {
            store.write_anchor(&bytes(USUAL, tag))?;
        }
        case.crash()?;
        is(&case.open()?, "after the crash", &bytes(USUAL, times))?;
    }
    Ok(())
}

pub(super) fn an_interrupted_anchor_is_the_old_or_the_new(case: &mut StoreCase<'_>) -> Outcome {
    for before in 0..3 {
        case.at_every_operation(|case, operation| {
            let store = case.hold()?;
            for tag in 1..=before {
                store.write_anchor(&bytes(USUAL, tag))?;
            }
            case.interrupt(operation)?;
            let written = Through::of(&store.write_anchor(&bytes(MAX_ANCHOR, 9)));
            case.crash()?;
            let seen = case.hold()?.read_anchor()?;
            let new = seen.as_deref() == Some(&*bytes(MAX_ANCHOR, 9));
            let old = match before {
                0 => seen.is_none(),
                _ => seen.as_deref() == Some(&*bytes(USUAL, before)),
            };
            let right = new || (old && written == Through::No);
            saw(&format!("the anchor is the {before}th, or the one after"), right, true)?;
            Ok(written)
        })?;
    }
    Ok(())
}

/// A log on a full disk is pruned with it, before anything can be written.
pub(super) fn an_anchor_is_replaced_on_a_full_disk(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    there(&store, ONE, 0)?.append(&bytes(unit(&store), 1))?;
    store.write_anchor(&bytes(USUAL, 1))?;
    case.leave_room(0)?;
    for tag in 2..7 {
        store.write_anchor(&bytes(USUAL, tag))?;
        is(&store, "on a full disk", &bytes(USUAL, tag))?;
    }
    Ok(())
}

/// A log that takes it for none takes itself for new. Not every store can tell that bytes are wrong.
pub(super) fn a_damaged_anchor_is_not_none(case: &mut StoreCase<'_>) -> Outcome {
    for (before, number) in (0..3).flat_map(|before| (0..8).map(move |number| (before, number))) {
        case.renew();
        let store = case.hold()?;
        for tag in 1..=before {
            store.write_anchor(&bytes(USUAL, tag))?;
        }
        let rot = Fault::WrongBit(number * 7919 + 1);
        case.inflict(Harm::Fault(FaultRule::next(Call::Write, rot)))?;
        // A store that notices at once has been loud.
        if store.write_anchor(&bytes(USUAL, 9)).is_err() {
            continue;
        }
        match case.open()?.read_anchor() {
            Ok(Some(_)) => {}
            Ok(None) => return Err(Saw::new("a damaged anchor reads as one never written")),
            Err(error) => saw("the error", error.kind(), ErrorKind::InvalidData)?,
        }
    }
    Ok(())
}
