//! Laws about what a writer says of its segment's space.

use wal_core::{SegmentStore, Unwritten};

use super::{ONE, Outcome, StoreCase, TWO, bytes, content, there, unit};
use crate::law::saw;

/// Space that is asked for, in units.
const ASKED: u64 = 64;

pub(super) fn space_reads_as_its_writer_says(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    // Bytes that would show through.
    there(&store, TWO, ASKED * unit as u64)?.append(&bytes(unit * 20, 2))?;
    store.remove(&[TWO])?;
    let mut writer = store.create(ONE, ASKED * unit as u64)?;
    let space = writer.space();
    if store.guarantees().unwritten == Unwritten::Zeros {
        saw("what the space reads as, of a store of zeros", space.unwritten, Unwritten::Zeros)?;
    }
    let appended = bytes(unit * 3, 1);
    writer.append(&appended)?;
    writer.syncer().sync()?;
    saw("what is known of the space, after a sync", writer.space(), space)?;
    if space.unwritten == Unwritten::Zeros {
        let content = content(&store, ONE)?;
        let other = content.iter().skip(appended.len()).position(|&byte| byte != 0);
        saw("place of the first byte behind the end that is not zero", other, None)?;
    }
    Ok(())
}

/// A header says how much it was, and a shorter segment was cut from outside.
pub(super) fn promised_space_is_there_after_a_crash(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    let mut promised = Vec::new();
    for (id, size) in [(ONE, ASKED * unit as u64), (TWO, 0)] {
        let mut writer = store.create(id, size)?;
        let space = writer.space();
        writer.append(&bytes(unit * 2, 1))?;
        writer.syncer().sync()?;
        writer.append(&bytes(unit * 5, 2))?;
        saw("what is known of the space, later", writer.space(), space)?;
        promised.push((id, space.durable_len));
    }
    case.crash()?;
    let store = case.hold()?;
    for (id, promised) in promised {
        let size = store.open(id)?.size()?;
        let what = format!("segment {id} has the {promised} bytes promised, being of {size}");
        saw(&what, size >= promised, true)?;
    }
    Ok(())
}
