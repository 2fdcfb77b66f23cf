//! The anchor and its neighbours against crashes between any two steps, and writes of it that fail.

use std::fs;

use wal::parts::core::{SegmentId, SegmentStore};
use wal::parts::segment::FileStore;
use wal::{Error, ErrorKind, Lsn, Retention, Wal};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, SimDisk};

use super::{SEGMENT, commit, copied, disk, open, over, path};

/// A closed log of 60 records.
fn closed() -> SimDisk {
    let disk = disk();
    let (wal, _) = over(&disk).open().unwrap();
    for n in 0..60_u8 {
        commit(&wal, &[n; 700]);
    }
    wal.close().unwrap();
    // A fault is of a file by the name it was made under.
    let copy = super::disk();
    for (name, bytes) in disk.contents().unwrap() {
        let file = copy.create_new(&name).unwrap();
        file.write_all_at(0, &bytes).unwrap();
        file.sync_data().unwrap();
    }
    copy.sync_dir().unwrap();
    copy
}

/// A sync of the anchor fails, after so many.
fn failing(fault: Fault, calls: u64) -> FaultRule {
    FaultRule::next(Call::Sync, fault).named("ANCHOR").after(calls)
}

/// Each way to fail, at each sync of the first write of an anchor.
fn first_write_fails() -> impl Iterator<Item = (Fault, u64)> {
    [Fault::Io, Fault::Dropped].into_iter().flat_map(|fault| [(fault, 0), (fault, 1)])
}

/// Appends and waits, as far as that goes; what was acknowledged through, and whether all was.
fn append_on(wal: &Wal, mut last: u64) -> (u64, bool) {
    for n in 0..30_u8 {
        let acknowledged = wal.append([n; 700]).and_then(|lsn| {
            wal.wait_for_lsn(lsn).wait()?;
            Ok(lsn)
        });
        match acknowledged {
            Ok(lsn) => last = lsn.get(),
            Err(_) => return (last, false),
        }
    }
    (last, true)
}

/// Whatever the power leaves, the log ends with this record or the next one.
fn ends_after_a_cut(disk: &SimDisk, last: u64, what: &str) {
    for choice in disk.extremes() {
        let after = disk.power_cut(choice);
        let found = over(&after).open().map(|(_, recovery)| recovery.last_lsn.get());
        let fine = found.as_ref().is_ok_and(|&found| (last..=last + 1).contains(&found));
        assert!(fine, "{what}, {choice}: {last}, {found:?}");
    }
}

/// Whatever the power leaves, the log opens with this last record, and all from its first one on.
fn sound_after_a_cut(disk: &SimDisk, last: u64, what: &str) {
    for choice in disk.extremes() {
        let after = disk.power_cut(choice);
        after.set_room(None);
        let opened = over(&after).open();
        let (wal, recovery) = opened.unwrap_or_else(|error| panic!("{what}, {choice}: {error:?}"));
        assert_eq!(recovery.last_lsn.get(), last, "{what}, {choice}");
        let read = wal.read_from(wal.first_lsn()).unwrap();
        let count = read.inspect(|entry| assert!(entry.is_ok(), "{entry:?}")).count() as u64;
        assert_eq!(count, last + 1 - wal.first_lsn().get(), "{what}, {choice}");
    }
}

/// A start that only the anchor had, written and not synced by a process that died there, was taken at
/// the next open for a durable one: what was before it went, durably, and a power cut then brought the
/// anchor before back, by which the log began with a segment that was gone.
#[test]
fn a_start_in_an_anchor_that_was_never_synced_deletes_nothing_before_it_is() {
    for (fault, calls) in first_write_fails() {
        let disk = closed();
        let (wal, _) = over(&disk).open().unwrap();
        disk.set_room(Some(0));
        disk.fail(failing(fault, calls));
        let _ = wal.prune_before(Lsn::new(40));
        let disk = disk.kill();
        drop(wal);
        for operation in 0.. {
            let disk = disk.kill();
            disk.crash_at(disk.operations() + operation);
            let opened = over(&disk).open();
            sound_after_a_cut(&disk, 60, &format!("{fault:?}, operation {operation}"));
            drop(opened);
            // It opens also where not all goes that could.
            if !disk.is_off() {
                break;
            }
        }
    }
}

/// The lowering of the anchor failed, and the truncation with it. Asked again, it found the anchor
/// lowered, as the cache had it, and cut; the power then brought the higher one back, by which the end
/// of the cut log was missing.
#[test]
fn a_lowering_that_failed_is_made_durable_before_a_second_try_cuts() {
    for (fault, calls) in first_write_fails() {
        for operation in 0.. {
            let disk = closed();
            let (wal, _) = over(&disk).open().unwrap();
            disk.fail(failing(fault, calls));
            let _ = wal.truncate_after(Lsn::new(5));
            disk.heal();
            disk.crash_at(disk.operations() + operation);
            let cut = wal.truncate_after(Lsn::new(5));
            for choice in disk.extremes() {
                let after = disk.power_cut(choice);
                let last = over(&after).open().map(|(_, recovery)| recovery.last_lsn.get());
                let fine = last.as_ref().is_ok_and(|&last| last == 5 || last == 60 && cut.is_err());
                assert!(fine, "{fault:?}, operation {operation}, {choice}: {last:?}");
            }
            if cut.is_ok() {
                break;
            }
        }
    }
}

/// A later start that was written to the anchor and not acknowledged stood in the lowered one, which
/// then began behind its own end: damaged, and the log did not open.
#[test]
fn a_lowered_anchor_begins_where_the_log_does() {
    for (fault, calls) in first_write_fails() {
        for operation in 0.. {
            let disk = closed();
            let (wal, _) = over(&disk).open().unwrap();
            disk.set_room(Some(0));
            disk.fail(failing(fault, calls));
            if wal.prune_before(Lsn::new(40)).is_ok() {
                break;
            }
            disk.heal();
            disk.set_room(None);
            disk.crash_at(disk.operations() + operation);
            let cut = wal.truncate_after(Lsn::new(5));
            for choice in disk.extremes() {
                let after = disk.power_cut(choice);
                let last = over(&after).open().map(|(_, recovery)| recovery.last_lsn.get());
                let fine = last.as_ref().is_ok_and(|&last| last == 5 || last == 60 && cut.is_err());
                assert!(fine, "{fault:?}, operation {operation}, {choice}: {last:?}");
            }
            if cut.is_ok() {
                break;
            }
        }
    }
}

/// Behind the lowering of a truncation, a write of the anchor failed, and the next one went to the slot
/// of the last good one. Torn there, it left the slot before that: the end that was cut off on purpose
/// was missed.
#[test]
fn a_failed_write_of_the_anchor_does_not_cost_the_one_before() {
    for fault in [Fault::Io, Fault::Dropped] {
        for operation in 0.. {
            let disk = closed();
            let (wal, _) = over(&disk).open().unwrap();
            commit(&wal, b"makes a segment, which writes the anchor for the first time");
            // The lowering passes, and the renewal behind it fails.
            disk.fail(failing(fault, 1));
            wal.truncate_after(Lsn::new(5)).unwrap();
            disk.heal();
            disk.crash_at(disk.operations() + operation);
            let (last, all) = append_on(&wal, 5);
            ends_after_a_cut(&disk, last, &format!("{fault:?}, operation {operation}"));
            if all {
                break;
            }
        }
    }
}

/// The same, where the process died in between: the next one does not know that a write failed.
#[test]
fn a_process_that_died_writing_the_anchor_does_not_cost_the_one_before() {
    for fault in [Fault::Io, Fault::Dropped] {
        for operation in 0.. {
            let disk = closed();
            let (wal, _) = over(&disk).open().unwrap();
            commit(&wal, b"makes a segment, which writes the anchor for the first time");
            disk.fail(failing(fault, 1));
            wal.truncate_after(Lsn::new(5)).unwrap();
            let disk = disk.kill();
            drop(wal);
            disk.crash_at(disk.operations() + operation);
            let (last, all) = match over(&disk).open() {
                Ok((wal, _)) => append_on(&wal, 5),
                Err(_) => (5, false),
            };
            ends_after_a_cut(&disk, last, &format!("{fault:?}, operation {operation}"));
            if all {
                break;
            }
        }
    }
}

/// The newest segment held nothing, and what had the name of the one before was another's file, longer
/// than what counts of the segment: the log opened, and cut that file, which nothing had proven to be
/// its own.
#[test]
fn what_has_the_predecessors_name_is_not_cut_unproven() {
    let dir = tempfile::tempdir().unwrap();
    super::append(dir.path(), 40, 700);
    let newest = fs::read_dir(dir.path()).unwrap().count() as u64 - 2;
    assert!(newest > 2 && path(dir.path(), newest).exists());
    let left = copied(dir.path());
    let mut bytes = fs::read(path(left.path(), newest)).unwrap();
    bytes[4096..].fill(0);
    bytes.resize(usize::try_from(SEGMENT).unwrap(), 0);
    fs::write(path(left.path(), newest), &bytes).unwrap();
    let foreign = b"somebody's ".repeat(20_000);
    fs::write(path(left.path(), newest - 1), &foreign).unwrap();
    let opened = open(left.path()).map(drop);
    assert_eq!(fs::read(path(left.path(), newest - 1)).unwrap().len(), foreign.len(), "{opened:?}");
}

/// A second copy into a store was interrupted, too, and the third was refused: the remains were cleared
/// away but for the anchor of the first, which said that there had been a log.
#[test]
fn a_copy_is_begun_again_however_often_it_was_interrupted() {
    let source = closed();
    let (wal, _) = over(&source).open().unwrap();
    let target = disk();
    let store = |disk: &SimDisk| -> std::sync::Arc<dyn SegmentStore> {
        std::sync::Arc::new(FileStore::over(std::sync::Arc::new(super::SimFiles::new(
            disk.clone(),
        ))))
    };
    target.crash_at(60);
    wal.backup_to(store(&target)).unwrap_err();
    let first = target.kill();
    assert!(first.contents().unwrap().contains_key("ANCHOR"));
    for operation in 0.. {
        let second = first.kill();
        second.crash_at(second.operations() + operation);
        let copied = wal.backup_to(store(&second));
        for choice in [CutChoice::Nothing, CutChoice::Everything, CutChoice::Seed(operation)] {
            let third = second.power_cut(choice);
            if copied.is_ok() {
                assert_eq!(over(&third).open().unwrap().1.valid_records, 60, "{choice}");
                continue;
            }
            match over(&third).open().map(|(_, recovery)| recovery.valid_records) {
                // It was whole, but for the last step.
                Ok(60) => continue,
                Ok(records) => assert_eq!(records, 0, "{operation}, {choice}"),
                Err(error) => {
                    assert_eq!(error.at_segment(), Some(SegmentId::new(1 << 40)), "{error:?}");
                }
            }
            let again = wal.backup_to(store(&third));
            again.unwrap_or_else(|error| panic!("{operation}, {choice}: {error:?}"));
        }
        if copied.is_ok() {
            break;
        }
    }
}

/// A log was killed just when its newest segment was made, and that took the last block: it could not
/// be pruned to be opened.
#[test]
fn b2_a_log_whose_newest_segment_is_empty_can_be_pruned_and_opened() {
    let mut full = 0;
    for operation in 0..40 {
        let disk = closed();
        let (wal, _) = over(&disk).open().unwrap();
        for n in 0..15_u8 {
            commit(&wal, &[n; 700]);
        }
        let mut last = 75;
        disk.crash_at(disk.operations() + operation);
        (0..15_u8)
            .try_for_each(|n| {
                let lsn = wal.append([n; 700])?;
                wal.wait_for_lsn(lsn).wait()?;
                last = lsn.get();
                Ok::<_, Error>(())
            })
            .unwrap_err();
        let disk = disk.kill();
        drop(wal);
        disk.set_room(Some(0));
        let Err(error) = over(&disk).open() else { continue };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error:?}");
        full += 1;
        let keep = Retention::all().at_most_segments(2);
        let opened = over(&disk).prune_if_full(keep).open();
        let (wal, recovery) =
            opened.unwrap_or_else(|error| panic!("operation {operation}: {error:?}"));
        assert!(recovery.segments_pruned > 0, "{recovery:?}");
        assert!(wal.last_lsn().get() >= last, "operation {operation}");
        drop(wal);
        sound_after_a_cut(&disk, recovery.last_lsn.get(), &format!("operation {operation}"));
    }
    assert!(full > 10, "{full}");
}

/// Blanks the blocks of the newest segment's seal, as a disk does that loses them.
fn without_the_seal(disk: &SimDisk) -> SimDisk {
    let after = disk.power_cut(CutChoice::Everything);
    let contents = after.contents().unwrap();
    let (name, bytes) =
        contents.iter().rfind(|(name, _)| name.strip_suffix(".wal").is_some()).unwrap();
    let seal = u64::from_le_bytes(bytes[bytes.len() - 8..].try_into().unwrap());
    assert_eq!(seal % 4096, 0, "{name} is sealed");
    let file = after.open(name).unwrap();
    let len = bytes.len() - usize::try_from(seal).unwrap();
    file.write_all_at(seal, &vec![0; len]).unwrap();
    file.sync_data().unwrap();
    after
}

/// A log was closed, and its anchor knew that all of its newest segment was durable, the seal too. Then it
/// was opened where there was no room: a prune, an append without room or a truncation without room wrote
/// the anchor again, and that knew nothing of the segment any more. A seal that vanished after that was
/// not missed: the log looked like one whose writer was killed.
#[test]
fn an_anchor_written_again_forgets_nothing_of_the_newest_segment() {
    for what in ["nothing", "prune", "append", "truncate"] {
        let disk = closed();
        let (wal, _) = over(&disk).open().unwrap();
        disk.set_room(Some(0));
        match what {
            "prune" => assert!(wal.prune_before(Lsn::new(40)).unwrap() > Lsn::FIRST),
            "append" => {
                let appended = wal.append([7; 700]).and_then(|lsn| wal.wait_for_lsn(lsn).wait());
                assert_eq!(appended.unwrap_err().kind(), ErrorKind::StorageFull);
            }
            "truncate" => {
                let cut = wal.truncate_after(Lsn::new(50));
                assert_eq!(cut.unwrap_err().kind(), ErrorKind::StorageFull);
            }
            _ => {}
        }
        let disk = disk.kill();
        drop(wal);
        sound_after_a_cut(&disk, 60, what);
        let error = over(&without_the_seal(&disk)).open().map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error:?}");
    }
}
