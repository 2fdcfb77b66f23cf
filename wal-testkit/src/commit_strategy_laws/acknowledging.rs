//! Laws about acknowledgements: that they come, and what they are worth.

use std::sync::mpsc::channel;
use std::thread;

use wal_core::{Acknowledgement, Flush, Lsn, Result, Waiter};

use super::patience::patiently;
use super::run::{Run, Told};
use super::{Outcome, StrategyCase};
use crate::law::{Saw, saw};

pub(super) fn what_it_acknowledges_is_constant(case: &mut StrategyCase<'_>) -> Outcome {
    let before = case.part_opened()?.acknowledges();
    let run = Run::start(case)?;
    saw("what it acknowledges once started", run.strategy.acknowledges(), before)?;
    // Nothing is waited for: whether what was asked for comes is a matter of other laws.
    for _ in 0..3 {
        let told = run.clone();
        let asked = patiently("staging and telling of a waiter", move || {
            let (lsn, _) = told.append(1);
            drop(told.strategy.waiting(lsn, Waiter::Thread));
        });
        saw("what it acknowledges at work", run.strategy.acknowledges(), before)?;
        if asked.is_err() {
            return Ok(());
        }
    }
    let stopped = run.stop();
    saw("what it acknowledges once stopped", run.strategy.acknowledges(), before)?;
    // A stop that hangs is what the laws about the end are for.
    drop(stopped);
    Ok(())
}

/// Many threads at once, so that some wait while another one's flush runs.
pub(super) fn every_wait_ends(case: &mut StrategyCase<'_>) -> Outcome {
    let run = Run::start(case)?;
    let committing = run.clone();
    let last = run.patiently("a wait of one of 6 threads", Told::Yes, move || {
        let commits = |run: Run| -> Result<Lsn> {
            let mut last = Lsn::ZERO;
            for _ in 0..15 {
                let (lsn, committed) = run.commit();
                committed?;
                last = last.max(lsn);
            }
            Ok(last)
        };
        let spawn = |_| {
            thread::spawn({
                let run = committing.clone();
                move || commits(run)
            })
        };
        let threads: Vec<_> = (0..6).map(spawn).collect();
        let join = |thread: thread::JoinHandle<Result<Lsn>>| match thread.join() {
            Ok(last) => last.map_err(Saw::from),
            Err(_) => Err(Saw::new("a panic on a thread that commits")),
        };
        threads.into_iter().map(join).try_fold(Lsn::ZERO, |last, lsn| Ok(last.max(lsn?)))
    })?;
    let last: Lsn = last.map_err(|saw: Saw| saw)?;
    let kept = match run.promised {
        Acknowledgement::Durable => ("records after a power cut", run.log.after_power_cut()),
        _ => ("records after the death of the process", run.log.after_kill()),
    };
    saw(kept.0, kept.1 >= last, true)?;
    run.stop()
}

pub(super) fn a_wait_needs_no_further_call(case: &mut StrategyCase<'_>) -> Outcome {
    let run = Run::start(case)?;
    for records in [1, 1, 7, 1000, 1, 5000] {
        let appending = run.clone();
        let lsn = patiently("an append", move || appending.append(records))?;
        lsn.1?;
        run.wait_patiently(lsn.0)??;
    }
    run.stop()
}

pub(super) fn a_weak_acknowledgement_waits_for_no_sync(case: &mut StrategyCase<'_>) -> Outcome {
    let run = Run::start(case)?;
    if run.promised != Acknowledgement::Durable {
        run.log.gate().close();
        run.history.note("syncs hang from here on");
        let committed = run.commit_patiently();
        run.log.gate().open();
        committed?.1?;
    }
    run.stop()
}

/// An interval that was looked at in the next append only: the last records before a pause were
/// never synced, and "durable within the window" was not true.
pub(super) fn the_loss_window_is_bounded(case: &mut StrategyCase<'_>) -> Outcome {
    let run = Run::start(case)?;
    if let Acknowledgement::Buffered(_) = run.promised {
        for _ in 0..3 {
            let (lsn, committed) = run.commit_patiently()?;
            committed?;
            let log = run.log.clone();
            let durable = move || log.durable.wait(lsn, || Ok(()));
            run.patiently("waiting for the loss window to end", Told::No, durable)??;
            saw("records after a power cut", run.log.after_power_cut() >= lsn, true)?;
        }
    }
    run.stop()
}

pub(super) fn a_task_is_not_blocked(case: &mut StrategyCase<'_>) -> Outcome {
    let run = Run::start(case)?;
    run.commit_patiently()?.1?;
    run.log.gate().close();
    run.history.note("syncs hang from here on");
    // Under some strategies an append waits for the disk; a task's wait must not even then.
    let (appending, lsn) = (run.clone(), run.log.staged().next());
    let append = thread::spawn(move || appending.append(1).1);
    while run.log.staged() < lsn {
        thread::yield_now();
    }
    let (tasked, (told, was_told)) = (run.clone(), channel());
    let task = thread::spawn(move || {
        // Nobody listens any more where the wait counts as blocked.
        tasked.wait_as_task(lsn, || told.send(()).unwrap_or(()))
    });
    let returned = patiently("a wait of a task, during a sync", move || was_told.recv());
    run.log.gate().open();
    run.history.note("syncs go on");
    // It hangs up without a word where the wait failed.
    let failed = returned?.is_err();
    let ended = patiently("a wait of a task", move || (append.join(), task.join()))?;
    match ended {
        (Ok(appended), Ok(waited)) => {
            saw("the wait failed before it began", failed, false)?;
            appended.and(waited)?;
        }
        _ => return Err(Saw::new("a panic in an append or in a wait of a task")),
    }
    run.stop()
}

/// An append that never waits, or a task's: what it leaves to the strategy is done elsewhere, and the
/// record is acknowledged all the same once a task waits for it.
pub(super) fn an_append_of_a_task_is_not_blocked(case: &mut StrategyCase<'_>) -> Outcome {
    let run = Run::start(case)?;
    run.commit_patiently()?.1?;
    run.log.gate().close();
    run.history.note("syncs hang from here on");
    let appending = run.clone();
    let append = move || {
        let lsn = appending.log.stage(1);
        let told = appending.strategy.staged(lsn, Waiter::Task);
        (lsn, appending.history.call(format!("staged {lsn}, by a task"), told))
    };
    let returned = patiently("an append of a task, while syncs hang", append);
    run.log.gate().open();
    run.history.note("syncs go on");
    let (lsn, told) = returned?;
    told?;
    let waiting = run.clone();
    run.patiently("a wait of a task", Told::Yes, move || waiting.wait_as_task(lsn, || ()))??;
    run.stop()
}
