//! Laws about a storage that fails.

use std::thread;

use wal_core::{Acknowledgement, ErrorKind, Lsn, Result};

use super::run::{Run, Told};
use super::{Outcome, StrategyCase};
use crate::law::{Saw, saw};
use crate::{Call, Fault, FaultRule};

pub(super) fn a_failed_sync_ends_every_wait(case: &mut StrategyCase<'_>) -> Outcome {
    for fault in [Fault::Io, Fault::Dropped, Fault::AfterEffect] {
        case.renew();
        let run = Run::start(case)?;
        let (before, committed) = run.commit_patiently()?;
        committed?;
        match run.promised {
            // It never syncs by itself.
            Acknowledgement::Written => return run.stop(),
            Acknowledgement::Buffered(_) => {
                // The record of before may still have to be synced.
                let log = run.log.clone();
                let durable = move || log.durable.wait(before, || Ok(()));
                run.patiently("waiting for the loss window to end", Told::No, durable)??;
                fail_syncs(&run, fault);
                run.commit_patiently()?.1.ok();
                let log = run.log.clone();
                let ended = move || log.durable.wait(before.next(), || Ok(()));
                let ended = run.patiently("waiting for the failure", Told::No, ended)?;
                saw("the record is durable", ended.is_ok(), false)?;
            }
            _ => {
                fail_syncs(&run, fault);
                let waiting = run.clone();
                let ended =
                    run.patiently("a wait through a failed sync", Told::Yes, move || {
                        let wait = |_| {
                            thread::spawn({
                                let run = waiting.clone();
                                move || run.commit().1
                            })
                        };
                        let threads: Vec<_> = (0..4).map(wait).collect();
                        threads.into_iter().map(thread::JoinHandle::join).collect::<Vec<_>>()
                    })?;
                for waited in ended {
                    let waited: Result<()> =
                        waited.map_err(|_| Saw::new("a panic in a wait through a failed sync"))?;
                    saw("acknowledged through a failed sync", waited.is_ok(), false)?;
                }
            }
        }
        let later = run.commit_patiently()?.1;
        saw("acknowledged after a failed sync", later.is_ok(), false)?;
        saw("the durable LSN", run.log.durable.get(), before)?;
        run.stop()?;
    }
    Ok(())
}

fn fail_syncs(run: &Run, fault: Fault) {
    let rule = FaultRule::next(Call::Sync, fault);
    run.history.note(format!("FAULT, {rule}"));
    run.log.disk().fail(rule);
}

pub(super) fn a_full_disk_is_told_and_survived(case: &mut StrategyCase<'_>) -> Outcome {
    let run = Run::start(case)?;
    run.commit_patiently()?.1?;
    for _ in 0..3 {
        run.history.note("the disk is full");
        run.log.disk().set_room(Some(0));
        let (lsn, committed) = run.commit_patiently()?;
        let kind = committed.err().map(|error| error.kind());
        saw("a wait on a full disk", kind, Some(ErrorKind::StorageFull))?;
        run.history.note("the disk has room");
        run.log.disk().set_room(None);
        // A write of the strategy's own may have failed before and tell those who wait only now.
        let retried = (0..3).find_map(|_| match run.wait_patiently(lsn) {
            Ok(Err(error)) if error.kind() == ErrorKind::StorageFull => None,
            ended => Some(ended),
        });
        let Some(ended) = retried else {
            return Err(Saw::new(format!("with room again, no wait for record {lsn} succeeds")));
        };
        ended??;
        saw("records after the death of the process", run.log.after_kill() >= lsn, true)?;
    }
    saw("the last record", run.log.after_kill(), Lsn::new(4))?;
    run.stop()
}
