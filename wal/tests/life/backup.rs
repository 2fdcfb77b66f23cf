//! Copies of a log that is being written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use wal::parts::core::SegmentStore;
use wal::parts::replay::Transforms;
use wal::parts::segment::MemoryStore;
use wal::{CodecId, ErrorKind, Key, Lsn, Reader, Result, Strategy, Verdict, Wal};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk};

use crate::crashes::files;
use crate::fixture::{HandClock, Inverting, Meddling, check, fill, filled, frames, lsn, open};

fn empty() -> Arc<dyn SegmentStore> {
    Arc::new(MemoryStore::new())
}

#[test]
fn a_backup_has_the_same_records_frames_and_times() {
    let clock = Arc::new(HandClock::default());
    let memory = empty();
    let builder = Wal::with_store(Arc::clone(&memory)).segment_size(16 * 1024);
    let (wal, _) =
        builder.strategy(Strategy::Os).env(clock.clone()).codec(CodecId(1234)).open().unwrap();
    for round in 0..40 {
        clock.set(1000 + round);
        fill(&wal, 3);
        let next = wal.last_lsn().next();
        let batch = [0, 1, 2].map(|more| crate::fixture::record(next.plus(more).get()));
        wal.append_batch(&batch).unwrap();
    }
    let first = wal.prune_before(lsn(100)).unwrap();
    assert!(first > lsn(1));
    let target = empty();
    let backup = wal.backup_to(Arc::clone(&target)).unwrap();
    assert_eq!((backup.first_lsn, backup.last_lsn), (first, lsn(240)));
    assert_eq!(backup.record_bytes, 500 * (241 - first.get()));
    assert_eq!(wal.space().unwrap().holds, []);
    wal.close().unwrap();
    assert_eq!(frames(&target), frames(&memory));

    let survey = Reader::with_store(Arc::clone(&target)).survey().unwrap().unwrap();
    let source = Reader::with_store(memory).survey().unwrap().unwrap();
    assert_eq!(survey.newest.log, backup.log);
    assert_ne!(survey.newest.log, source.newest.log);
    assert_eq!(survey.newest.codec, CodecId(1234));
    assert_eq!(survey.dead, []);
    let copy = open(Arc::clone(&target));
    assert_eq!(check(&copy), (first.get(), 240));
    fill(&copy, 50);
    copy.close().unwrap();
    assert_eq!(check(&open(target)), (first.get(), 290));
}

#[test]
fn a_log_as_it_lies_there_is_copied_too() {
    let (memory, wal) = filled(200);
    let memory = memory as Arc<dyn SegmentStore>;
    wal.prune_before(lsn(90)).unwrap();
    // Beside the writer, without its lock.
    let target = empty();
    let backup = Reader::with_store(Arc::clone(&memory)).backup_to(Arc::clone(&target)).unwrap();
    assert_eq!((backup.first_lsn, backup.last_lsn), (wal.first_lsn(), lsn(200)));
    wal.close().unwrap();
    assert_eq!(frames(&target), frames(&memory));
    assert_eq!(check(&open(target)).1, 200);
}

#[test]
fn a_log_without_records_gives_a_copy_that_goes_on_where_it_would() {
    let wal = open(empty());
    let target = empty();
    let backup = wal.backup_to(Arc::clone(&target)).unwrap();
    assert_eq!((backup.first_lsn, backup.last_lsn), (lsn(1), Lsn::ZERO));
    assert_eq!(target.list().unwrap(), []);

    let (_, wal) = filled(200);
    let first = wal.prune_before(lsn(100)).unwrap();
    wal.truncate_after(first.previous()).unwrap();
    assert_eq!(wal.last_lsn(), first.previous());
    let backup = wal.backup_to(Arc::clone(&target)).unwrap();
    assert_eq!((backup.first_lsn, backup.last_lsn), (first, first.previous()));
    let copy = open(target);
    assert_eq!((copy.first_lsn(), copy.append("next").unwrap()), (first, first));
}

#[test]
fn what_is_sealed_stays_sealed_and_a_reader_takes_it_out() {
    let memory = empty();
    let builder = |store: &Arc<dyn SegmentStore>| {
        let builder = Wal::with_store(Arc::clone(store)).strategy(Strategy::Os);
        builder.transform(Arc::new(Inverting)).open().unwrap().0
    };
    let wal = builder(&memory);
    fill(&wal, 20);
    let (sealed, plain) = (empty(), empty());
    wal.backup_to(Arc::clone(&sealed)).unwrap();
    assert!(frames(&sealed).iter().all(|&(.., transform)| transform == 200));
    assert_eq!(check(&builder(&sealed)), (1, 20));

    let reader = Reader::with_store(memory);
    let blind = reader.clone().backup_to(empty()).unwrap_err();
    assert_eq!(blind.kind(), ErrorKind::Unsupported);
    let knows = reader.transforms(Transforms::new(vec![Arc::new(Inverting)]));
    knows.backup_to(Arc::clone(&plain)).unwrap();
    assert!(frames(&plain).iter().all(|&(.., transform)| transform == 0));
    assert_eq!(check(&open(plain)), (1, 20));
}

#[test]
fn a_store_that_is_not_empty_or_not_free_is_left_alone() {
    let (_, wal) = filled(50);
    let (taken, other) = filled(10);
    let taken = taken as Arc<dyn SegmentStore>;
    assert_eq!(wal.backup_to(Arc::clone(&taken)).unwrap_err().kind(), ErrorKind::Locked);
    other.close().unwrap();
    let refused = wal.backup_to(Arc::clone(&taken)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert_eq!(check(&open(taken)), (1, 10));
    assert_eq!(wal.space().unwrap().holds, []);
}

/// What is appended, and what somebody wants to prune, while the copy is made.
#[test]
fn a_backup_is_the_log_as_it_was_at_the_call() {
    let (_, wal) = filled(200);
    let user = wal.hold("backup", lsn(150)).unwrap();
    let other = wal.clone();
    let target = Meddling::new(move || {
        fill(&other, 100);
        assert_eq!(other.prune_before(lsn(150)).unwrap(), lsn(1));
        let names: Vec<_> =
            other.space().unwrap().holds.into_iter().map(|held| held.name).collect();
        assert_eq!(names, ["backup", "backup 2"]);
    });
    let backup = wal.backup_to(target.clone()).unwrap();
    assert_eq!((backup.first_lsn, backup.last_lsn), (lsn(1), lsn(200)));
    assert_eq!(check(&open(target)), (1, 200));
    drop(user);
    assert!(wal.prune_before(lsn(150)).unwrap() > lsn(100));
    assert_eq!(check(&wal).1, 300);
}

#[test]
fn a_truncation_ends_a_backup_and_is_not_taken_for_damage() {
    let (_, wal) = filled(200);
    let other = wal.clone();
    let target = Meddling::new(move || other.truncate_after(lsn(50)).unwrap());
    let ended = wal.backup_to(target.clone()).unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Invalid, "{}", ended.report());
    assert!(ended.what().contains("truncated"), "{ended}");
    let left = Wal::with_store(target).open().unwrap_err();
    assert_eq!(left.kind(), ErrorKind::Corrupt);
}

#[test]
fn backups_beside_writers_and_pruning_are_whole() {
    let (_, wal) = filled(100);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fill(&wal, 20);
                wal.prune_before(Lsn::new(wal.last_lsn().get() - 60)).unwrap();
            }
        });
        let copies = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..20 {
                let least = wal.last_lsn();
                let target = empty();
                let backup = wal.backup_to(Arc::clone(&target)).unwrap();
                let expected = (backup.first_lsn.get(), backup.last_lsn.get());
                assert_eq!(check(&open(target)), expected);
                // Under the strategy `os` a record is acknowledged once its append has returned.
                assert!(backup.last_lsn >= least.previous(), "{backup}");
            }
        }));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = copies {
            std::panic::resume_unwind(panic);
        }
    });
}

/// What is left of a backup that the power or an error ended.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Refused,
    Whole,
}

fn left(disk: &SimDisk) -> Left {
    let store = files(disk) as Arc<dyn SegmentStore>;
    let opened: Result<_> = Wal::with_store(Arc::clone(&store)).segment_size(16 * 1024).open();
    match opened {
        Ok((wal, found)) if found.valid_records == 0 => {
            assert_eq!(wal.last_lsn(), Lsn::ZERO);
            Left::Nothing
        }
        Ok((wal, _)) => {
            assert_eq!(check(&wal), (1, 60));
            // And it is a log like any other, whatever was left beside it.
            fill(&wal, 40);
            wal.close().unwrap();
            assert_eq!(frames(&store).iter().map(|&(_, count, ..)| count).sum::<u32>(), 100);
            Left::Whole
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", error.report());
            assert_eq!(error.at_lsn(), Some(lsn(60)));
            let reader = Reader::with_store(store);
            assert_eq!(reader.survey().unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(reader.verify(|_| ()).unwrap().verdict, Verdict::Corrupt);
            Left::Refused
        }
    }
}

/// Has `copy` copy a log of 60 records to a disk whose power goes at each operation in turn.
fn at_every_operation(copy: impl Fn(&Wal, Arc<dyn SegmentStore>) -> Result<()>) {
    let (_, wal) = filled(60);
    assert!(wal.list_segments().unwrap().len() >= 2);
    let (mut operation, mut refused) = (0, 0);
    loop {
        let disk = SimDisk::new(Profile::STRICT);
        disk.crash_at(operation);
        let copied = copy(&wal, files(&disk));
        let fixed = [CutChoice::Nothing, CutChoice::Everything, CutChoice::TearLast(1)];
        for choice in fixed.into_iter().chain((0..4).map(CutChoice::Seed)) {
            let found = left(&disk.power_cut(choice));
            match &copied {
                Ok(()) => assert_eq!(found, Left::Whole, "operation {operation}, {choice}"),
                Err(_) => refused += u64::from(found == Left::Refused),
            }
        }
        if copied.is_ok() {
            break;
        }
        operation += 1;
    }
    assert!(operation > 60 && refused > 7 * 60, "{operation} operations, {refused} refused");
}

#[test]
fn the_power_goes_during_a_backup_and_no_part_passes_for_the_whole() {
    at_every_operation(|wal, store| wal.backup_to(store).map(drop));
}

#[test]
fn the_power_goes_during_a_compaction_and_no_part_passes_for_the_whole() {
    at_every_operation(|wal, store| wal.compact_to(store, |_| Key::Keep).map(drop));
}

/// A reader has no hold on the log of another process: what was pruned under its copy is not in the copy,
/// which begins again with what is there by then.
#[test]
fn pruning_under_a_readers_backup_begins_it_again() {
    let (memory, wal) = filled(200);
    let target = Meddling::new(move || {
        assert!(wal.prune_before(lsn(150)).unwrap() > lsn(100));
    });
    Reader::with_store(memory).backup_to(target.clone()).unwrap();
    let (copy, recovery) = Wal::with_store(target).open().unwrap();
    assert!(recovery.first_lsn > lsn(100), "{recovery:?}");
    assert_eq!(check(&copy), (recovery.first_lsn.get(), 200));
}

#[test]
fn a_target_that_fails_leaves_no_part_that_passes_for_the_whole() {
    let (_, wal) = filled(60);
    for (call, after) in [(Call::Write, 30), (Call::Sync, 2), (Call::Create, 1), (Call::Write, 1)] {
        for fault in [Fault::Io, Fault::StorageFull] {
            let disk = SimDisk::new(Profile::STRICT);
            disk.fail(FaultRule::next(call, fault).after(after).forever());
            let failed = wal.backup_to(files(&disk)).unwrap_err();
            let full = fault == Fault::StorageFull && call != Call::Sync;
            let kinds = [ErrorKind::Io, ErrorKind::Poisoned, ErrorKind::StorageFull];
            assert!(kinds.contains(&failed.kind()), "{call} {fault:?}: {}", failed.report());
            assert!(!full || failed.kind() == ErrorKind::StorageFull, "{}", failed.report());
            disk.heal();
            assert_ne!(left(&disk), Left::Whole, "{call} {fault:?}");
        }
    }
    assert_eq!(check(&wal), (1, 60));
}

/// A copy whose source is pruned under every one of its beginnings ended with "not found", the name of a
/// file, and nothing that said why: a sound log looked as if it had lost one.
#[test]
fn a_log_that_is_pruned_faster_than_it_is_copied_has_changed() {
    let (memory, wal) = filled(200);
    let pruning = wal.clone();
    let target = Meddling::each_time(move || {
        fill(&pruning, 100);
        pruning.prune_before(pruning.last_lsn()).unwrap();
    });
    let ended = Reader::with_store(memory).backup_to(target).unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Changed, "{}", ended.report());
    assert!(ended.report().contains("faster than it is read"), "{}", ended.report());
}
