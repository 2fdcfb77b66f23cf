//! The laws for a whole log.

mod crash;
mod cutting;
mod damage;
mod failing;
mod named;
mod order;
mod story;
mod stranger;

use wal_core::Lsn;

use crate::law::{Case, Front, Law, Saw, law_table};
use crate::{LogUnderTest, Place};

/// A law for a whole log.
pub type LogLaw = Law<dyn LogUnderTest>;

#[doc(hidden)]
pub type LogPart = dyn LogUnderTest;

type LogCase<'a> = Case<'a, dyn LogUnderTest>;
type Outcome = Result<(), Saw>;

/// Every law for a whole log, for harnesses of one's own. [`log_laws!`](crate::log_laws) makes a
/// test of each.
pub const LOG_LAWS: &[LogLaw] = crate::__each_log_law!((law_table)("log", FRONT));

/// Without a unit the laws begin in a fresh log: what a store does behind its first bytes is a
/// matter of the laws for stores, and the smallest segments never get there.
const FRONT: Front<dyn LogUnderTest> = Front {
    by_default: &[0],
    for_unit: |unit| vec![0, unit.saturating_sub(1), unit.saturating_mul(3) + 1],
    lay,
};

/// Records of so many bytes in all, durable.
fn lay(place: &dyn Place<dyn LogUnderTest>, front: u64) -> Result<u64, Saw> {
    if front == 0 {
        return Ok(0);
    }
    let (log, length, mut last) = (place.open()?, (front / 13).clamp(1, 50_000), Lsn::ZERO);
    for number in 0..front.div_ceil(length) {
        let length = length.min(front - number * length);
        let payload = (0..length).map(|at| (at * 31 + number * 7).to_le_bytes()[0]).collect();
        last = log.append_batch(&[payload])?;
    }
    log.sync()?;
    log.close()?;
    Ok(last.get())
}

/// Proves a log: makes a module `name` with a test for every law of [`LogUnderTest`].
///
/// Used as [`segment_store_laws!`](crate::segment_store_laws) is; a closure that opens the log
/// returns a `wal_core::Result`, and opening includes recovery.
///
/// `unit = 65536` names a unit that the log or its store works in inside, such as the length of a
/// block: the laws then begin also in a log with one of them less a byte, and with more than three.
/// For that to mean anything its segments are to hold more than three units.
#[macro_export]
macro_rules! log_laws {
    ($name:ident, $fresh:expr $(,)?) => {
        $crate::log_laws!($name, $fresh, without []);
    };
    ($name:ident, $fresh:expr, without [$($without:ident),* $(,)?] $(,)?) => {
        $crate::log_laws!(@at None, $name, $fresh, [$($without),*]);
    };
    ($name:ident, $fresh:expr, unit = $unit:expr $(,)?) => {
        $crate::log_laws!(@at Some($unit), $name, $fresh, []);
    };
    ($name:ident, $fresh:expr, unit = $unit:expr, without [$($without:ident),* $(,)?] $(,)?) => {
        $crate::log_laws!(@at Some($unit), $name, $fresh, [$($without),*]);
    };
    (@at $unit:expr, $name:ident, $fresh:expr, [$($without:ident),*]) => {
        mod $name {
            #[allow(unused_imports, reason = "what the closure names lies outside")]
            use super::*;

            $crate::__each_log_law!(
                ($crate::__law_tests)
                ($crate::LOG_LAWS, $crate::LogPart, $fresh, [$($without),*], $unit)
            );
        }
    };
}

/// The one list: module and name, what the law needs of a place, and its promise.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_log_law {
    (($($then:tt)*) $arguments:tt) => { $($then)* ! {
        $arguments
        order::lsns_are_dense_from_one []
            "records are numbered from 1, without gaps, batches included";
        order::records_come_back_in_order []
            "what was appended is read back, in order, byte for byte";
        order::records_of_any_length_come_back []
            "a record may be empty, all zeros, or larger than a segment";
        order::reading_begins_where_it_is_told []
            "a reader begins at the record it was told";
        order::records_cross_segments []
            "reading goes on from one segment to the next";
        order::reopening_goes_on_with_the_next_lsn []
            "a log that is opened again goes on with the next LSN";
        order::an_empty_log_opens_again []
            "a log closed without an append is as if it had never been opened";
        order::waiting_for_an_lsn_never_issued_is_an_error []
            "waiting for an LSN that was never issued fails with Invalid, and does not hang";
        order::the_durable_lsn_covers_what_was_acknowledged []
            "the durable LSN only grows, and covers every acknowledgement";
        order::a_second_writer_is_refused []
            "while a log is open, opening it for writing fails with Locked";
        crash::acknowledged_records_survive_a_crash [crash]
            "what was acknowledged is there after any crash";
        crash::what_takes_many_blocks_survives_a_crash [crash]
            "what was acknowledged together is there after any crash, however much it is";
        crash::what_the_durable_lsn_covers_survives_a_crash [crash]
            "the durable LSN covers no record that a crash may lose";
        crash::recovery_finds_a_prefix [crash, interrupt]
            "what recovery returns is a prefix of what was appended, without gaps";
        crash::a_batch_is_whole_or_absent [crash, interrupt]
            "of a batch all records are recovered, or none";
        crash::closing_makes_everything_durable [crash]
            "what was appended before a close is there after any crash";
        crash::a_second_open_finds_the_same [crash, interrupt]
            "recovery of a recovered log changes nothing";
        crash::what_was_seen_stays [crash, interrupt]
            "what a recovery has shown is there after any further crash";
        crash::what_is_seen_after_a_kill_stays [kill, fault, crash]
            "what is seen after the death of a process is there after any further crash";
        crash::tear_after_tear_is_recovered [crash, interrupt]
            "a log that was torn, recovered and torn again opens, with all acknowledged records";
        crash::a_crash_at_any_operation_loses_nothing [crash, interrupt]
            "whenever the power fails, acknowledged records survive and the rest is a prefix";
        crash::a_crash_in_recovery_loses_nothing [crash, interrupt]
            "whenever the power fails during a recovery, the next one finds what it would have";
        failing::nothing_is_acknowledged_after_a_failed_sync [fault]
            "after a failed sync nothing is acknowledged by that handle, ever";
        failing::what_is_seen_after_a_failed_sync_stays [fault, crash]
            "what a reopened log shows after a failed sync is durable, also what was in the cache";
        failing::a_failed_write_loses_nothing_acknowledged [fault, crash]
            "no failed or short write loses an acknowledged record or leaves a hole";
        failing::a_full_disk_loses_nothing_acknowledged [room, crash]
            "a full disk is an error, loses nothing acknowledged, and the log goes on with room";
        damage::damage_is_loud [fault, kill]
            "what was damaged in a closed log is an error or the right data, never less or other";
        damage::a_failed_read_is_no_end [fault, kill]
            "what cannot be read is an error, not the end of the log, and nothing is lost by it";
        damage::a_wrong_read_destroys_nothing [fault, kill]
            "bytes that come wrong from the disk once are never shown, and nothing is lost by them";
        stranger::strangers_are_named_or_left_alone [stranger, kill]
            "what others did to the files is an error or left alone: nothing of it goes, or is shown";
        stranger::a_log_that_vanished_is_no_new_one [stranger, kill]
            "a log whose newest file is gone, or all of them, does not open as a shorter or a new one";
        named::what_is_acknowledged_is_in_a_file_with_a_name [stranger]
            "after every acknowledgement a file that has a name holds the record";
        cutting::pruning_gives_space_back [room]
            "a log that is pruned as it grows never fills the disk";
        cutting::pruning_keeps_the_rest []
            "pruning before an LSN keeps every record from that one on";
        cutting::pruned_records_never_come_back [crash]
            "a record that was pruned is not seen again, also after a crash";
        cutting::an_interrupted_prune_leaves_no_gap [crash, interrupt]
            "whenever the power fails during a prune, what is left has no gap and all that was kept";
        cutting::truncating_drops_the_rest []
            "truncating after an LSN drops every later record, and LSNs go on from there";
        cutting::truncated_records_never_come_back [crash]
            "a record that was truncated is not seen again, also after a crash";
        cutting::an_interrupted_truncation_leaves_a_prefix [crash, interrupt]
            "whenever the power fails during a truncation, what is before the cut is there";
    } };
}
