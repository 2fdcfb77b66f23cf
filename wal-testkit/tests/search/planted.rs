//! Planted bugs: for every invariant a log that breaks it, which the search must find.

use wal_testkit::liars::{LogLie, LyingLog};
use wal_testkit::model::{Damaged, Full, Invariant, World, random, replay, shrink};
use wal_testkit::{History, Profile, SimDisk};

use crate::lies::{
    FileLie, Lie, WorldLie, in_lying_world, landed, lying, of_one_transform, on_lying_files,
    unlocked,
};

/// Histories tried before a bug counts as not found.
const HISTORIES: u64 = 20_000;

/// The bugs, each with the invariant that it is planted for; it may break others too.
fn planted() -> Vec<(Invariant, World)> {
    vec![
        (Invariant::DurableAck, on_lying_files(FileLie::SyncDoesNothing)),
        (Invariant::DurableAck, on_lying_files(FileLie::DirectorySyncDoesNothing)),
        (Invariant::DurableAck, on_lying_files(FileLie::SyncIsTriedAgain)),
        (Invariant::DurableAck, on_lying_files(FileLie::WriteErrorsAreSwallowed)),
        (Invariant::DurableAck, small(LogLie::NothingIsSynced)),
        (Invariant::DurableAck, small(LogLie::NameIsNotSynced)),
        (Invariant::DurableAck, small(LogLie::AppendsBehindATear)),
        (Invariant::DurableAck, small(LogLie::FullIsAcknowledged)),
        (Invariant::DurableAck, small(LogLie::CloseForgets)),
        (Invariant::Prefix, lying(Lie::BatchIsSplit)),
        (Invariant::Prefix, small(LogLie::BatchIsSplit)),
        (Invariant::Prefix, small(LogLie::ReadsBackwards)),
        (Invariant::NoPhantom, lying(Lie::ReadsTheOneBefore)),
        (Invariant::NoPhantom, small(LogLie::TruncateForgets)),
        (Invariant::NoPhantom, small(LogLie::SumsAreNotChecked)),
        (Invariant::Total, small(LogLie::CarriesUnsynced)),
        (Invariant::ObservedIsDurable, small(LogLie::RecoversInPlace)),
        (Invariant::Idempotent, small(LogLie::SecondOpenForgets)),
        (Invariant::Poison, lying(Lie::ForgetsTheFailure)),
        (Invariant::Poison, small(LogLie::SyncIsTriedAgain)),
        (Invariant::LoudCorruption, lying(Lie::DamageIsCut)),
        (Invariant::LoudCorruption, in_lying_world(WorldLie::DamageIsTheEnd)),
        (Invariant::NoPhantom, in_lying_world(WorldLie::PrefixIsBelieved)),
        (Invariant::DurableReads, lying(Lie::DurableIsStaged)),
        (Invariant::DurableReads, small(LogLie::DurableIsStaged)),
        (Invariant::Retention, small(LogLie::PruneForgets)),
        (Invariant::Retention, small(LogLie::PrunesTooMuch)),
        (Invariant::Total, lying(Lie::RefusesATornTail)),
        (Invariant::Total, lying(Lie::StaysOpen)),
        (Invariant::FullDisk, lying(Lie::FullForEver)),
        (Invariant::Liveness, lying(Lie::NeverForgives)),
        (Invariant::Ownership, landed()),
        (Invariant::FullDisk, in_lying_world(WorldLie::NeverPrunes)),
        (Invariant::DurableAck, in_lying_world(WorldLie::PrunesTheNewest)),
        (Invariant::Ownership, in_lying_world(WorldLie::KnowsNoFork)),
        (Invariant::Ownership, in_lying_world(WorldLie::ReadersRecover)),
        (Invariant::Ownership, unlocked()),
        (Invariant::Total, of_one_transform()),
        (Invariant::Total, lying(Lie::ReadsAgainAndAgain)),
    ]
}

/// The small log of the kit, with this defect.
fn small(lie: LogLie) -> World {
    let world = World::new(format!("{lie:?}"), Profile::STRICT, move |disk: SimDisk| {
        LyingLog::open(disk, lie)
    });
    world.damaged(Damaged::Unpromised).full(Full::Fails)
}

/// Each within so many histories, by the invariant it is planted for, and shrunk to a case that
/// breaks it again.
#[test]
fn every_planted_bug_dies() {
    let mut alive = Vec::new();
    for (invariant, world) in planted() {
        let mut images = 0;
        let died = (0..HISTORIES).find_map(|seed| match random(&world, seed) {
            Err(failure) if failure.violation.invariant == invariant => Some((seed, failure)),
            outcome => {
                images += outcome.unwrap_or(0);
                None
            }
        });
        let Some((seed, failure)) = died else {
            alive.push(format!("{} for {invariant}", world.name()));
            continue;
        };
        let small = shrink(&world, &failure);
        println!("{invariant} {}: seed {seed}, {images} images, {}", world.name(), small.case);
        assert_eq!(small.violation.invariant, invariant);
        assert!(small.case.steps.len() <= failure.case.steps.len());
        let again = replay(&world, &small.case, &History::new()).unwrap_err();
        assert_eq!(again.violation, small.violation);
    }
    assert!(alive.is_empty(), "not found: {alive:#?}");
}

#[test]
fn every_invariant_has_a_planted_bug() {
    for invariant in Invariant::ALL {
        assert!(planted().iter().any(|(other, _)| *other == invariant), "{invariant}");
    }
}
