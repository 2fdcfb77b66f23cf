//! Acknowledging too early.

use std::sync::atomic::{AtomicBool, Ordering};

use wal::{Lsn, Strategy};
use wal_testkit::CutChoice;

use super::{commit, cuts, disk, open, reader, record, recovered, try_open};

/// A waiter was woken by a flush that had begun before its bytes were in it.
/// Pebble 3612989; and every second sketch of a group commit.
#[test]
fn waiter_not_acked_before_its_bytes_are_synced() {
    let disk = disk();
    let wal = open(&disk);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (wal, disk) = (&wal, &disk);
            scope.spawn(move || {
                for n in 0..12_u8 {
                    let lsn = commit(wal, &[thread, n]);
                    // Only what is synced.
                    let after = disk.power_cut(CutChoice::Nothing);
                    let mut entries = reader(&after).read_from(lsn).unwrap();
                    assert_eq!(entries.next().unwrap().unwrap().payload.as_ref(), [thread, n]);
                }
            });
        }
    });
}

/// Writes were acknowledged from memory and synced every two minutes: a power cut took 131,418 of
/// 930,005. NATS 2.12.1, by Jepsen.
#[test]
fn ack_only_after_sync() {
    for strategy in [Strategy::Sync, Strategy::GroupCommit] {
        let disk = disk();
        let wal = try_open(&disk, strategy).unwrap();
        for n in 1..=40 {
            commit(&wal, &record(n));
            assert_eq!(recovered(&disk.power_cut(CutChoice::Nothing)), n, "{strategy:?}");
        }
    }
}

/// A sync that ran beside appends missed the tail that was there before it was called.
/// `RocksDB`, `FlushWAL(true)`.
#[test]
fn sync_concurrent_with_append_covers_tail() {
    let disk = disk();
    let wal = open(&disk);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                wal.append(b"beside").unwrap();
                std::thread::yield_now();
            }
        });
        for n in 0..40_u8 {
            let lsn = wal.append([n]).unwrap();
            wal.sync().unwrap();
            assert!(wal.durable_lsn() >= lsn);
            let after = disk.power_cut(CutChoice::Nothing);
            let mut entries = reader(&after).read_from(lsn).unwrap();
            assert_eq!(entries.next().unwrap().unwrap().payload.as_ref(), [n]);
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// The offset that told corruption from a torn tail advanced only where a histogram was configured.
/// Pebble d40d241. Here nothing optional stands in its way: each frame carries what was durable.
#[test]
fn watermark_advances_without_metrics() {
    let disk = disk();
    let wal = open(&disk);
    for n in 1..=20 {
        commit(&wal, &record(n));
    }
    let mut last = None;
    let mut frames = 0;
    reader(&disk)
        .verify(|note| {
            if note.header.count > 0 {
                assert_eq!(note.header.watermark, note.header.first_lsn.previous());
                frames += 1;
                last = Some(note.header.watermark);
            }
        })
        .unwrap();
    assert_eq!((frames, last), (20, Some(Lsn::new(19))));
}

/// The tail that a recovery found was in the page cache only; it was served, and then gone.
/// fjall debb55b.
#[test]
fn recovered_tail_is_synced_before_use() {
    let disk = disk();
    let wal = try_open(&disk, Strategy::Os).unwrap();
    for n in 1..=10 {
        wal.append(record(n)).unwrap();
    }
    let disk = disk.kill();
    drop(wal);
    assert_eq!(recovered(&disk), 10);
    for (choice, after) in cuts(&disk) {
        assert_eq!(recovered(&after), 10, "{choice}");
    }
}
