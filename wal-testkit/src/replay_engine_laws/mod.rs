//! The laws for the replay engine seam.

mod ending;
mod order;
mod past;

use wal_core::ReplayEngine;

use crate::law::{Case, Front, Law, Saw, law_table};

/// A law for the replay engine seam.
pub type ReplayEngineLaw = Law<dyn ReplayEngine>;

#[doc(hidden)]
pub type ReplayEnginePart = dyn ReplayEngine;

type EngineCase<'a> = Case<'a, dyn ReplayEngine>;
type Outcome = Result<(), Saw>;

/// Every law for the replay engine seam, for harnesses of one's own.
/// [`replay_engine_laws!`](crate::replay_engine_laws) makes a test of each.
pub const REPLAY_ENGINE_LAWS: &[ReplayEngineLaw] =
    crate::__each_replay_engine_law!((law_table)("replay_engine", Front::NONE));

/// Proves a [`ReplayEngine`](wal_core::ReplayEngine): makes a module `name` with a test for every
/// law of the seam. The closure makes the engine.
///
/// ```
/// use wal_core::{Entry, ReplayEngine, ReplayReport, ReplayTarget, Result};
///
/// #[derive(Debug)]
/// struct OneByOne;
///
/// impl ReplayEngine for OneByOne {
///     fn replay(
///         &self,
///         entries: &mut dyn Iterator<Item = Result<Entry>>,
///         target: &mut dyn ReplayTarget,
///     ) -> Result<ReplayReport> {
///         let mut report = ReplayReport::default();
///         for entry in entries {
///             let entry = entry?;
///             if report.entries == 0 {
///                 report.first_lsn = entry.lsn;
///             }
///             report.last_lsn = entry.lsn;
///             report.entries += 1;
///             report.bytes += entry.payload.len() as u64;
///             let applications = target.apply(&[entry])?;
///             report.applied += applications.applied;
///             report.skipped += applications.skipped;
///         }
///         Ok(report)
///     }
/// }
///
/// wal_testkit::replay_engine_laws!(one_by_one, || OneByOne);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! replay_engine_laws {
    ($name:ident, $new:expr $(,)?) => {
        mod $name {
            #[allow(unused_imports, reason = "what the closure names lies outside")]
            use super::*;

            $crate::__each_replay_engine_law!(($crate::__law_tests)(
                $crate::REPLAY_ENGINE_LAWS,
                $crate::ReplayEnginePart,
                || $crate::Pure($new),
                []
            ));
        }
    };
}

/// The one list: module and name, what the law needs, and its promise.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_replay_engine_law {
    (($($then:tt)*) $arguments:tt) => { $($then)* ! {
        $arguments
        order::every_entry_is_applied_once []
            "a replay applies every entry of the log, once";
        order::entries_of_a_key_keep_their_order []
            "entries of one key are applied in the order of the log";
        order::nothing_crosses_a_barrier []
            "a barrier is applied after all entries before it and before all behind it";
        order::the_state_is_that_of_the_log []
            "the state after a replay is the one of applying the log entry by entry";
        order::a_second_replay_gives_the_same []
            "a replay that runs again gives the same state";
        ending::an_empty_log_is_no_work []
            "of an empty log nothing is applied, and the report says so";
        ending::no_group_is_empty []
            "a target is given groups with something in them";
        ending::the_report_adds_up []
            "the report counts what was read and what became of it";
        ending::a_failing_log_ends_the_replay []
            "a replay stops at the log's first error, and applies nothing from behind it";
        ending::a_failing_target_ends_the_replay []
            "a replay stops at the target's first error, and applies nothing more";
    } };
}
