//! What continuous integration runs of the search.

use wal_testkit::liars::{LogLie, LyingLog};
use wal_testkit::model::{Damaged, Failure, Full, Recoveries, Workloads, World, random, shrink};
use wal_testkit::{Profile, SimDisk};

use crate::product::worlds;

/// Every workload of one operation in every world, and of two in one.
#[test]
fn the_log_survives_every_short_workload() {
    let worlds = worlds();
    let mut images = 0;
    for (length, worlds) in [(0, &worlds[..]), (1, &worlds[..1]), (1, &worlds[2..3])] {
        let workloads = Workloads::new(length, Recoveries::Interrupted);
        for world in worlds {
            for index in 0..workloads.count() {
                images += survived(world, workloads.run(world, index));
            }
        }
    }
    println!("{images} images");
    assert!(images > 10_000, "{images} images are not every workload");
}

#[test]
fn the_log_survives_random_histories() {
    let worlds = worlds();
    let mut images = 0;
    for seed in 0..50 {
        for world in &worlds {
            images += survived(world, random(world, seed));
        }
    }
    println!("{images} images");
    assert!(images > 3_000, "{images} images are hardly a search");
}

/// The model is not the product's: it agrees with any log that is right.
#[test]
fn the_model_agrees_with_another_log() {
    for profile in [Profile::STRICT, Profile::JOURNALED] {
        let world =
            World::new("small", profile, |disk: SimDisk| LyingLog::open(disk, LogLie::None));
        let world = world.damaged(Damaged::Unpromised).full(Full::Fails);
        for seed in 0..300 {
            survived(&world, random(&world, seed));
        }
    }
}

#[test]
fn the_same_seed_does_the_same() {
    for world in &worlds() {
        let once: Vec<_> = (0..3).map(|seed| survived(world, random(world, seed))).collect();
        let again: Vec<_> = (0..3).map(|seed| survived(world, random(world, seed))).collect();
        assert_eq!(once, again, "in the world {}", world.name());
    }
}

#[track_caller]
fn survived(world: &World, outcome: Result<u64, Box<Failure>>) -> u64 {
    match outcome {
        Ok(images) => images,
        Err(failure) => {
            let Failure { violation, case, .. } = shrink(world, &failure);
            panic!("{violation}\nrun it again with\n  crash-search --replay '{case}'");
        }
    }
}
