//! What a commit allocates, counted on the thread that commits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use wal::{Config, Strategy, Wal, Writing};

const COMMITS: u64 = 500;

/// The lone committer's whole way: staged, framed, checksummed, written, synced, acknowledged.
#[test]
fn a_lone_commit_allocates_nothing_in_steady_state() {
    for strategy in [Strategy::GroupCommit, Strategy::Sync] {
        let dir = tempfile::tempdir().unwrap();
        let (wal, _) = Wal::builder(dir.path()).strategy(strategy).open().unwrap();
        let commit = || {
            let lsn = wal.append([7; 100]).unwrap();
            wal.wait_for_lsn(lsn).wait().unwrap();
        };
        (0..50).for_each(|_| commit());
        let counted = allocation_counter::measure(|| (0..COMMITS).for_each(|_| commit()));
        assert_eq!(counted.count_total, 0, "{counted:?} for {COMMITS} commits");
        wal.close().unwrap();
    }
}

const BATCH: usize = 12 << 20;

/// A log in files whose threads do nothing: what is counted is all that there is.
fn big_log(alignment: u32) -> (tempfile::TempDir, Wal) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    (config.alignment, config.writing) = (alignment, Some(Writing::Buffered));
    config.strategy = Strategy::Sync;
    let (wal, _) = Wal::builder(dir.path()).config(config).open().unwrap();
    (dir, wal)
}

/// With an alignment a batch was copied once more to be written with its padding: 182 MiB where twice
/// `buffer_size` and `batch_limit`, 144 MiB, are promised.
#[test]
fn memory_bound() {
    for alignment in [8, 4096] {
        let (_dir, wal) = big_log(alignment);
        wal.append_durable("first").unwrap();
        let batch = vec![vec![7; 64 << 10]; BATCH / (64 << 10)];
        let counted = allocation_counter::measure(|| {
            wal.append_batch(&batch).unwrap();
        });
        let most = BATCH as u64 + (BATCH as u64) / 8;
        assert!(counted.bytes_max < most, "alignment {alignment}: {counted:?}");
        wal.close().unwrap();
    }
}

/// A log that once had two large batches kept as much memory until it was dropped: now it gives them
/// back when they are written, and all of its buffers when it is closed.
#[test]
fn a_large_batch_leaves_nothing_behind() {
    let (_dir, wal) = big_log(8);
    wal.append_durable("first").unwrap();
    let batch = vec![vec![7; 64 << 10]; BATCH / (64 << 10)];
    let counted = allocation_counter::measure(|| {
        for _ in 0..2 {
            wal.append_batch(&batch).unwrap();
        }
    });
    assert!(counted.bytes_current < 1 << 20, "{counted:?}");
    let counted = allocation_counter::measure(|| {
        // Less than what is kept for the next flush.
        wal.append_batch(&batch[..64]).unwrap();
        wal.close().unwrap();
    });
    assert!(counted.bytes_current < 1 << 20, "{counted:?}");
}
