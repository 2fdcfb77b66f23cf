//! Laws about the end.

use std::thread;

use wal_core::{Acknowledgement, Flush, Waiter};

use super::patience::{done_before, patiently};
use super::run::{Run, Told};
use super::{Outcome, StrategyCase};
use crate::law::saw;

/// Asked of a strategy that did nothing, of one that worked, and of one whose log failed.
pub(super) fn a_stop_ends_all_threads(case: &mut StrategyCase<'_>) -> Outcome {
    for commits in [0, 1, 5] {
        case.renew();
        let run = Run::start(case)?;
        for _ in 0..commits {
            run.commit_patiently()?.1?;
        }
        run.stop()?;
        let Run { strategy, handed_out, .. } = run;
        patiently("dropping the strategy", move || drop(strategy))?;
        // A thread that still runs has the log.
        saw("someone still has the log", handed_out.upgrade().is_some(), false)?;
    }
    Ok(())
}

/// One whose thread ends a moment after the stop has returned writes into a log that the next owner
/// has opened. What is under way here cannot end before it is let go on.
pub(super) fn a_stop_waits_for_what_is_under_way(case: &mut StrategyCase<'_>) -> Outcome {
    let run = Run::start(case)?;
    if run.promised == Acknowledgement::Written {
        // It never syncs by itself.
        return run.stop();
    }
    run.log.gate().close();
    run.history.note("syncs hang from here on");
    let committing = run.clone();
    let committer = thread::spawn(move || committing.commit().1);
    let (log, own) = (run.log.clone(), committer.thread().id());
    let syncing = run.patiently("a sync", Told::No, move || {
        loop {
            if let Some(thread) = log.gate().waits() {
                return thread;
            }
            thread::yield_now();
        }
    });
    // On the caller's own thread it is the caller who knows that it is under way.
    let theirs = syncing.as_ref().is_ok_and(|thread| *thread != own);
    let (strategy, log) = (run.strategy.clone(), run.log.clone());
    let let_go = move || log.gate().open();
    let (early, ()) = if theirs {
        done_before("a stop", move || strategy.stop(), let_go)?
    } else {
        let_go();
        (false, run.stop()?)
    };
    run.history.note("stop, and syncs go on");
    syncing?;
    saw("the stop returned while a thread of the strategy was syncing", early, false)?;
    // Whether the record is acknowledged is the strategy's choice; the pipeline flushes what is left.
    drop(run.log.write().and_then(|()| run.log.sync()));
    let ended = patiently("the wait, after the stop", move || committer.join())?;
    saw("a panic in the wait", ended.is_err(), false)
}

pub(super) fn calls_after_a_stop_return(case: &mut StrategyCase<'_>) -> Outcome {
    for commits in [0, 2] {
        case.renew();
        let run = Run::start(case)?;
        for _ in 0..commits {
            run.commit_patiently()?.1?;
        }
        run.stop()?;
        let lsn = run.log.stage(1);
        // Whether they succeed is the strategy's choice: the pipeline flushes what is left.
        let strategy = run.strategy.clone();
        patiently("staged, after the stop", move || drop(strategy.staged(lsn, Waiter::Thread)))?;
        for waiter in [Waiter::Task, Waiter::Thread, Waiter::Nobody] {
            let strategy = run.strategy.clone();
            patiently("waiting, after the stop", move || drop(strategy.waiting(lsn, waiter)))?;
        }
    }
    Ok(())
}
