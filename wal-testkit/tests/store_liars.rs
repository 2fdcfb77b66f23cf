//! A law that no broken store breaks is no law: every lie is caught, every law catches one.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]
#![expect(clippy::cast_possible_truncation, reason = "segments of tests are small")]

#[path = "liars/store.rs"]
mod store;

use std::collections::BTreeSet;
use std::io;

use store::{Lie, LyingStore};
use wal_core::SegmentStore;
use wal_testkit::{
    Breach, OnDisk, Place, Profile, SEGMENT_STORE_LAWS, SegmentStoreLaw, Verdict,
    segment_store_laws,
};

/// Each lie with the laws that are there to catch it. A lie may break others too.
const LIES: &[(Lie, &[&str])] = &[
    (Lie::AlignmentOfThree, &["guarantees_make_sense"]),
    (Lie::AppendsAreBuffered, &["readers_see_appends_at_once"]),
    (Lie::AppendsTradePlaces, &["appends_keep_their_order"]),
    (Lie::CreateKeepsItsRoom, &["a_create_without_room_gives_it_back"]),
    (Lie::CreateOverwrites, &["a_taken_number_is_refused"]),
    (Lie::CreateRecyclesOpenly, &["an_interrupted_create_leaves_zeros_or_nothing"]),
    (Lie::CreateRecyclesUnsynced, &["prepared_space_is_zeros_after_a_crash"]),
    (Lie::CreateSkipsDirectorySync, &["a_created_segment_survives_a_crash"]),
    (Lie::EndCountsPreparedSpace, &["the_end_is_what_was_appended"]),
    (Lie::FailedAppendMovesTheEnd, &["a_failed_append_does_not_move_the_end"]),
    (Lie::FullIsAnyError, &["an_append_without_room_can_be_repeated"]),
    (Lie::ListIsUnsorted, &["segments_are_listed_in_order"]),
    (Lie::ListKnowsOwnSegmentsOnly, &["reopening_finds_everything"]),
    (Lie::ListShowsTheLock, &["only_segments_are_listed"]),
    (Lie::LockIsAFile, &["a_lock_dies_with_its_holder"]),
    (Lie::LockIsNeverFreed, &["a_dropped_lock_is_free"]),
    (Lie::LockLetsTwoIn, &["a_second_lock_is_refused"]),
    (Lie::OpenMakesTheSegment, &["a_missing_segment_is_not_found"]),
    (Lie::PreparedSpaceIsGarbage, &["prepared_space_reads_as_zeros"]),
    (Lie::ReadsAreShort, &["reads_stop_only_at_the_end"]),
    (Lie::RemoveDoesNothing, &["removed_segments_are_gone"]),
    (Lie::RemoveSkipsDirectorySync, &["a_removal_survives_a_crash"]),
    (Lie::RemoveStopsAtTheMissing, &["remove_passes_over_the_missing"]),
    (Lie::RemoveSyncsOnceForAll, &["an_interrupted_removal_leaves_the_last"]),
    (Lie::ShortWritesAreTakenForWhole, &["short_writes_are_finished"]),
    (Lie::SyncDoesNothing, &["synced_bytes_survive_a_crash"]),
    (Lie::SyncErrorsAreSwallowed, &["a_failed_sync_is_reported"]),
    (Lie::SyncWorksOnItsThreadOnly, &["syncs_run_beside_appends"]),
    (Lie::SyncWorksOnce, &["a_sync_covers_every_append_before_it"]),
    (Lie::TrimCutsTooMuch, &["trim_keeps_what_is_before"]),
    (Lie::TrimDoesNothing, &["trim_gives_back_the_rest"]),
    (Lie::TrimExtends, &["trim_leaves_a_short_segment_alone"]),
    (Lie::TrimRewrites, &["an_interrupted_trim_keeps_what_is_before"]),
    (Lie::TrimSkipsSync, &["a_trim_survives_a_crash"]),
];

fn lying(lie: Lie) -> Box<dyn Place<dyn SegmentStore>> {
    Box::new(OnDisk::new(Profile::STRICT, move |disk| {
        Ok::<_, io::Error>(LyingStore::new(disk, lie))
    }))
}

fn law(name: &str) -> &'static SegmentStoreLaw {
    SEGMENT_STORE_LAWS.iter().find(|law| law.name() == name).unwrap()
}

fn run(name: &str, lie: Lie) -> Result<Verdict, Breach> {
    law(name).run(&|| lying(lie), &[])
}

segment_store_laws!(without_a_lie, || OnDisk::new(Profile::STRICT, |disk| {
    Ok::<_, io::Error>(LyingStore::new(disk, Lie::None))
}));

#[test]
fn every_lie_is_caught() {
    for (lie, laws) in LIES {
        for name in *laws {
            let caught = run(name, *lie);
            assert!(caught.is_err(), "{lie:?} got past {name}");
        }
    }
}

#[test]
fn every_law_catches_a_lie() {
    let laws: BTreeSet<_> = SEGMENT_STORE_LAWS.iter().map(SegmentStoreLaw::name).collect();
    let catching: BTreeSet<_> = LIES.iter().flat_map(|(_, laws)| *laws).copied().collect();
    assert_eq!(laws, catching);
}

/// What a person gets to read, and that it is enough to go on from.
#[test]
fn a_report_says_what_was_seen_and_how_to_see_it_again() {
    let breach = run("synced_bytes_survive_a_crash", Lie::SyncDoesNothing).unwrap_err();
    let report = breach.to_string();
    for part in [
        "law broken: segment_store/synced_bytes_survive_a_crash",
        "promise: bytes appended before a successful sync are there after any crash",
        "part: LyingStore { disk: SimDisk {",
        "saw: bytes of segment 1 that are as they should be: saw 0, wanted 160",
        "1. OPEN the place",
        "append 160 bytes to 1 at 0",
        "CRASH, nothing",
        "again: WAL_CRASH=nothing cargo test synced_bytes_survive_a_crash",
    ] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}
