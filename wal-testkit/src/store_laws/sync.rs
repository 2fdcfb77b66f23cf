//! Laws about syncing.

use std::io;
use std::thread;

use wal_core::SegmentStore;

use super::{ONE, Outcome, StoreCase, TWO, begins, bytes, content, holds, there, unit};
use crate::law::{Saw, saw};
use crate::{Call, Fault, FaultRule, Harm};

pub(super) fn synced_bytes_survive_a_crash(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    let mut segments = Vec::new();
    for (id, size) in [(ONE, 0), (TWO, unit as u64 * 200)] {
        let mut writer = store.create(id, size)?;
        let synced = bytes(unit * 20, 1);
        writer.append(&synced)?;
        writer.syncer().sync()?;
        // Unsynced neighbours, which share the last sector.
        writer.append(&bytes(unit, 2))?;
        writer.append(&bytes(unit * 90, 3))?;
        segments.push((id, synced));
    }
    case.crash()?;
    let store = case.hold()?;
    for (id, synced) in segments {
        begins(&content(&store, id)?, id, &synced)?;
    }
    Ok(())
}

pub(super) fn a_sync_covers_every_append_before_it(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    let mut writer = there(&store, ONE, 0)?;
    let early = writer.syncer();
    let mut appended = Vec::new();
    for tag in 1..6 {
        let bytes = bytes(unit * 3, tag);
        writer.append(&bytes)?;
        appended.extend(bytes);
        if tag == 2 {
            early.sync()?;
        }
    }
    early.sync()?;
    drop(writer);
    drop(early);
    case.crash()?;
    holds(&case.open()?, ONE, &appended)
}

pub(super) fn a_failed_sync_is_reported(case: &mut StoreCase<'_>) -> Outcome {
    for fault in [Fault::Io, Fault::Dropped, Fault::AfterEffect] {
        case.renew();
        let store = case.hold()?;
        let mut writer = there(&store, ONE, 0)?;
        let syncer = writer.syncer();
        // Where appends sync themselves, it is the append that fails.
        case.inflict(Harm::Fault(FaultRule::next(Call::Sync, fault)))?;
        let failed = writer.append(&bytes(unit(&store), 1)).and_then(|()| syncer.sync());
        saw(&format!("a sync that fails as {fault:?}"), failed.is_err(), true)?;
    }
    Ok(())
}

/// No outcome of this race is wrong but an error, a hang, or bytes that are not those appended.
pub(super) fn syncs_run_beside_appends(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    let mut writer = there(&store, ONE, 0)?;
    let syncers: Vec<_> =
        (0..store.guarantees().overlapping_syncs.min(4)).map(|_| writer.syncer()).collect();
    let appended: Vec<Vec<u8>> = (1..50).map(|tag| bytes(unit * 4, tag)).collect();
    let synced: io::Result<()> = thread::scope(|scope| {
        let threads: Vec<_> = syncers
            .iter()
            .map(|syncer| scope.spawn(|| (0..20).try_for_each(|_| syncer.sync())))
            .collect();
        appended.iter().try_for_each(|bytes| writer.append(bytes))?;
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a sync panicked")))
        })
    });
    synced.map_err(|error| Saw::new(format!("a sync beside appends: {error}")))?;
    holds(&store, ONE, &appended.concat())
}
