//! Making room beside a truncation and behind a close that found none.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use wal::parts::segment::MemoryStore;
use wal::{Config, ErrorKind, Lsn, Strategy, Wal, WhenDiskFull};

use crate::hooked::{Hooked, Step};
use crate::within;

fn config() -> Config {
    let mut config = Config::default();
    (config.segment_size, config.max_size) = (32 << 10, Some(128 << 10));
    config
}

/// Staged and not written is what there is no room for, and nothing is written of it any more.
fn fill(wal: &Wal) -> Lsn {
    for _ in 0..199 {
        wal.append([0; 1000]).unwrap();
    }
    wal.append([0; 1000]).unwrap()
}

/// Under `when_disk_full = "wait"` a truncation waited for room with the lock in hand that pruning
/// needs, so that nobody could make any: both hung.
#[test]
fn truncate_blocks_prune() {
    let mut config = config();
    config.when_disk_full = WhenDiskFull::Wait;
    config.strategy = Strategy::GroupCommit;
    let store = Arc::new(MemoryStore::new());
    let (wal, _) = Wal::with_store(store).config(config).open().unwrap();
    let last = fill(&wal);
    let (waits, (told, waited)) = (wal.clone(), mpsc::channel());
    thread::spawn(move || told.send(waits.wait_for_lsn(last).wait()).unwrap());
    // What fits is out; from here on the rest waits for room.
    let begun = Instant::now();
    while wal.durable_lsn() < Lsn::new(80) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", wal.durable_lsn());
        thread::sleep(Duration::from_millis(1));
    }
    let (cuts, (cut, truncated)) = (wal.clone(), mpsc::channel());
    thread::spawn(move || cut.send(cuts.truncate_after(Lsn::new(60))).unwrap());
    // It is given time to go wrong: to stand there with the lock.
    thread::sleep(Duration::from_millis(100));
    let prunes = wal.clone();
    within("a prune", move || prunes.prune_before(Lsn::new(50))).unwrap();
    let holds = wal.clone();
    within("a hold", move || holds.hold("reader", Lsn::new(60)).map(drop)).unwrap();
    // As much room as it takes.
    let truncated = within("the truncation", move || {
        loop {
            match truncated.recv_timeout(Duration::from_millis(1)) {
                Ok(truncated) => return truncated,
                Err(_) => drop(wal.prune_before(wal.durable_lsn())),
            }
        }
    });
    // By then its place may be pruned.
    assert!(truncated.is_ok() || truncated.unwrap_err().kind() == ErrorKind::Invalid);
    // The record became durable before it was cut off, or is no more.
    let waited = within("the waiter", move || waited.recv().unwrap());
    assert!(waited.is_ok() || waited.as_ref().unwrap_err().kind() == ErrorKind::Invalid);
}

/// A close that found no room said that "a close once there is room writes it", and from then on pruning,
/// which makes room, was refused: "the log is closed".
#[test]
fn close_on_full_is_a_dead_end() {
    for strategy in [Strategy::GroupCommit, Strategy::Pipelined, Strategy::FlushThread] {
        let store = Arc::new(MemoryStore::new());
        let open = || Wal::with_store(store.clone()).config(config()).strategy(strategy).open();
        let (wal, _) = open().unwrap();
        let last = fill(&wal);
        assert_eq!(wal.close().unwrap_err().kind(), ErrorKind::StorageFull, "{strategy:?}");
        assert!(wal.durable_lsn() < last);
        // As often as it takes: what is staged takes more than there is room for at once.
        for _ in 0..10 {
            wal.prune_before(wal.durable_lsn()).unwrap();
            match wal.close() {
                Ok(()) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::StorageFull, "{strategy:?}"),
            }
        }
        assert_eq!(wal.durable_lsn(), last, "{strategy:?}");
        drop(wal);
        let (wal, recovery) = open().unwrap();
        assert_eq!(recovery.last_lsn, last, "{strategy:?}");
        wal.close().unwrap();
    }
}

/// One staged record that nobody waits for, on a full disk: the log tried a hundred segments a second by
/// itself. Now it tries about one a second, in whatever sizes may do.
#[test]
fn full_disk_retries() {
    const SIZES: u64 = 16;
    let strategies = [
        Strategy::GroupCommit,
        Strategy::Pipelined,
        Strategy::Parallel,
        Strategy::FlushThread,
        Strategy::Interval(Duration::from_millis(100)),
    ];
    let begun = Instant::now();
    let logs = strategies.map(|strategy| {
        let tried = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&tried);
        let store = Hooked::new(MemoryStore::new(), move |step| {
            if step == Step::Create {
                counted.fetch_add(1, Ordering::SeqCst);
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        });
        let (wal, _) = Wal::with_store(store).strategy(strategy).open().unwrap();
        wal.append("record").unwrap();
        (strategy, wal, tried)
    });
    thread::sleep(Duration::from_millis(1500));
    for (strategy, wal, tried) in logs {
        // Each of its threads may try; the machine may be late, which the time that went by tells.
        let (tried, most) =
            (tried.load(Ordering::SeqCst), 4 * SIZES * (2 + begun.elapsed().as_secs()));
        assert!(tried <= most, "{strategy:?}: {tried} segments tried");
        assert_eq!(wal.close().unwrap_err().kind(), ErrorKind::StorageFull);
    }
}
