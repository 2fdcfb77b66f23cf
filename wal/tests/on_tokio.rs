//! The strategy that is a task on the user's runtime.
#![cfg(feature = "tokio")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout};
use wal::{ErrorKind, Lsn, Strategy, Wal};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk, SimStore, Throttled};

fn log() -> (SimDisk, Wal) {
    let disk = SimDisk::new(Profile::STRICT);
    let store = Arc::new(SimStore::new(disk.clone()));
    let (wal, _) = Wal::with_store(store).strategy(Strategy::Tokio).open().unwrap();
    (disk, wal)
}

/// What a power cut leaves of the log.
fn left(disk: &SimDisk) -> u64 {
    let store = Arc::new(SimStore::new(disk.power_cut(CutChoice::Nothing)));
    Wal::with_store(store).open().unwrap().1.valid_records
}

/// The strategy looks at no clock: with time standing still a commit ends, and takes none of it.
#[tokio::test(start_paused = true)]
async fn a_paused_clock_changes_nothing() {
    let (disk, wal) = log();
    let began = Instant::now();
    for _ in 0..10 {
        let lsn = wal.append(b"record").unwrap();
        wal.wait_for_lsn(lsn).await.unwrap();
        assert!(wal.durable_lsn() >= lsn);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(left(&disk), 10);
}

/// On a runtime with one thread, which the strategy shares with those who wait.
#[tokio::test]
async fn many_tasks_on_one_thread_share_syncs() {
    let (disk, wal) = log();
    let commits = (0..500).map(|_| {
        let wal = wal.clone();
        tokio::spawn(async move {
            let lsn = wal.append(b"record").unwrap();
            wal.wait_for_lsn(lsn).await.unwrap();
        })
    });
    for commit in commits.collect::<Vec<_>>() {
        commit.await.unwrap();
    }
    assert_eq!(left(&disk), 500);
    assert!(wal.syncs() < 250, "{} syncs for 500 commits", wal.syncs());
}

/// Threads that block, each of which flushed by itself since a task may not get its turn beside them: 64 of
/// them got a fourteenth of the records durable that they had got through the task. Those who come while a
/// sync is under way share the next one.
#[tokio::test]
async fn threads_that_block_share_syncs() {
    const THREADS: u64 = 16;
    const RECORDS: u64 = 40;
    let disk = SimDisk::new(Profile::STRICT);
    let sim = Arc::new(SimStore::new(disk.clone()));
    let store = Throttled::new(sim, Duration::from_millis(3));
    let (wal, _) = Wal::with_store(Arc::new(store)).strategy(Strategy::Tokio).open().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..RECORDS {
                    let lsn = wal.append(b"record").unwrap();
                    wal.wait_for_lsn(lsn).wait().unwrap();
                }
            });
        }
    });
    assert_eq!(left(&disk), THREADS * RECORDS);
    let syncs = wal.syncs();
    assert!(syncs < THREADS * RECORDS / 2, "{syncs} syncs for {} records", THREADS * RECORDS);
}

/// A wait that is given up loses nothing and stalls nobody: the record becomes durable, and so do
/// those behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_wait_loses_nothing() {
    let (disk, wal) = log();
    for round in 0..50_u64 {
        let lsn = wal.append(b"given up").unwrap();
        let wait = wal.wait_for_lsn(lsn);
        if round % 2 == 0 {
            drop(wait);
        } else {
            let task = tokio::spawn(wait);
            tokio::task::yield_now().await;
            task.abort();
        }
    }
    let lsn = wal.append(b"last").unwrap();
    timeout(Duration::from_secs(60), wal.wait_for_lsn(lsn)).await.unwrap().unwrap();
    assert_eq!(left(&disk), 51);
}

/// A record that nobody waits for, and the next ones, which the task must be woken for.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_record_that_nobody_waits_for_becomes_durable() {
    let (_, wal) = log();
    for _ in 0..20 {
        let lsn = wal.append(b"alone").unwrap();
        let durable = async {
            while wal.durable_lsn() < lsn {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(60), durable).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_reaches_every_task() {
    let (disk, wal) = log();
    let lsn = wal.append(b"durable").unwrap();
    wal.wait_for_lsn(lsn).await.unwrap();
    disk.fail(FaultRule::next(Call::Sync, Fault::Io));
    let waits: Vec<_> = (0..20)
        .map(|_| {
            let wal = wal.clone();
            tokio::spawn(async move {
                let lsn = wal.append(b"lost")?;
                wal.wait_for_lsn(lsn).await
            })
        })
        .collect();
    for wait in waits {
        let wait = timeout(Duration::from_secs(60), wait).await.unwrap().unwrap();
        assert_eq!(wait.unwrap_err().kind(), ErrorKind::Poisoned);
    }
    assert_eq!(left(&disk), 1);
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).build().unwrap()
}

/// The runtime ends before the log is closed: what was staged is flushed, a thread's wait works, a
/// task's says why not, and closing works as ever.
#[test]
fn the_runtime_may_end_first() {
    let runtime = runtime();
    let (disk, wal) = runtime.block_on(async { log() });
    wal.append(b"staged when the runtime ends").unwrap();
    drop(runtime);
    wal.wait_for_lsn(Lsn::FIRST).wait().unwrap();
    let lsn = wal.append(b"by a thread").unwrap();
    wal.wait_for_lsn(lsn).wait().unwrap();
    let lsn = wal.append(b"by a task").unwrap();
    let error = pollster::block_on(wal.wait_for_lsn(lsn)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    wal.close().unwrap();
    assert_eq!(left(&disk), 3);
}

#[test]
fn a_log_is_closed_within_the_runtime_and_outside() {
    let runtime = runtime();
    let (disk, wal) = runtime.block_on(async { log() });
    wal.append(b"staged").unwrap();
    wal.close().unwrap();
    assert_eq!(left(&disk), 1);
    let (disk, wal) = runtime.block_on(async { log() });
    wal.append(b"staged").unwrap();
    runtime.block_on(async { wal.close() }).unwrap();
    assert_eq!(left(&disk), 1);
}

/// What nobody waits for is durable when the runtime has ended, and not when somebody asks for it.
#[test]
fn what_is_staged_when_the_runtime_ends_is_durable() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (disk, wal) = runtime.block_on(async { log() });
    // The runtime stands still, and so does the task.
    let lsn = wal.append(b"staged when the runtime ends").unwrap();
    assert!(wal.durable_lsn() < lsn);
    drop(runtime);
    assert_eq!(wal.durable_lsn(), lsn);
    assert_eq!(left(&disk), 1);
}

/// The task is not left behind in a runtime that goes on: not by a close, wherever it is called, and
/// not by a failure.
#[test]
fn the_task_ends_with_the_log() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let alone = || {
        let all_ended = async {
            while runtime.metrics().num_alive_tasks() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        runtime.block_on(async { timeout(Duration::from_secs(60), all_ended).await }).unwrap();
    };
    let (_disk, wal) = runtime.block_on(async { log() });
    wal.close().unwrap();
    alone();
    let (_disk, wal) = runtime.block_on(async {
        let (disk, wal) = log();
        let lsn = wal.append(b"durable").unwrap();
        wal.wait_for_lsn(lsn).await.unwrap();
        // So that the task rests.
        tokio::time::sleep(Duration::from_millis(10)).await;
        (disk, wal)
    });
    wal.close().unwrap();
    alone();
    let (disk, wal) = runtime.block_on(async { log() });
    disk.fail(FaultRule::next(Call::Sync, Fault::Io));
    let lsn = wal.append(b"lost").unwrap();
    runtime.block_on(wal.wait_for_lsn(lsn)).unwrap_err();
    alone();
}

/// The task of a full disk tries again when somebody appends or waits, and not before.
#[test]
fn a_full_disk_is_left_alone_until_somebody_asks() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let (disk, wal) = runtime.block_on(async { log() });
    let append = |record: &[u8]| {
        let lsn = wal.append(record).unwrap();
        runtime.block_on(async { timeout(Duration::from_secs(60), wal.wait_for_lsn(lsn)).await })
    };
    append(b"durable").unwrap().unwrap();
    disk.fail(FaultRule::next(Call::Write, Fault::StorageFull).forever());
    for _ in 0..3 {
        let error = append(b"staged").unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
    let wait = |time| runtime.block_on(async { tokio::time::sleep(time).await });
    // What the last append asked for may be under way for as long as the machine likes; then it rests.
    let rests = (0..1000).any(|_| {
        let tried = disk.counts();
        wait(Duration::from_millis(50));
        disk.counts() == tried
    });
    assert!(rests, "it goes on trying, and nobody has asked");
    disk.heal();
    append(b"with room").unwrap().unwrap();
    assert_eq!(wal.durable_lsn(), Lsn::new(5));
    wal.close().unwrap();
    assert_eq!(left(&disk), 5);
}
