//! The laws for a whole log: a small log that is right keeps them, every log that lies breaks the
//! one that is there for it.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]
#![expect(clippy::cast_possible_truncation, reason = "logs of tests are small")]

#[path = "liars/log.rs"]
mod log;

use std::collections::BTreeSet;

use log::{Lie, ModelLog};
use wal_testkit::{
    Atom, LOG_LAWS, LogLaw, LogUnderTest, OnDisk, Place, Profile, SimDisk, Tail, log_laws,
};

/// Each lie with the laws that are there to catch it. A lie may break others too.
const LIES: &[(Lie, &[&str])] = &[
    (Lie::AppendsBehindATear, &["tear_after_tear_is_recovered"]),
    (Lie::BatchIsSplit, &["a_batch_is_whole_or_absent"]),
    (Lie::CarriesUnsynced, &["what_was_seen_stays"]),
    (Lie::CloseForgets, &["closing_makes_everything_durable"]),
    (Lie::DurableIsNothing, &["the_durable_lsn_covers_what_was_acknowledged"]),
    (Lie::DurableIsStaged, &["what_the_durable_lsn_covers_survives_a_crash"]),
    (Lie::FirstLsnIsZero, &["lsns_are_dense_from_one"]),
    (Lie::FullIsAcknowledged, &["a_full_disk_loses_nothing_acknowledged"]),
    (Lie::NameIsNotSynced, &["a_crash_at_any_operation_loses_nothing"]),
    (Lie::NothingIsSynced, &["acknowledged_records_survive_a_crash"]),
    (
        Lie::OldGoesBeforeNewIsSynced,
        &[
            "a_crash_in_recovery_loses_nothing",
            "an_interrupted_prune_leaves_no_gap",
            "an_interrupted_truncation_leaves_a_prefix",
        ],
    ),
    (Lie::OpeningAppends, &["an_empty_log_opens_again"]),
    (Lie::PruneForgets, &["pruned_records_never_come_back"]),
    (Lie::PrunesTooMuch, &["pruning_keeps_the_rest"]),
    (Lie::ReadsBackwards, &["records_come_back_in_order"]),
    (Lie::ReadsFromTheStart, &["reading_begins_where_it_is_told"]),
    (Lie::ReadsOneSegment, &["records_cross_segments"]),
    (
        Lie::RecoversInPlace,
        &["what_is_seen_after_a_failed_sync_stays", "what_is_seen_after_a_kill_stays"],
    ),
    (Lie::RecoverySkipsDamage, &["recovery_finds_a_prefix"]),
    (Lie::ReopenForgetsTheLast, &["reopening_goes_on_with_the_next_lsn"]),
    (Lie::SecondOpenForgets, &["a_second_open_finds_the_same"]),
    (Lie::SyncIsTriedAgain, &["nothing_is_acknowledged_after_a_failed_sync"]),
    (Lie::TruncateDoesNothing, &["truncating_drops_the_rest"]),
    (Lie::TruncateForgets, &["truncated_records_never_come_back"]),
    (Lie::TwoMayWrite, &["a_second_writer_is_refused"]),
    (Lie::WaitsForAnything, &["waiting_for_an_lsn_never_issued_is_an_error"]),
    (Lie::WriteErrorsLeaveAHole, &["a_failed_write_loses_nothing_acknowledged"]),
    (Lie::ZerosAreTheEnd, &["records_of_any_length_come_back"]),
];

fn on(profile: Profile, lie: Lie) -> impl Place<dyn LogUnderTest> {
    OnDisk::new(profile, move |disk| ModelLog::open(disk, lie))
}

log_laws!(strict, || on(Profile::STRICT, Lie::None));
log_laws!(journaled, || on(Profile::JOURNALED, Lie::None));
log_laws!(bytewise, || on(Profile::STRICT.atom(Atom::Byte).tail(Tail::Stale), Lie::None));

log_laws!(
    undisturbed,
    || {
        let disk = SimDisk::new(Profile::STRICT);
        move || ModelLog::open(disk.clone(), Lie::None)
    },
    without [crash, kill, interrupt, fault, room]
);

#[test]
fn every_lie_is_caught() {
    let mut past = Vec::new();
    for (lie, laws) in LIES {
        for name in *laws {
            let law = LOG_LAWS.iter().find(|law| law.name() == *name).unwrap();
            match law.run(&|| Box::new(on(Profile::STRICT, *lie)), &[]) {
                Ok(_) => past.push(format!("{lie:?} got past {name}")),
                Err(breach) => assert!(!breach.saw().contains("panic"), "{breach}"),
            }
        }
    }
    assert!(past.is_empty(), "{past:#?}");
}

#[test]
fn every_law_catches_a_lie() {
    let laws: BTreeSet<_> = LOG_LAWS.iter().map(LogLaw::name).collect();
    let catching: BTreeSet<_> = LIES.iter().flat_map(|(_, laws)| *laws).copied().collect();
    assert_eq!(laws, catching);
}
