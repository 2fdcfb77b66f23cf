//! Laws about the end.

use wal_core::Waiter;

use super::patience::patiently;
use super::run::Run;
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
        patiently("staged, after the stop", move || drop(strategy.staged(lsn)))?;
        for waiter in [Waiter::Task, Waiter::Thread, Waiter::Nobody] {
            let strategy = run.strategy.clone();
            patiently("waiting, after the stop", move || drop(strategy.waiting(lsn, waiter)))?;
        }
    }
    Ok(())
}
