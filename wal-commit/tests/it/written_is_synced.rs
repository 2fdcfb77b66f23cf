//! What is written is synced, whatever becomes of what is not.

use std::sync::Arc;
use std::time::Duration;

use wal_commit::{
    FlushThread, GroupCommit, Interval, Options, Os, Parallel, Pipeline, Pipelined, Sync,
    WhenDiskFull,
};
use wal_core::{CommitStrategy, ErrorKind, Lsn};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{left_of, start};
use crate::{eventually, within};

fn options(when_disk_full: WhenDiskFull) -> Options {
    let mut options = Options::default();
    (options.segment_size, options.frame_size) = (16 << 10, 1000);
    options.when_disk_full = when_disk_full;
    options
}

fn strategies() -> Vec<Arc<dyn CommitStrategy>> {
    vec![
        Arc::new(GroupCommit::new()),
        Arc::new(FlushThread::new()),
        Arc::new(Parallel::new(2)),
        Arc::new(Sync::new()),
        Arc::new(Pipelined::new()),
        Arc::new(Interval::new(Duration::from_millis(20))),
    ]
}

/// A log that has one durable record in a segment with space for ten more, on a disk without space for
/// another segment.
fn log(
    strategy: Arc<dyn CommitStrategy>,
    when_disk_full: WhenDiskFull,
) -> (SimDisk, Arc<Pipeline>) {
    let disk = SimDisk::new(Profile::STRICT);
    let log = start(SimStore::new(disk.clone()), strategy, options(when_disk_full)).unwrap();
    log.append(b"first").unwrap();
    log.sync().unwrap();
    disk.set_room(Some(0));
    (disk, log)
}

/// Interval had acknowledged ten records into a segment with room, the eleventh found none, and from
/// then on nothing was synced any more: a power cut lost all ten, however late. Every strategy syncs
/// what is written, under both settings for a full disk, with nobody asking for it.
#[test]
fn interval_full_disk() {
    for when_disk_full in [WhenDiskFull::Refuse, WhenDiskFull::Wait] {
        for strategy in strategies() {
            let name = format!("{strategy:?}");
            let (disk, log) = log(strategy, when_disk_full);
            let producer = Arc::clone(&log);
            // Under `Sync` an append waits for room itself.
            let producing = std::thread::spawn(move || {
                while producer.staged_lsn() < Lsn::new(30) && producer.append(&[1; 900]).is_ok() {}
            });
            eventually(&name, || log.durable_lsn() >= Lsn::new(8));
            eventually(&name, || log.durable_lsn() == log.written_lsn());
            assert!(left_of(&disk).last_lsn() >= Lsn::new(8), "{name}");
            disk.set_room(None);
            producing.join().unwrap();
            log.close().unwrap();
        }
    }
}

/// A wait for a record that is written, in a segment with room, got `StorageFull` or hung while a later
/// record found no room.
#[test]
fn written_not_synced() {
    for when_disk_full in [WhenDiskFull::Refuse, WhenDiskFull::Wait] {
        for strategy in strategies() {
            let name = format!("{when_disk_full:?} {strategy:?}");
            let (disk, log) = log(strategy, when_disk_full);
            let producer = Arc::clone(&log);
            let producing = std::thread::spawn(move || {
                while producer.staged_lsn() < Lsn::new(30) && producer.append(&[1; 900]).is_ok() {}
            });
            eventually(&name, || log.staged_lsn() >= Lsn::new(5));
            let [blocking, task] = [Arc::clone(&log), Arc::clone(&log)];
            let lsn = Lsn::new(5);
            within(&name, move || blocking.wait(lsn)).unwrap();
            within(&name, move || pollster::block_on(task.wait_async(lsn))).unwrap();
            disk.set_room(None);
            producing.join().unwrap();
        }
    }
}

/// An explicit sync, a close and a drop that find no room have synced what is written all the same.
#[test]
fn a_sync_and_a_close_without_room_have_synced_what_is_written() {
    for last in ["sync", "close", "drop"] {
        let (disk, log) = log(Arc::new(Os::new()), WhenDiskFull::Refuse);
        let error = loop {
            if let Err(error) = log.append(&[1; 900]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        match last {
            "sync" => assert_eq!(log.sync().unwrap_err().kind(), ErrorKind::StorageFull),
            "close" => assert_eq!(log.close().unwrap_err().kind(), ErrorKind::StorageFull),
            _ => {}
        }
        let written = log.written_lsn();
        drop(log);
        assert!(written >= Lsn::new(8));
        assert_eq!(left_of(&disk).last_lsn(), written, "{last}");
    }
}
