//! What must not wait for the disk does not, under any strategy and whatever step of the disk hangs;
//! and a task that never has to wait lets others run all the same.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use wal::parts::segment::MemoryStore;
use wal::{Config, ErrorKind, Lsn, Strategy, Wal, WhenDiskFull};

use crate::hooked::{Gate, Hooked, Step};
use crate::within;

const STRATEGIES: [Strategy; 7] = [
    Strategy::Sync,
    Strategy::GroupCommit,
    Strategy::FlushThread,
    Strategy::Pipelined,
    Strategy::Parallel,
    Strategy::Interval(Duration::from_millis(20)),
    Strategy::Os,
];

/// Those, and the one that needs a runtime, which is entered meanwhile.
pub(crate) fn strategies() -> (impl Iterator<Item = Strategy>, impl Sized) {
    #[cfg(feature = "tokio")]
    {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let runtime: &'static tokio::runtime::Runtime = Box::leak(Box::new(runtime));
        (STRATEGIES.into_iter().chain([Strategy::Tokio]), runtime.enter())
    }
    #[cfg(not(feature = "tokio"))]
    (STRATEGIES.into_iter(), ())
}

fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A `try_append`, and one poll of every future there is.
fn look_in(wal: &Wal) {
    match wal.try_append([0; 1000]) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::Backpressure),
    }
    let _ = poll(wal.append_async([0; 1000]));
    let _ = poll(wal.append_batch_async([[0; 100], [1; 100]]));
    let _ = poll(wal.wait_for_lsn(wal.last_lsn()));
    let _ = poll(wal.wait_for_lsn(Lsn::FIRST));
}

/// A task's poll took as long as the sync at a segment's end, under Interval and Os, and `append_async`
/// wrote and synced within the poll under Os and Sync.
#[test]
fn interval_poll_blocks() {
    let (strategies, _entered) = strategies();
    for strategy in strategies {
        for hanging in [Step::Create, Step::Append, Step::Sync] {
            let what = format!("{strategy:?}, {hanging:?} hangs");
            let gate = Arc::new(Gate::default());
            let at = Arc::clone(&gate);
            let store = Hooked::new(MemoryStore::new(), move |step| {
                if step == hanging {
                    at.pass();
                }
                Ok(())
            });
            let mut config = Config::default();
            (config.segment_size, config.buffer_size) = (16 << 10, 4000);
            config.strategy = strategy;
            let (wal, _) = Wal::with_store(store).config(config).open().unwrap();
            gate.shut();
            let looks = wal.clone();
            within(&what, move || (0..10).for_each(|_| look_in(&looks)));
            gate.reached();
            let looks = wal.clone();
            within(&what, move || (0..10).for_each(|_| look_in(&looks)));
            gate.open();
            let (last, syncs) = (wal.last_lsn(), wal.clone());
            within(&what, move || syncs.sync()).unwrap();
            assert!(wal.durable_lsn() >= last, "{what}");
            wal.close().unwrap();
        }
    }
}

/// `try_append` and one poll of a wait stood still for as long as the disk was full, with
/// `when_disk_full = "wait"`, under Interval and Os.
#[test]
fn try_append_blocks() {
    let (strategies, _entered) = strategies();
    for strategy in strategies {
        let what = format!("{strategy:?}");
        let mut config = Config::default();
        (config.segment_size, config.max_size, config.buffer_size) =
            (32 << 10, Some(96 << 10), 4000);
        (config.when_disk_full, config.strategy) = (WhenDiskFull::Wait, strategy);
        let store = Arc::new(MemoryStore::new());
        let (wal, _) = Wal::with_store(store).config(config).open().unwrap();
        let fills = wal.clone();
        let filler = thread::spawn(move || while fills.append([0; 1000]).is_ok() {});
        // It stands still behind the last record that there is room for, or will.
        while wal.last_lsn() < Lsn::new(60) {
            thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..5 {
            thread::sleep(Duration::from_millis(10));
            let looks = wal.clone();
            within(&what, move || look_in(&looks));
        }
        let closes = wal.clone();
        let outcome = within(&what, move || closes.close());
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::StorageFull, "{what}");
        within(&what, move || filler.join().unwrap());
    }
}

/// A truncation held the stage's lock while it worked on the disk: whatever looked at the log waited.
#[test]
fn a_truncation_that_hangs_holds_up_no_poll() {
    for hanging in [Step::Create, Step::Append, Step::Sync, Step::Trim] {
        let gate = Arc::new(Gate::default());
        let at = Arc::clone(&gate);
        let store = Hooked::new(MemoryStore::new(), move |step| {
            if step == hanging {
                at.pass();
            }
            Ok(())
        });
        let (wal, _) = Wal::with_store(store).segment_size(16 << 10).open().unwrap();
        for _ in 0..30 {
            wal.append_durable([0; 1000]).unwrap();
        }
        gate.shut();
        let cuts = wal.clone();
        let cut = thread::spawn(move || cuts.truncate_after(Lsn::new(20)));
        gate.reached();
        let appends = wal.clone();
        let appended = within(&format!("{hanging:?} hangs"), move || {
            let refused = appends.try_append("refused").unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Backpressure);
            let _ = poll(appends.wait_for_lsn(appends.last_lsn()));
            // This one waits for the end of the truncation, as a thread and as a task.
            let handle = appends.clone();
            let task = thread::spawn(move || {
                pollster::block_on(handle.append_async("behind the cut")).unwrap()
            });
            let thread = thread::spawn(move || appends.append("behind the cut").unwrap());
            (task, thread)
        });
        gate.open();
        cut.join().unwrap().unwrap();
        let mut lsns =
            within("the appends", move || [appended.0.join().unwrap(), appended.1.join().unwrap()]);
        lsns.sort();
        assert_eq!(lsns, [Lsn::new(21), Lsn::new(22)], "{hanging:?}");
        wal.close().unwrap();
    }
}

/// A loop of commits under Interval, Os or Sync never let the runtime run anything else, timers
/// included: each append and each wait was ready at once.
#[test]
fn never_yields() {
    let (strategies, _entered) = strategies();
    for strategy in strategies {
        for asynchronous in [false, true] {
            let store = Arc::new(MemoryStore::new());
            let (wal, _) = Wal::with_store(store).strategy(strategy).open().unwrap();
            let commits = wal.clone();
            // One poll, of a task that never ends.
            within(&format!("{strategy:?}, {asynchronous}"), move || {
                let polled = poll(async {
                    loop {
                        let lsn = if asynchronous {
                            commits.append_async("x").await.unwrap()
                        } else {
                            commits.append("x").unwrap()
                        };
                        commits.wait_for_lsn(lsn).await.unwrap();
                    }
                });
                let pending: Poll<()> = polled;
                assert!(pending.is_pending());
            });
            wal.close().unwrap();
        }
    }
}
