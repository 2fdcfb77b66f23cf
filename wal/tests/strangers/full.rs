//! B2, F9: disks that are full.

use std::sync::Arc;
use wal::parts::core::SegmentStore;
use wal::parts::segment::MemoryStore;
use wal::{ErrorKind, Lsn, Reader, Retention, Wal};

use wal::Preparation;
use wal::parts::segment::FileStore;
use wal_testkit::{CutChoice, Profile, SimDisk, SimFiles};

use super::{SEGMENT, commit, disk, over, taken};

/// A log that was killed with records in doubt in its newest segment, on a disk without a block left.
fn filled() -> (SimDisk, u64) {
    let disk = disk();
    let (wal, _) = over(&disk).open().unwrap();
    for n in 0..60_u8 {
        commit(&wal, &[n; 700]);
    }
    let disk = disk.kill();
    drop(wal);
    disk.set_room(Some(0));
    (disk, 60)
}

/// B2. A log filled its disk, and could then be neither opened nor pruned: recovery wanted to copy
/// what was in doubt first, and pruning wanted recovery. Now the start that pruning moves stands in the
/// log's anchor, which takes no space, and what goes makes room for the copy.
#[test]
fn b2_a_log_that_filled_its_disk_can_be_pruned_and_opened() {
    let (disk, last) = filled();
    let before = disk.contents().unwrap();
    let error = over(&disk).open().map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error:?}");
    let segments = |contents: std::collections::BTreeMap<String, Vec<u8>>| {
        contents
            .into_iter()
            .filter(|(name, _)| name.strip_suffix(".wal").is_some())
            .collect::<Vec<_>>()
    };
    assert_eq!(segments(disk.contents().unwrap()), segments(before), "nothing was done");
    let keep = Retention::all().at_most_segments(2);
    let (wal, recovery) = over(&disk).prune_if_full(keep).open().unwrap();
    assert!(recovery.segments_pruned > 0 && recovery.bytes_pruned > 0, "{recovery:?}");
    assert!(wal.first_lsn() > Lsn::FIRST);
    assert_eq!(wal.last_lsn().get(), last, "all that was acknowledged and not pruned is there");
    let first = wal.first_lsn();
    let read: Vec<_> = wal.read_from(first).unwrap().map(|entry| entry.unwrap().lsn).collect();
    assert_eq!(read.len() as u64, last + 1 - first.get());
    commit(&wal, b"goes on");
    drop(wal);
    // And where there is room, nothing goes by it.
    disk.set_room(None);
    let (wal, recovery) =
        over(&disk).prune_if_full(Retention::all().at_most_segments(1)).open().unwrap();
    assert_eq!((recovery.segments_pruned, wal.first_lsn()), (0, first));
}

/// The power goes at every operation of it: the log begins where it did or later, and what was
/// acknowledged behind that is there.
#[test]
fn b2_a_crash_while_pruning_first_loses_nothing_behind_the_start() {
    for operation in 0.. {
        let (disk, last) = filled();
        disk.crash_at(disk.operations() + operation);
        let keep = || Retention::all().at_most_segments(2);
        let opened = over(&disk).prune_if_full(keep()).open();
        let died = opened.is_err();
        drop(opened);
        for choice in disk.extremes() {
            let after = disk.power_cut(choice);
            after.set_room(Some(2 * SEGMENT));
            let (wal, recovery) = over(&after).prune_if_full(keep()).open().unwrap();
            assert_eq!(recovery.last_lsn.get(), last, "operation {operation}, {choice}");
            let read = wal.read_from(wal.first_lsn()).unwrap();
            let count = read.inspect(|entry| assert!(entry.is_ok(), "{entry:?}")).count() as u64;
            assert_eq!(count, last + 1 - wal.first_lsn().get(), "operation {operation}, {choice}");
        }
        if !died {
            break;
        }
    }
}

/// A recovery was killed when it had carried the last records over, and before it had synced them; then
/// the disk was full. Pruning took the new segment for the one that holds what is in doubt, and removed
/// the one before, which had the only durable copy: with the power went records that were acknowledged,
/// and the log did not open any more. What a segment was to carry must be known as durable before its
/// predecessor can go.
#[test]
fn b2_pruning_first_keeps_what_a_killed_recovery_has_not_made_durable() {
    let (filled, last) = filled();
    for killed_at in 0.. {
        let disk = filled.kill();
        disk.set_room(None);
        disk.crash_at(disk.operations() + killed_at);
        let killed = over(&disk).open().is_err();
        disk.set_room(Some(0));
        for operation in 0.. {
            let disk = disk.kill();
            disk.crash_at(disk.operations() + operation);
            let keep = Retention::all().at_most_segments(1);
            drop(over(&disk).prune_if_full(keep).open());
            let after = disk.power_cut(CutChoice::Nothing);
            after.set_room(None);
            let opened = over(&after).open();
            let at = format!("killed at {killed_at}, power at {operation}");
            let (_, recovery) = opened.unwrap_or_else(|error| panic!("{at}: {error:?}"));
            assert_eq!(recovery.last_lsn.get(), last, "{at}");
            if !disk.is_off() {
                break;
            }
        }
        if !killed {
            break;
        }
    }
}

/// A log of one segment, without prepared space, that has filled its disk alone, and was killed.
fn filled_by_one(found_full: bool) -> (SimDisk, u64) {
    let disk = SimDisk::new(Profile::STRICT);
    let files = Arc::new(SimFiles::new(disk.clone()));
    let store = Arc::new(FileStore::over(files).preparation(Preparation::None));
    let (wal, _) = Wal::with_store(store).segment_size(1 << 20).open().unwrap();
    commit(&wal, &[1; 700]);
    disk.set_room(Some(40 << 10));
    while wal.append([7; 700]).and_then(|lsn| wal.wait_for_lsn(lsn).wait()).is_ok() {}
    let last = wal.durable_lsn().get();
    if !found_full {
        // As if nothing had been told of it, and so nothing noted.
        disk.set_room(None);
        commit(&wal, &[8; 700]);
    }
    let disk = disk.kill();
    drop(wal);
    disk.set_room(Some(0));
    let last = if found_full { last } else { wal_last(&disk) };
    (disk, last)
}

fn wal_last(disk: &SimDisk) -> u64 {
    let files = Arc::new(SimFiles::new(disk.clone()));
    Reader::with_store(Arc::new(FileStore::over(files))).survey().unwrap().unwrap().last_lsn().get()
}

/// B2, of one segment alone: the last frames were in doubt, a copy of them had no room, and pruning
/// had nothing to take. The anchor, which takes no room, now says how far the log was durable when the
/// disk was found full; so nothing is in doubt, and the log opens as it is, whatever the power left.
#[test]
fn b2_one_segment_that_filled_its_disk_alone_opens() {
    let (disk, last) = filled_by_one(true);
    for choice in disk.extremes() {
        let after = disk.power_cut(choice);
        after.set_room(Some(0));
        let (wal, recovery) = over(&after).open().unwrap();
        assert!(recovery.last_lsn.get() >= last, "{choice}: {recovery:?}");
        assert_eq!(recovery.records_carried, 0, "{choice}: {recovery:?}");
        let read = wal.read_from(Lsn::FIRST).unwrap();
        let count = read.inspect(|entry| assert!(entry.is_ok(), "{entry:?}")).count() as u64;
        assert_eq!(count, recovery.last_lsn.get(), "{choice}");
        // Once more, and then it goes on where it is.
        drop(wal);
        let (wal, again) = over(&after).open().unwrap();
        assert_eq!(again.last_lsn, recovery.last_lsn, "{choice}");
        after.set_room(None);
        commit(&wal, b"goes on");
        wal.close().unwrap();
    }
}

/// A log was closed on a disk that had no room for its seal, and did not open there again: nothing vouched
/// for its last records, and there was no room to carry them over. The close had told the anchor that all
/// of the segment was durable, and that is a word for its frames, too.
#[test]
fn b2_a_log_that_was_closed_without_room_for_a_seal_opens() {
    let disk = SimDisk::new(Profile::STRICT);
    let files = Arc::new(SimFiles::new(disk.clone()));
    let store = Arc::new(FileStore::over(files).preparation(Preparation::None));
    let (wal, _) = Wal::with_store(store).segment_size(1 << 20).open().unwrap();
    (0..3).for_each(|n| commit(&wal, &[n; 700]));
    disk.set_room(Some(0));
    wal.close().unwrap();
    drop(wal);
    let (wal, recovery) = over(&disk).open().unwrap();
    assert_eq!((recovery.last_lsn.get(), recovery.records_carried), (3, 0), "{recovery:?}");
    assert_eq!(wal.read_from(Lsn::FIRST).unwrap().flatten().count(), 3);
}

/// The first segment of a log had room, and its anchor had none any more. The log took records all the same,
/// and after a kill it could not be pruned before it was opened: what says so would have had to be made.
/// Now no record is written before the anchor has its space.
#[test]
fn b2_no_record_is_written_before_the_anchor_has_its_space() {
    let mut refused = 0;
    for preparation in [Preparation::None, Preparation::Whole] {
        for room in (0..96).map(|room| room * 512) {
            let disk = disk();
            let files = Arc::new(SimFiles::new(disk.clone()));
            let store = Arc::new(FileStore::over(files).preparation(preparation));
            let builder = || Wal::with_store(store.clone()).segment_size(SEGMENT);
            let (wal, _) = builder().open().unwrap();
            disk.set_room(Some(room));
            let commit =
                |len| wal.append(vec![7; len]).and_then(|lsn| wal.wait_for_lsn(lsn).wait());
            let error = loop {
                if let Err(error) = commit(700) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{room}: {error:?}");
            let last = wal.durable_lsn();
            let anchored = store.read_anchor().unwrap().is_some();
            assert!(anchored || last == Lsn::ZERO, "{room}: {last} without an anchor");
            refused += u32::from(!anchored && taken(&disk) > 0);
            disk.set_room(None);
            // What was refused goes along.
            commit(700).unwrap();
            let last = wal.last_lsn();
            assert!(store.read_anchor().unwrap().is_some(), "{room}");
            drop(wal);
            assert_eq!(builder().open().unwrap().1.last_lsn, last, "{room}");
        }
    }
    assert!(refused > 0, "an anchor without room was never met");
}

/// Where a kill came before the disk was found full, what is in doubt takes as much room as it has, and
/// the error says so; with that room all of it is there.
#[test]
fn b2_what_is_in_doubt_takes_no_more_room_than_it_has() {
    let (disk, last) = filled_by_one(false);
    let error = over(&disk).open().map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error:?}");
    disk.set_room(Some(4 * 4096));
    let (_, recovery) = over(&disk).open().unwrap();
    assert_eq!(recovery.last_lsn.get(), last, "{recovery:?}");
}

/// A log that is open on a full disk is pruned though not even the frame with its new start has room.
#[test]
fn b2_an_open_log_is_pruned_without_a_byte_of_room() {
    let disk = disk();
    let (wal, _) = over(&disk).open().unwrap();
    for n in 0..60_u8 {
        commit(&wal, &[n; 700]);
    }
    wal.close().unwrap();
    drop(wal);
    // No segment is open, and there is no room for one.
    let (wal, _) = over(&disk).open().unwrap();
    disk.set_room(Some(0));
    let begins = wal.prune_before(Lsn::new(40)).unwrap();
    assert!(begins > Lsn::FIRST);
    let disk = disk.kill();
    drop(wal);
    for choice in disk.extremes() {
        let after = disk.power_cut(choice);
        let (wal, recovery) = over(&after).open().unwrap();
        assert_eq!((wal.first_lsn(), recovery.last_lsn.get()), (begins, 60), "{choice}");
    }
}

/// `truncate_after` on a full disk poisoned the log. It is "storage full", and the log is as it was.
#[test]
fn b2_a_truncation_without_room_leaves_the_log_as_it_was() {
    let disk = disk();
    let (wal, _) = over(&disk).open().unwrap();
    for n in 0..10_u8 {
        commit(&wal, &[n; 700]);
    }
    disk.set_room(Some(0));
    let error = wal.truncate_after(Lsn::new(5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error:?}");
    assert_eq!(wal.last_lsn(), Lsn::new(10));
    assert_eq!(wal.read_from(Lsn::FIRST).unwrap().count(), 10);
    disk.set_room(None);
    commit(&wal, b"goes on");
    wal.truncate_after(Lsn::new(5)).unwrap();
    commit(&wal, b"and on");
    assert_eq!(wal.last_lsn(), Lsn::new(6));
    wal.close().unwrap();
}

/// F9. Nothing was written where less than a whole segment was free, and no error said how much was
/// asked for, or which setting that is.
#[test]
fn f9_less_space_than_a_segment_is_used() {
    let disk = disk();
    disk.set_room(Some(3 << 20));
    let (wal, _) = over(&disk).segment_size(128 << 20).open().unwrap();
    commit(&wal, b"a record");
    assert!(taken(&disk) <= 3 << 19, "one segment fills the volume: {}", taken(&disk));
    wal.close().unwrap();
    drop(wal);
    disk.set_room(Some(0));
    let (wal, _) = over(&disk).segment_size(128 << 20).open().unwrap();
    let failed = wal.append(vec![1; 9000]).and_then(|lsn| wal.wait_for_lsn(lsn).wait());
    let report = failed.unwrap_err().report();
    assert!(report.contains("134217728 (the setting segment_size)"), "{report}");
    // Nothing was made, and no number is spent.
    disk.set_room(None);
    commit(&wal, b"another");
    assert_eq!(wal.current_segment().unwrap().0.get(), 2);
}

/// F9. A copy took segments of 128 MiB, whatever the source.
#[test]
fn f9_a_copy_takes_segments_of_the_sources_size() {
    let disk = disk();
    let (wal, _) = over(&disk).open().unwrap();
    for n in 0..60_u8 {
        commit(&wal, &[n; 700]);
    }
    wal.close().unwrap();
    drop(wal);
    let source: Arc<dyn SegmentStore> = Arc::new(FileStore::over(Arc::new(SimFiles::new(disk))));
    let target = Arc::new(MemoryStore::with_capacity_limit(256 << 10));
    Reader::with_store(source).backup_to(target.clone()).unwrap();
    let (copy, recovery) = Wal::with_store(target).segment_size(SEGMENT).open().unwrap();
    assert_eq!(recovery.valid_records, 60);
    drop(copy);
}
