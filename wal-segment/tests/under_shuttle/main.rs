//! The file store under shuttle, with its own preparing thread, on the simulated disk: threads take
//! their steps in an order chosen by a seed, and may change places before every file operation. The
//! disk checks whose file is whose, and after every sync the bytes must be in a file with a name.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p wal-segment --test under_shuttle --target-dir target/shuttle
//! ```
//!
//! `WAL_SCHEDULES` is how many orders each scenario is run in, by half at random and by half by
//! probabilistic concurrency testing; `WAL_SEED` is the first seed. A failure prints both, and a
//! schedule for `shuttle::replay`.
#![allow(unexpected_cfgs, reason = "`shuttle` is set by hand, for a model checker")]
#![cfg(shuttle)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod log;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use log::{Log, SIZE, files, locked};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::{Config, Runner, thread};
use wal_core::{SegmentId, SegmentStore};
use wal_segment::{Ahead, FileStore, Preparation, Recycling};
use wal_testkit::liars::LandedStore;
use wal_testkit::{Call, Fault, FaultRule, Profile, SimDisk};

/// Runs a scenario in many orders, and says how many there were.
fn explore(scenario: impl Fn() + Copy + Send + Sync + 'static) -> usize {
    let (seed, schedules) = (number("WAL_SEED", 1), number("WAL_SCHEDULES", 2000));
    eprintln!("WAL_SEED={seed} WAL_SCHEDULES={schedules}");
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.max_steps = shuttle::MaxSteps::FailAfter(200_000);
    let half = usize::try_from(schedules.div_ceil(2)).unwrap();
    let random = RandomScheduler::new_from_seed(seed, half);
    let few_switches = PctScheduler::new_from_seed(seed, 3, half);
    let run = Runner::new(random, config.clone()).run(scenario)
        + Runner::new(few_switches, config).run(scenario);
    println!("{run} orders");
    run
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect("a number"))
}

fn threaded(disk: &SimDisk) -> FileStore {
    FileStore::over(files(disk)).ahead(Ahead::Thread)
}

/// The seal of a segment crosses the half of its space after the next segment was made: what lost
/// acknowledged records without a crash.
#[test]
fn a_seal_that_crosses_the_half() {
    explore(|| {
        let disk = SimDisk::new(Profile::STRICT);
        let store: Arc<dyn SegmentStore> = Arc::new(threaded(&disk));
        let lock = locked(&*store);
        let mut log = Log::begin(&store, &disk, SegmentId::FIRST);
        (0..3).for_each(|_| log.commits_across_the_half());
        drop((log, lock, store));
        assert_eq!(disk.breach(), None);
    });
}

/// S2: a closed log's preparing thread went on, and replaced the file of the next owner.
#[test]
fn a_close_beside_preparing() {
    explore(|| {
        let disk = SimDisk::new(Profile::STRICT);
        let next = disk.clone();
        let store: Arc<dyn SegmentStore> = Arc::new(threaded(&disk));
        let lock = locked(&*store);
        let mut log = Log::begin(&store, &disk, SegmentId::FIRST);
        log.commit(SIZE / 2 + 100);
        let successor = thread::spawn(move || {
            let store: Arc<dyn SegmentStore> = Arc::new(threaded(&next));
            let lock = locked(&*store);
            let mut log = Log::begin(&store, &next, SegmentId::new(2));
            log.commits_across_the_half();
            drop((log, lock));
        });
        drop((log, lock));
        successor.join().unwrap();
        // The handle lives on, without its lock.
        drop(store);
        assert_eq!(disk.breach(), None);
    });
}

/// S1: a poisoned handle is dropped late, beside a new owner. While anything of it can still write,
/// the lock is not free.
#[test]
fn a_poisoned_handle_that_is_dropped_late() {
    explore(|| {
        let disk = SimDisk::new(Profile::STRICT);
        let next = disk.clone();
        let store = threaded(&disk).preparation(Preparation::ZerosAhead(4096));
        let store: Arc<dyn SegmentStore> = Arc::new(store.recycling(Recycling::Keep(1)));
        let lock = locked(&*store);
        let mut log = Log::begin(&store, &disk, SegmentId::FIRST);
        log.commit(5000);
        disk.fail(FaultRule::next(Call::Sync, Fault::Io).forever());
        log.fails(5000);
        disk.heal();
        drop(lock);
        let successor = thread::spawn(move || {
            let store = threaded(&next).recycling(Recycling::Keep(1));
            let store: Arc<dyn SegmentStore> = Arc::new(store);
            let lock = locked(&*store);
            let mut log = Log::begin(&store, &next, SegmentId::new(2));
            store.remove(&[SegmentId::FIRST]).unwrap();
            log.commits_across_the_half();
            drop((log, lock));
        });
        drop(log);
        successor.join().unwrap();
        drop(store);
        assert_eq!(disk.breach(), None);
    });
}

/// Files of removed segments are used again while the next segment is prepared.
#[test]
fn pruning_beside_preparing() {
    explore(|| {
        let disk = SimDisk::new(Profile::STRICT);
        let store = threaded(&disk).recycling(Recycling::Keep(2));
        let store: Arc<dyn SegmentStore> = Arc::new(store);
        let lock = locked(&*store);
        let mut log = Log::begin(&store, &disk, SegmentId::FIRST);
        log.commits_across_the_half();
        let pruning = {
            let store = Arc::clone(&store);
            thread::spawn(move || store.remove(&[SegmentId::FIRST]).unwrap())
        };
        log.commits_across_the_half();
        pruning.join().unwrap();
        drop((log, lock, store));
        assert_eq!(disk.breach(), None);
    });
}

/// The landed store's own race, planted once more, dies.
#[test]
fn the_landed_store_dies() {
    let scenario = || {
        let disk = SimDisk::new(Profile::STRICT);
        let files = files(&disk);
        let rest = Arc::new(FileStore::over(Arc::clone(&files)));
        let landed = Arc::new(LandedStore::new(files, rest, thread::yield_now));
        let over = Arc::new(AtomicBool::new(false));
        let preparing = {
            let (landed, over) = (Arc::clone(&landed), Arc::clone(&over));
            thread::spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    landed.prepare_next().ok();
                    thread::yield_now();
                }
            })
        };
        let store: Arc<dyn SegmentStore> = landed;
        let lock = locked(&*store);
        let mut log = Log::begin(&store, &disk, SegmentId::FIRST);
        (0..3).for_each(|_| log.commits_across_the_half());
        over.store(true, Ordering::SeqCst);
        preparing.join().unwrap();
        drop((log, lock));
    };
    let died = catch_unwind(AssertUnwindSafe(|| explore(scenario)));
    let panic = died.expect_err("the race was not found");
    let text = panic.downcast_ref::<String>().map_or("", String::as_str);
    println!("found: {}", text.lines().next().unwrap_or(""));
}
