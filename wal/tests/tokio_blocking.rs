//! Threads that block for a record under the Tokio strategy, also those of the runtime itself.
#![cfg(feature = "tokio")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use wal::{Config, ErrorKind, Lsn, Strategy, Wal, WhenDiskFull};
use wal_testkit::{Profile, SimDisk, SimStore};

/// Long enough for any machine; only a hang takes as long.
const PATIENCE: Duration = Duration::from_secs(60);

fn within<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || done.send(run()).ok());
    ended.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what}: hangs"))
}

fn log() -> Wal {
    let store = Arc::new(SimStore::new(SimDisk::new(Profile::STRICT)));
    Wal::with_store(store).strategy(Strategy::Tokio).open().unwrap().0
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

/// B5: a task that blocked for its record waited for ever: the task that flushes was to run on the very
/// thread. With two workers and eight such tasks the whole runtime stood. A thread that blocks flushes
/// by itself.
#[test]
fn b5_a_blocking_wait_in_a_task_flushes_by_itself() {
    for runtime in [current_thread(), two_threads()] {
        within("tasks that block", move || {
            runtime.block_on(async {
                let wal = log();
                let tasks: Vec<_> = (0..8)
                    .map(|_| {
                        let wal = wal.clone();
                        tokio::spawn(async move {
                            for _ in 0..10 {
                                wal.append_durable(b"durable").unwrap();
                                let lsn = wal.append(b"waited for").unwrap();
                                wal.wait_for_lsn(lsn).wait().unwrap();
                                wal.sync().unwrap();
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
                assert_eq!(wal.durable_lsn(), Lsn::new(160));
                wal.close().unwrap();
            });
        });
    }
}

/// 600 threads of `spawn_blocking` that block for a record waited for ever: the flush needed a blocking
/// thread, too, and all 512 were theirs. Two are enough here to use up what there is.
#[test]
fn blocking_pool() {
    within("a runtime without a free blocking thread", || {
        let runtime =
            Builder::new_multi_thread().worker_threads(2).max_blocking_threads(2).build().unwrap();
        runtime.block_on(async {
            let wal = log();
            let (release, held) = mpsc::channel::<()>();
            let held = Arc::new(std::sync::Mutex::new(held));
            let holding: Vec<_> = (0..2)
                .map(|_| {
                    let (wal, held) = (wal.clone(), Arc::clone(&held));
                    tokio::task::spawn_blocking(move || {
                        wal.append_durable(b"blocking").unwrap();
                        // Until the others are through.
                        let _ = held.lock().unwrap().recv();
                    })
                })
                .collect();
            for _ in 0..10 {
                let lsn = wal.append(b"a task").unwrap();
                wal.wait_for_lsn(lsn).await.unwrap();
            }
            drop(release);
            for thread in holding {
                thread.await.unwrap();
            }
        });
    });
}

/// The flush waited for room on a blocking thread, and the end of the runtime for that thread.
#[test]
fn runtime_drop_hangs() {
    let runtime = two_threads();
    let mut config = Config::default();
    (config.segment_size, config.max_size) = (32 << 10, Some(64 << 10));
    (config.strategy, config.when_disk_full) = (Strategy::Tokio, WhenDiskFull::Wait);
    let disk = SimDisk::new(Profile::STRICT);
    let store = Arc::new(SimStore::new(disk));
    let wal = runtime.block_on(async { Wal::with_store(store).config(config).open() }).unwrap().0;
    for _ in 0..200 {
        wal.append([0; 1000]).unwrap();
    }
    let last = wal.last_lsn();
    let waits = wal.clone();
    let waiting = runtime.spawn(async move { waits.wait_for_lsn(last).await });
    while wal.durable_lsn() == Lsn::ZERO {
        thread::sleep(Duration::from_millis(1));
    }
    within("the end of the runtime", move || drop(runtime));
    drop(waiting);
    let closed = within("a close", move || wal.close().unwrap_err());
    assert_eq!(closed.kind(), ErrorKind::StorageFull);
}

/// Timeouts, `select!`, and waits that are given up lose nothing and stall nobody.
#[test]
fn timeouts_and_select() {
    within("a runtime", || {
        current_thread().block_on(async {
            let wal = log();
            for round in 0..100_u64 {
                let lsn = wal.append(b"record").unwrap();
                match round % 3 {
                    0 => drop(tokio::time::timeout(Duration::ZERO, wal.wait_for_lsn(lsn)).await),
                    1 => tokio::select! {
                        biased;
                        () = std::future::ready(()) => {}
                        waited = wal.wait_for_lsn(lsn) => waited.unwrap(),
                    },
                    _ => wal.wait_for_lsn(lsn).await.unwrap(),
                }
            }
            wal.wait_for_lsn(Lsn::new(100)).await.unwrap();
        });
    });
}

/// Hundreds of logs on one runtime, each with tasks that wait and threads that block.
#[test]
fn hundreds_of_logs_on_one_runtime() {
    within("a runtime", || {
        two_threads().block_on(async {
            let logs: Vec<_> = (0..200).map(|_| log()).collect();
            for wal in &logs {
                let task = wal.clone();
                let lsn = task.append(b"record").unwrap();
                let task = tokio::spawn(async move { task.wait_for_lsn(lsn).await });
                wal.append_durable(b"blocking").unwrap();
                task.await.unwrap().unwrap();
            }
            for wal in logs {
                wal.close().unwrap();
            }
        });
    });
}
