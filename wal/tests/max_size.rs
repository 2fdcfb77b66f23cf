//! A log that may have so many bytes and no more: what is refused or waits, what makes room, and that
//! nothing is lost either way.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::thread;

use wal::{Config, ErrorKind, Lsn, Retention, Strategy, Wal, WhenDiskFull};

const SEGMENT: u64 = 64 << 10;
const RECORD: usize = 8 << 10;

fn open(dir: &Path, strategy: Strategy, when_disk_full: WhenDiskFull) -> Wal {
    let mut config = Config::default();
    config.segment_size = SEGMENT;
    config.strategy = strategy;
    config.max_size = Some(4 * SEGMENT);
    config.when_disk_full = when_disk_full;
    Wal::builder(dir).config(config).open().unwrap().0
}

fn commit(wal: &Wal) -> wal::Result<Lsn> {
    let lsn = wal.append([7; RECORD])?;
    wal.wait_for_lsn(lsn).wait().map(|()| lsn)
}

/// Commits until there is no room; the last record that is durable.
fn fill(wal: &Wal) -> Lsn {
    let error = loop {
        if let Err(error) = commit(wal) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    assert!(error.report().contains("over the limit of 262144"), "{}", error.report());
    let space = wal.space().unwrap();
    assert!(space.bytes <= 4 * SEGMENT && space.bytes > 2 * SEGMENT, "{space}");
    wal.durable_lsn()
}

#[test]
fn a_full_log_refuses_and_goes_on_once_it_is_pruned() {
    for strategy in [Strategy::Sync, Strategy::GroupCommit, Strategy::FlushThread] {
        let dir = tempfile::tempdir().unwrap();
        let wal = open(dir.path(), strategy, WhenDiskFull::Refuse);
        let durable = fill(&wal);
        let staged = wal.last_lsn();
        assert!(staged > durable, "{strategy:?}: what was refused is staged");
        assert_eq!(commit(&wal).unwrap_err().kind(), ErrorKind::StorageFull, "{strategy:?}");
        wal.prune_before(durable).unwrap();
        let lsn = commit(&wal).unwrap();
        assert_eq!(wal.durable_lsn(), lsn, "{strategy:?}: what was refused went along");
        assert_eq!(wal.read_from(wal.first_lsn()).unwrap().last().unwrap().unwrap().lsn, lsn);
        wal.close().unwrap();
    }
}

/// The committer sleeps in the middle of a rotation, and the prune that wakes it has to write to
/// the same log.
#[test]
fn a_full_log_waits_for_the_prune() {
    for strategy in [Strategy::Sync, Strategy::GroupCommit, Strategy::Pipelined] {
        let dir = tempfile::tempdir().unwrap();
        let wal = open(dir.path(), strategy, WhenDiskFull::Wait);
        let records = 200;
        let committer = {
            let wal = wal.clone();
            thread::spawn(move || (0..records).fold(Lsn::ZERO, |_, _| commit(&wal).unwrap()))
        };
        let mut pruned = 0;
        while !committer.is_finished() {
            let before = wal.first_lsn();
            wal.prune_before(wal.durable_lsn()).unwrap();
            pruned += u32::from(wal.first_lsn() > before);
            assert!(wal.space().unwrap().bytes <= 4 * SEGMENT + SEGMENT, "{strategy:?}");
            thread::yield_now();
        }
        assert_eq!(committer.join().unwrap(), Lsn::new(records), "{strategy:?}");
        assert!(pruned > 3, "{strategy:?}: 200 records of 8 KiB do not fit into 256 KiB");
        wal.close().unwrap();
    }
}

/// The log was full when it was closed: the next segment has no room, and what makes room needs one.
#[test]
fn a_log_that_was_left_full_can_be_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let wal = open(dir.path(), Strategy::GroupCommit, WhenDiskFull::Refuse);
    let durable = fill(&wal);
    assert_eq!(wal.close().unwrap_err().kind(), ErrorKind::StorageFull, "records are still staged");
    drop(wal);
    for round in 0..3 {
        let wal = open(dir.path(), Strategy::GroupCommit, WhenDiskFull::Refuse);
        assert_eq!(wal.last_lsn(), durable, "round {round}");
        if round == 2 {
            let kept = wal.retain(&Retention::all().at_most_bytes(SEGMENT)).unwrap();
            assert!(wal.first_lsn() > Lsn::FIRST, "{kept}");
            assert_eq!(commit(&wal).unwrap(), durable.next());
        }
        wal.close().unwrap();
    }
}

/// A close does not wait for room that nobody will make. The record is larger than the log may be, so
/// that it finds no room however the threads run.
#[test]
fn a_close_ends_the_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let wal = open(dir.path(), Strategy::GroupCommit, WhenDiskFull::Wait);
    let durable = commit(&wal).unwrap();
    let committer = {
        let wal = wal.clone();
        thread::spawn(move || {
            let lsn = wal.append(vec![7; 32 * RECORD])?;
            wal.wait_for_lsn(lsn).wait()
        })
    };
    while wal.last_lsn() == durable {
        thread::yield_now();
    }
    // Time for the committer to fall asleep; the close ends its wait in any case.
    thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(wal.close().unwrap_err().kind(), ErrorKind::StorageFull);
    let told = committer.join().unwrap().unwrap_err();
    assert!(matches!(told.kind(), ErrorKind::StorageFull | ErrorKind::Invalid), "{told}");
    drop(wal);
    let wal = open(dir.path(), Strategy::GroupCommit, WhenDiskFull::Wait);
    assert_eq!(wal.last_lsn(), durable);
}
