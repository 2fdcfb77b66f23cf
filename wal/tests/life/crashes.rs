//! The power goes at every operation of what changes the list of segments.

use std::sync::Arc;

use wal::parts::core::SegmentStore;
use wal::parts::segment::{FileStore, Preparation};
use wal::{ErrorKind, Lsn, Result, Retention, Strategy, Wal};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk, SimFiles};

use crate::common::StillEnv;
use crate::fixture::{check, fill};

/// Seeds of power cuts tried after the extremes.
const SEEDS: u64 = 4;

pub(crate) fn files(disk: &SimDisk) -> Arc<FileStore> {
    let files = Arc::new(SimFiles::new(disk.clone()));
    Arc::new(FileStore::over(files).preparation(Preparation::Whole))
}

pub(crate) fn open(disk: &SimDisk) -> Result<Wal> {
    let builder = Wal::with_store(files(disk)).segment_size(16 * 1024).strategy(Strategy::Os);
    builder.env(Arc::new(StillEnv::default())).open().map(|(wal, _)| wal)
}

/// What the power cut may leave now, one disk for each choice tried.
pub(crate) fn cuts(disk: &SimDisk) -> Vec<(CutChoice, SimDisk)> {
    let mut choices = disk.extremes();
    choices.extend((0..SEEDS).map(CutChoice::Seed));
    choices.into_iter().map(|choice| (choice, disk.power_cut(choice))).collect()
}

/// Calls `prune` on a log of 200 durable records, the power gone at each of its operations in turn,
/// and checks that the log begins where it did or where `prune` says, with every record behind.
fn at_every_operation(prune: impl Fn(&Wal) -> Result<Lsn>) {
    let mut at = 0;
    loop {
        let disk = SimDisk::new(Profile::STRICT);
        let wal = open(&disk).unwrap();
        fill(&wal, 200);
        wal.sync().unwrap();
        let wanted = {
            let trial = SimDisk::kill(&disk);
            prune(&open(&trial).unwrap()).unwrap()
        };
        assert!(wanted > Lsn::new(50), "{wanted}");
        disk.crash_at(disk.operations() + at);
        let pruned = prune(&wal);
        for (choice, left) in cuts(&disk) {
            let again = open(&left).unwrap();
            let (first, last) = check(&again);
            assert_eq!(last, 200, "operation {at}, {choice}");
            if let Ok(lsn) = pruned {
                assert_eq!((first, lsn), (wanted.get(), wanted), "operation {at}, {choice}");
            } else {
                assert!([1, wanted.get()].contains(&first), "operation {at}, {choice}: {first}");
            }
            fill(&again, 3);
            again.close().unwrap();
            assert_eq!(check(&open(&left).unwrap()).1, 203, "operation {at}, {choice}");
        }
        if pruned.is_ok() {
            assert!(at > 4, "the power never went in the middle");
            return;
        }
        at += 1;
    }
}

#[test]
fn deleting_segments_leaves_no_gap_and_nothing_comes_back() {
    at_every_operation(|wal| {
        let segments = wal.list_segments()?;
        wal.delete_segments_before(segments[4].id)
    });
}

#[test]
fn retention_leaves_no_gap_and_nothing_comes_back() {
    let retention = Retention::all().at_most_segments(3).from(Lsn::new(80));
    at_every_operation(|wal| wal.retain(&retention).map(|done| done.first_lsn));
}

/// The boundary is recorded first: what could not be deleted is no part of the log any more.
#[test]
fn where_a_deletion_fails_the_boundary_stays() {
    let disk = SimDisk::new(Profile::STRICT);
    let wal = open(&disk).unwrap();
    fill(&wal, 200);
    let store = files(&disk);
    let there = || store.list().unwrap().len();
    let before = there();
    disk.fail(FaultRule::next(Call::Remove, Fault::Io).after(1).forever());
    let failed = wal.retain(&Retention::all().at_most_segments(2)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Io);
    let first = wal.first_lsn();
    assert!(first > Lsn::new(100), "{first}");
    assert_eq!((there(), check(&wal)), (before - 1, (first.get(), 200)));
    fill(&wal, 10);
    disk.heal();
    wal.close().unwrap();
    let again = open(&disk).unwrap();
    assert_eq!(check(&again), (first.get(), 210));
    assert_eq!(there(), again.list_segments().unwrap().len());
}
