//! Laws about appending.

use std::io::ErrorKind;

use wal_core::SegmentWriter;

use super::{ONE, Outcome, StoreCase, TWO, bytes, holds, there, unit};
use crate::law::{Saw, saw};
use crate::{Call, Fault, FaultRule, Harm};

pub(super) fn appends_keep_their_order(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    let mut writers = [(ONE, there(&store, ONE, 0)?), (TWO, there(&store, TWO, unit as u64 * 9)?)];
    let mut appended = [Vec::new(), Vec::new()];
    for (tag, times) in (1..).zip([1, 7, 2, 30, 1, 3]) {
        for ((_, writer), appended) in writers.iter_mut().zip(&mut appended) {
            let bytes = bytes(unit * times, tag);
            writer.append(&bytes)?;
            appended.extend(bytes);
        }
    }
    for ((id, _), appended) in writers.iter().zip(&appended) {
        holds(&store, *id, appended)?;
    }
    Ok(())
}

pub(super) fn the_end_is_what_was_appended(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    let mut writer = there(&store, ONE, unit as u64 * 9)?;
    saw("the end of an empty segment", writer.end(), 0)?;
    for round in 1..20 {
        writer.append(&bytes(unit, 1))?;
        saw("the end", writer.end(), (round * unit) as u64)?;
    }
    writer.append(&[])?;
    saw("the end after appending nothing", writer.end(), 19 * unit as u64)
}

/// raft-engine 764ac71 and raft-wal #32: an append after a failed one left a hole in the log, and
/// what lay behind it was lost at the next recovery.
pub(super) fn a_failed_append_does_not_move_the_end(case: &mut StoreCase<'_>) -> Outcome {
    for fault in [Fault::Io, Fault::Partial(3), Fault::AfterEffect] {
        case.renew();
        let store = case.hold()?;
        let unit = unit(&store);
        let mut writer = there(&store, ONE, 0)?;
        let first = bytes(unit * 2, 1);
        writer.append(&first)?;
        case.inflict(Harm::Fault(FaultRule::next(Call::Write, fault)))?;
        if writer.append(&bytes(unit * 3, 2)).is_ok() {
            return Err(Saw::new(format!("a write that failed as {fault:?} was taken for done")));
        }
        saw("the end after a failed append", writer.end(), first.len() as u64)?;
        let second = bytes(unit * 3, 3);
        writer.append(&second)?;
        saw("the end after the next append", writer.end(), (unit * 5) as u64)?;
        holds(&store, ONE, &[first, second].concat())?;
    }
    Ok(())
}

pub(super) fn an_append_without_room_can_be_repeated(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    let mut writer = there(&store, ONE, 0)?;
    let first = bytes(unit, 1);
    writer.append(&first)?;
    case.leave_room(unit as u64 * 10)?;
    let much = bytes(unit * 100, 2);
    for _ in 0..2 {
        let error = writer.append(&much).err().map(|error| error.kind());
        saw("appending more than there is room for", error, Some(ErrorKind::StorageFull))?;
        saw("the end", writer.end(), first.len() as u64)?;
    }
    case.give_room()?;
    writer.append(&much)?;
    holds(&store, ONE, &[first, much].concat())
}

pub(super) fn short_writes_are_finished(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    let mut writer = there(&store, ONE, 0)?;
    let rules =
        [(Fault::Short(1), 0, 1), (Fault::Interrupted, 1, 3), (Fault::Short(unit / 2), 4, 2)];
    for (fault, after, times) in rules {
        let rule = FaultRule::next(Call::Write, fault).after(after).times(times);
        case.inflict(Harm::Fault(rule))?;
    }
    let mut appended = Vec::new();
    for tag in 1..8 {
        appended.extend(append(&mut *writer, unit * 2, tag)?);
        holds(&store, ONE, &appended)?;
    }
    Ok(())
}

fn append(writer: &mut dyn SegmentWriter, count: usize, tag: u8) -> Result<Vec<u8>, Saw> {
    let bytes = bytes(count, tag);
    writer.append(&bytes)?;
    Ok(bytes)
}
