//! Calls that fail.

use std::sync::Barrier;

use wal::{ErrorKind, Lsn, Strategy};
use wal_testkit::{Call, CutChoice, Fault, FaultRule};

use super::{commit_numbered, cuts, disk, open, record, recovered, try_open};

/// A second fsync after a failed one returned success for bytes the kernel had thrown away.
/// `PostgreSQL`, 2018 ("fsyncgate"); `SpacetimeDB` 2c3fc66.
#[test]
fn fsync_error_is_never_retried() {
    let disk = disk();
    let wal = open(&disk);
    commit_numbered(&wal, 1..=3);
    disk.fail(FaultRule::next(Call::Sync, Fault::Dropped));
    let lsn = wal.append(record(4)).unwrap();
    wal.wait_for_lsn(lsn).wait().unwrap_err();
    let syncs = disk.counts().syncs;
    for _ in 0..5 {
        assert_eq!(wal.sync().unwrap_err().kind(), ErrorKind::Poisoned);
        assert_eq!(wal.append(record(5)).unwrap_err().kind(), ErrorKind::Poisoned);
        assert_eq!(wal.wait_for_lsn(lsn).wait().unwrap_err().kind(), ErrorKind::Poisoned);
    }
    wal.close().unwrap_err();
    assert_eq!(disk.counts().syncs, syncs, "a failed sync was tried again");
    assert_eq!(wal.durable_lsn(), Lsn::new(3));
}

/// After a failed fsync the page cache still shows the bytes; a log reopened in the same boot
/// served them, and the next power cut took them. Rebello et al., ATC 2020.
#[test]
fn reopen_after_failed_sync_does_not_trust_page_cache() {
    let disk = disk();
    let wal = open(&disk);
    commit_numbered(&wal, 1..=3);
    disk.fail(FaultRule::next(Call::Sync, Fault::Dropped));
    let lsn = wal.append(record(4)).unwrap();
    wal.wait_for_lsn(lsn).wait().unwrap_err();
    let disk = disk.kill();
    drop(wal);
    let shown = recovered(&disk);
    for (choice, after) in cuts(&disk) {
        assert_eq!(recovered(&after), shown, "{choice}: what was shown is gone");
    }
}

/// Followers of a group whose leader's sync failed were told nothing, or success.
/// Pebble 1a5f768; `RocksDB`, "`IOError` on WAL write doesn't propagate to write group follower".
#[test]
fn queued_waiters_get_the_sync_error() {
    let disk = disk();
    let wal = open(&disk);
    commit_numbered(&wal, 1..=1);
    disk.fail(FaultRule::next(Call::Sync, Fault::Io).forever());
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                let error = wal
                    .append(b"lost")
                    .and_then(|lsn| wal.wait_for_lsn(lsn).wait())
                    .expect_err("acknowledged without a sync");
                assert_eq!(error.kind(), ErrorKind::Poisoned);
                assert!(error.report().contains("simulated EIO"), "{}", error.report());
            });
        }
    });
}

/// A failed write left part of a frame, and the next one was appended behind it: a hole that ended
/// every later reading. raft-engine 764ac71; raft-wal #32; Prometheus 63be30d.
#[test]
fn append_after_write_failure_seeks_back() {
    for fault in [Fault::Partial(30), Fault::Io, Fault::AfterEffect, Fault::StorageFull] {
        let disk = disk();
        let wal = open(&disk);
        commit_numbered(&wal, 1..=3);
        disk.fail(FaultRule::next(Call::Write, fault));
        let lsn = wal.append(record(4)).unwrap();
        let error = wal.wait_for_lsn(lsn).wait().unwrap_err();
        let wal = if error.kind() == ErrorKind::StorageFull {
            wal.wait_for_lsn(lsn).wait().unwrap();
            wal
        } else {
            assert_eq!(error.kind(), ErrorKind::Poisoned, "{fault:?}");
            drop(wal);
            open(&disk)
        };
        let next = wal.last_lsn().get() + 1;
        commit_numbered(&wal, next..=next + 3);
        drop(wal);
        assert_eq!(recovered(&disk), next + 3, "{fault:?}");
    }
}

/// The last sync, on close, failed; the log was thrown away or called clean.
/// `ArcadeDB` #4934.
#[test]
fn failed_final_sync_keeps_the_log() {
    let disk = disk();
    let wal = open(&disk);
    commit_numbered(&wal, 1..=5);
    wal.append(record(6)).unwrap();
    disk.fail(FaultRule::next(Call::Sync, Fault::Dropped));
    wal.close().expect_err("a close whose sync failed is no clean close");
    for (choice, after) in cuts(&disk.kill()) {
        assert!(recovered(&after) >= 5, "{choice}");
    }
}

/// A disk filled up, the log recovered, went on, and lost what came between.
/// `ZooKeeper` ZOOKEEPER-3701 and -1621; Neo4j 8726.
#[test]
fn enospc_then_recover_then_append() {
    let disk = disk();
    let wal = open(&disk);
    commit_numbered(&wal, 1..=3);
    disk.set_room(Some(2000));
    let mut next = 4;
    let full = loop {
        match wal.append(record(next)).and_then(|lsn| wal.wait_for_lsn(lsn).wait()) {
            Ok(()) => next += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    // As it is, a restart on the full disk, and going on once there is room.
    for (choice, after) in cuts(&disk) {
        after.set_room(None);
        assert!(recovered(&after) >= next - 1, "{choice}");
    }
    disk.set_room(None);
    let staged = wal.last_lsn().get();
    wal.sync().unwrap();
    commit_numbered(&wal, staged + 1..=staged + 3);
    wal.close().unwrap();
    assert_eq!(recovered(&disk.power_cut(CutChoice::Nothing)), staged + 3);
}

/// Two processes wrote one log, each over the other's records. (Seven of the Rust peers allow it.)
#[test]
fn lock_and_double_open() {
    let disk = disk();
    let wal = open(&disk);
    assert_eq!(try_open(&disk, Strategy::Sync).unwrap_err().kind(), ErrorKind::Locked);
    drop(wal);
    let wal = open(&disk);
    let disk = disk.kill();
    open(&disk);
    drop(wal);
}

/// A call reported an error after it had taken effect, and what it had done was in nobody's books.
#[test]
fn io_error_after_successful_rename() {
    for call in [Call::Rename, Call::Create, Call::Allocate, Call::SyncDir, Call::Sync, Call::Write]
    {
        let disk = disk();
        let wal = open(&disk);
        disk.fail(FaultRule::next(call, Fault::AfterEffect));
        let committed = wal.append(record(1)).and_then(|lsn| wal.wait_for_lsn(lsn).wait());
        // Space that cannot be taken ahead is taken by writing.
        assert_eq!(committed.is_ok(), call == Call::Allocate, "{call}");
        let disk = disk.kill();
        drop(wal);
        for (choice, after) in cuts(&disk) {
            let shown = recovered(&after);
            assert!(shown >= u64::from(committed.is_ok()), "{call}, {choice}");
            let wal = open(&after);
            commit_numbered(&wal, shown + 1..=shown + 2);
            drop(wal);
            assert_eq!(recovered(&after), shown + 2, "{call}, {choice}");
        }
    }
}
