//! The laws for the commit seam.
//!
//! The strategy drives a small log on a [`SimDisk`](crate::SimDisk) through the public seam alone.
//! Nothing is measured in time: what must happen is waited for, and given up as a hang after many
//! times longer than it could take.

mod acknowledging;
mod driven;
mod failing;
mod patience;
mod run;
mod stopping;

use wal_core::CommitStrategy;

use crate::law::{Case, Front, Law, Saw, law_table};

/// A law for the commit seam.
pub type CommitStrategyLaw = Law<dyn CommitStrategy>;

#[doc(hidden)]
pub type CommitStrategyPart = dyn CommitStrategy;

type StrategyCase<'a> = Case<'a, dyn CommitStrategy>;
type Outcome = Result<(), Saw>;

/// Every law for the commit seam, for harnesses of one's own.
/// [`commit_strategy_laws!`](crate::commit_strategy_laws) makes a test of each.
pub const COMMIT_STRATEGY_LAWS: &[CommitStrategyLaw] =
    crate::__each_commit_strategy_law!((law_table)("commit_strategy", Front::NONE));

/// Proves a [`CommitStrategy`](wal_core::CommitStrategy): makes a module `name` with a test for
/// every law of the seam.
///
/// The closure makes a strategy that was not started. What the laws hold it to goes by what it
/// [`acknowledges`](wal_core::CommitStrategy::acknowledges). `without [tasks]` admits that an
/// append or a wait of a task may block its thread.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use wal_core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter};
///
/// /// Who waits does the work.
/// #[derive(Default)]
/// struct Selfish(Mutex<Option<Arc<dyn Flush>>>);
///
/// impl CommitStrategy for Selfish {
///     fn acknowledges(&self) -> Acknowledgement {
///         Acknowledgement::Durable
///     }
///
///     fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
///         *self.0.lock().unwrap() = Some(log);
///         Ok(())
///     }
///
///     fn staged(&self, _: Lsn, _: Waiter) -> Result<()> {
///         Ok(())
///     }
///
///     fn waiting(&self, _: Lsn, _: Waiter) -> Result<()> {
///         let Some(log) = self.0.lock().unwrap().clone() else { return Ok(()) };
///         log.write()?;
///         log.sync()
///     }
///
///     fn stop(&self) {
///         self.0.lock().unwrap().take();
///     }
/// }
/// # impl std::fmt::Debug for Selfish {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
/// #         f.write_str("Selfish")
/// #     }
/// # }
///
/// wal_testkit::commit_strategy_laws!(selfish, || Selfish::default(), without [tasks]);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! commit_strategy_laws {
    ($name:ident, $new:expr $(,)?) => {
        $crate::commit_strategy_laws!($name, $new, without []);
    };
    ($name:ident, $new:expr, without [$($without:ident),* $(,)?] $(,)?) => {
        mod $name {
            #[allow(unused_imports, reason = "what the closure names lies outside")]
            use super::*;

            $crate::__each_commit_strategy_law!(
                ($crate::__law_tests)
                (
                    $crate::COMMIT_STRATEGY_LAWS, $crate::CommitStrategyPart,
                    || $crate::Pure($new), [$($without),*]
                )
            );
        }
    };
}

/// The one list: module and name, what the law needs, and its promise.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_commit_strategy_law {
    (($($then:tt)*) $arguments:tt) => { $($then)* ! {
        $arguments
        acknowledging::what_it_acknowledges_is_constant []
            "what an acknowledgement means never changes";
        acknowledging::every_wait_ends []
            "every record that is waited for is acknowledged, and has what that promises";
        acknowledging::a_wait_needs_no_further_call []
            "once someone waits for a record it is acknowledged, though nothing else is called";
        acknowledging::a_weak_acknowledgement_waits_for_no_sync []
            "where a record is acknowledged once it is written, nobody waits for a sync";
        acknowledging::the_loss_window_is_bounded []
            "where a loss window is promised, records are synced though nothing else is called";
        acknowledging::a_task_is_not_blocked [tasks]
            "a wait of a task returns at once, and the record is acknowledged later";
        acknowledging::an_append_of_a_task_is_not_blocked [tasks]
            "an append of a task returns at once, and its record is acknowledged when it is waited for";
        failing::a_failed_sync_ends_every_wait []
            "after a failed sync every wait ends with an error, and nothing is acknowledged";
        failing::a_full_disk_is_told_and_survived []
            "a full disk is an error for who waits, and with room again the next wait succeeds";
        stopping::a_stop_ends_all_threads []
            "a stop returns, ends every thread of the strategy, and leaves nobody with the log";
        stopping::a_stop_waits_for_what_is_under_way []
            "a stop returns when no thread of the strategy is at work any more";
        stopping::calls_after_a_stop_return []
            "calls that come after the stop return, and do not panic";
    } };
}
