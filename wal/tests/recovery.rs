//! Crashes that need more than one step to bite, each with its story.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;

use common::StillEnv;
use wal::parts::core::SegmentStore;
use wal::{Lsn, Reader, Recovery, Verdict, Wal};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk, SimStore};

fn open(disk: &SimDisk) -> (Wal, Recovery) {
    let store: Arc<dyn SegmentStore> = Arc::new(SimStore::new(disk.clone()));
    Wal::with_store(store)
        .segment_size(16 * 1024)
        .env(Arc::new(StillEnv::default()))
        .open()
        .unwrap()
}

fn commit(wal: &Wal, record: &[u8]) {
    let lsn = wal.append(record).unwrap();
    wal.wait_for_lsn(lsn).wait().unwrap();
}

/// The records of the log, all of it read and found sound.
fn read(disk: &SimDisk) -> Vec<Vec<u8>> {
    let reader = Reader::with_store(Arc::new(SimStore::new(disk.clone())));
    let found = reader.verify(|_| ()).unwrap();
    assert_ne!(found.verdict, Verdict::Corrupt, "{:?}", found.findings);
    let first = found.first_lsn.max(Lsn::FIRST);
    reader.read_from(first).unwrap().map(|entry| entry.unwrap().payload.to_vec()).collect()
}

/// A dead process: its disk is another one from here on, and its background cannot touch that.
fn kill(wal: Wal, disk: &SimDisk) -> SimDisk {
    let next = disk.kill();
    drop(wal);
    next
}

/// A recovery ends by repeating the watermark in a frame that no sync covers. The process died, the
/// next one saw that frame in the page cache and counted it in what its own segment said of its
/// predecessor; then the power went, the frame with it, and the log called that corruption.
#[test]
fn a_mark_that_was_never_synced_is_not_counted_on() {
    let disk = SimDisk::new(Profile::STRICT);
    let (wal, _) = open(&disk);
    commit(&wal, b"one");
    commit(&wal, b"two");
    let disk = kill(wal, &disk);
    let (wal, recovery) = open(&disk);
    assert!(recovery.fresh_segment.is_some(), "the last commit was in doubt");
    let disk = kill(wal, &disk);
    let (wal, recovery) = open(&disk);
    assert_eq!(recovery.fresh_segment, None, "the mark says that nothing is");
    commit(&wal, b"three");
    for choice in disk.extremes() {
        let disk = disk.power_cut(choice);
        assert_eq!(read(&disk), [b"one".as_slice(), b"two", b"three"], "{choice}");
        let (wal, recovery) = open(&disk);
        assert_eq!(recovery.valid_records, 3, "{choice}");
        wal.close().unwrap();
    }
}

/// The boundary of a prune was written, its sync failed, and the process died. The next one saw the
/// boundary in the page cache and deleted what was before it; then the power went, and the boundary
/// with it: the log missed its first segment.
#[test]
fn a_boundary_that_was_never_synced_deletes_nothing() {
    let disk = SimDisk::new(Profile::STRICT);
    let (wal, _) = open(&disk);
    for _ in 0..60 {
        commit(&wal, &[7; 700]);
    }
    disk.fail(FaultRule::next(Call::Sync, Fault::Dropped));
    wal.prune_before(Lsn::new(50)).unwrap_err();
    let disk = kill(wal, &disk);
    let (wal, _) = open(&disk);
    let begins = wal.first_lsn();
    let disk = kill(wal, &disk);
    for choice in disk.extremes() {
        let disk = disk.power_cut(choice);
        let (wal, recovery) = open(&disk);
        assert_eq!(wal.first_lsn(), begins, "{choice}: a boundary once shown moved back");
        assert_eq!(recovery.last_lsn, Lsn::new(60), "{choice}");
        assert_eq!(read(&disk).len() as u64, recovery.valid_records, "{choice}");
    }
}

/// Crash, recovery, crash: each recovery carries the same doubtful records over, at every operation
/// of it the power may go, and the next one finds them still.
#[test]
fn a_second_crash_at_any_operation_of_a_recovery_finds_every_record() {
    let disk = SimDisk::new(Profile::STRICT);
    let (wal, _) = open(&disk);
    for n in 0..5_u8 {
        commit(&wal, &[n; 300]);
    }
    let disk = kill(wal, &disk);
    let records: Vec<_> = (0..5_u8).map(|n| vec![n; 300]).collect();
    let mut interrupted = 0;
    for operation in 0.. {
        let trial = disk.kill();
        trial.crash_at(trial.operations() + operation);
        let store: Arc<dyn SegmentStore> = Arc::new(SimStore::new(trial.clone()));
        let opened = Wal::with_store(store).segment_size(16 * 1024).open();
        let died = opened.is_err();
        drop(opened);
        for choice in trial.extremes().into_iter().chain((0..8).map(CutChoice::Seed)) {
            let after = trial.power_cut(choice);
            let (wal, recovery) = open(&after);
            assert_eq!(recovery.valid_records, 5, "operation {operation}, {choice}");
            drop(wal);
            assert_eq!(read(&after), records, "operation {operation}, {choice}");
        }
        if !died {
            break;
        }
        interrupted += 1;
    }
    assert!(interrupted >= 5, "a recovery of {interrupted} operations is none");
}

/// The first frame behind a recovery's mark said that the mark was durable, which no sync had made
/// it. The power went before the next sync, the frame survived and the mark did not: a log that had
/// lost nothing was called corrupt, and did not open.
#[test]
fn what_follows_a_mark_does_not_vouch_for_it() {
    let disk = SimDisk::new(Profile::STRICT);
    let (wal, _) = open(&disk);
    commit(&wal, b"one");
    let disk = kill(wal, &disk);
    let (wal, recovery) = open(&disk);
    assert!(recovery.fresh_segment.is_some());
    // Written, and the power fails before the sync.
    disk.fail(FaultRule::next(Call::Sync, Fault::Io));
    let lsn = wal.append(b"two").unwrap();
    wal.wait_for_lsn(lsn).wait().unwrap_err();
    for choice in disk.extremes().into_iter().chain((0..64).map(CutChoice::Seed)) {
        let after = disk.power_cut(choice);
        let (wal, recovery) = open(&after);
        assert!((1..=2).contains(&recovery.valid_records), "{choice}");
        drop(wal);
        assert_eq!(read(&after)[0], b"one", "{choice}");
    }
}

/// A record was in the page cache only; a recovery wrote the header that was to carry it over, and
/// the power failed: the header stayed and the record went, as it might. The header's word on what it
/// carries was taken for proof that the record had been durable, and the log never opened again.
#[test]
fn a_recovery_that_died_early_proves_nothing() {
    let disk = SimDisk::new(Profile::STRICT);
    let (wal, _) = open(&disk);
    commit(&wal, b"one");
    disk.fail(FaultRule::next(Call::Sync, Fault::Dropped));
    let lsn = wal.append(b"two").unwrap();
    wal.wait_for_lsn(lsn).wait().unwrap_err();
    let disk = kill(wal, &disk);
    for operation in 0..12 {
        let trial = disk.kill();
        trial.crash_at(trial.operations() + operation);
        let store: Arc<dyn SegmentStore> = Arc::new(SimStore::new(trial.clone()));
        drop(Wal::with_store(store).segment_size(16 * 1024).open());
        for choice in trial.extremes().into_iter().chain((0..32).map(CutChoice::Seed)) {
            let after = trial.power_cut(choice);
            let (wal, recovery) = open(&after);
            assert!((1..=2).contains(&recovery.valid_records), "operation {operation}, {choice}");
            drop(wal);
            assert_eq!(read(&after)[0], b"one", "operation {operation}, {choice}");
        }
    }
}

/// The boundary's sync failed and poisoned the log; asked once more, it said that all was well: the
/// boundary was where it had been asked to be, in memory.
#[test]
fn a_poisoned_log_prunes_nothing() {
    let disk = SimDisk::new(Profile::STRICT);
    let (wal, _) = open(&disk);
    for _ in 0..60 {
        commit(&wal, &[7; 700]);
    }
    disk.fail(FaultRule::next(Call::Sync, Fault::Io));
    wal.prune_before(Lsn::new(50)).unwrap_err();
    let again = wal.prune_before(Lsn::new(50)).unwrap_err();
    assert_eq!(again.kind(), wal::ErrorKind::Poisoned);
}

/// A log of which nothing was left knew no longer where it had begun.
#[test]
fn a_log_pruned_to_nothing_knows_where_it_begins() {
    let disk = SimDisk::new(Profile::STRICT);
    let (wal, _) = open(&disk);
    for n in 0..3_u8 {
        commit(&wal, &[n]);
    }
    wal.truncate_after(Lsn::FIRST).unwrap();
    assert_eq!(wal.prune_before(Lsn::new(2)).unwrap(), Lsn::new(2));
    for choice in disk.extremes() {
        let after = disk.power_cut(choice);
        let (wal, recovery) = open(&after);
        assert_eq!((recovery.first_lsn, wal.first_lsn()), (Lsn::new(2), Lsn::new(2)), "{choice}");
        let pruned = wal.read_from(Lsn::FIRST).map(|_| ()).unwrap_err();
        assert_eq!(pruned.kind(), wal::ErrorKind::NotFound);
        assert_eq!(wal.prune_before(Lsn::new(2)).unwrap(), Lsn::new(2));
        assert_eq!(wal.truncate_after(Lsn::ZERO).unwrap_err().kind(), wal::ErrorKind::Invalid);
        assert_eq!(wal.append(b"again").unwrap(), Lsn::new(2));
        wal.close().unwrap();
    }
}
