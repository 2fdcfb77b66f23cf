//! F10, F16: what cannot be tidied, and what cannot be read.

use wal::parts::core::SegmentId;
use wal::parts::replay::{inspect, prefix};
use wal::parts::segment::FileStore;
use wal::{ErrorKind, Lsn};
use wal_testkit::{Call, Fault, FaultRule, SimFiles};

use super::{commit, disk, file_name, over};

/// F10. One obsolete segment that could not be deleted kept all behind it, and every open said that it
/// had dropped them all.
#[test]
fn f10_one_that_cannot_go_does_not_keep_the_others() {
    let disk = disk();
    let (wal, _) = over(&disk).open().unwrap();
    for n in 0..120_u8 {
        commit(&wal, &[n; 700]);
    }
    disk.fail(FaultRule::next(Call::Remove, Fault::Io).named(".wal").forever());
    disk.fail(FaultRule::next(Call::Rename, Fault::Io).named(".wal").forever());
    wal.prune_before(Lsn::new(100)).unwrap_err();
    let disk = disk.kill();
    drop(wal);
    let stuck = file_name(2);
    disk.heal();
    disk.fail(FaultRule::next(Call::Remove, Fault::Io).named(&stuck).forever());
    disk.fail(FaultRule::next(Call::Rename, Fault::Io).named(&stuck).forever());
    let (wal, recovery) = over(&disk).open().unwrap();
    let first = wal.list_segments().unwrap()[0].id;
    let there: Vec<_> = disk.list().unwrap();
    let below = (1..first.get()).filter(|&id| there.contains(&file_name(id)));
    assert_eq!(below.collect::<Vec<_>>(), [2], "only the one that is stuck");
    assert_eq!(recovery.segments_left, 1);
    assert_eq!(recovery.segments_dropped, first.get() - 2, "what went is counted, and no more");
    disk.heal();
    commit(&wal, b"goes on");
    wal.close().unwrap();
    drop(wal);
    let (_, recovery) = over(&disk).open().unwrap();
    assert_eq!((recovery.segments_dropped, recovery.segments_left), (0, 0));
    assert!(!disk.list().unwrap().contains(&stuck), "it went with the next segment");
}

/// F10. A segment of a former owner could not be shortened, and an open failed whose recovery was
/// complete; the next one worked.
#[test]
fn f10_a_segment_that_cannot_be_shortened_is_put_off() {
    let disk = disk();
    let (wal, _) = over(&disk).open().unwrap();
    commit(&wal, b"one");
    let disk = disk.kill();
    drop(wal);
    disk.fail(FaultRule::next(Call::SetLen, Fault::Io).named(&file_name(1)).forever());
    let (wal, recovery) = over(&disk).open().unwrap();
    assert!(recovery.fresh_segment.is_some());
    commit(&wal, b"two");
    wal.close().unwrap();
}

/// F16. An unreadable header before the newest kept the log from opening, though a wrong byte there
/// did not, and it was not needed; so it could not be pruned either.
#[test]
fn f16_a_header_that_cannot_be_read_and_is_not_needed_keeps_nothing() {
    let disk = disk();
    let (wal, _) = over(&disk).open().unwrap();
    for n in 0..60_u8 {
        commit(&wal, &[n; 700]);
    }
    wal.close().unwrap();
    drop(wal);
    let (wal, _) = over(&disk).open().unwrap();
    let segments = wal.list_segments().unwrap();
    wal.close().unwrap();
    drop(wal);
    let before = segments[segments.len() - 2].id.get();
    disk.lose(&file_name(before), 0..4096).unwrap();
    let (wal, recovery) = over(&disk).open().unwrap();
    assert_eq!(recovery.valid_records, 60);
    commit(&wal, b"goes on");
    let newest = wal.current_segment().unwrap().0;
    wal.delete_segments_before(newest).unwrap();
    wal.close().unwrap();
    drop(wal);
    let (wal, _) = over(&disk).open().unwrap();
    assert_eq!(wal.list_segments().unwrap()[0].id, newest);
}

/// A sector of the newest segment that could not be read ended the look for what is before the damage, so
/// that nothing of the log was to be had; and it was told as a file cut short. A wrong byte there costs no
/// more than what is behind it. Found by reading.
#[test]
fn f16_a_sector_of_the_newest_segment_keeps_nothing_before_it() {
    for closed in [false, true] {
        let disk = disk();
        let (wal, _) = over(&disk).open().unwrap();
        for n in 0..60_u8 {
            commit(&wal, &[n; 700]);
        }
        if closed {
            wal.close().unwrap();
        }
        let newest = wal.list_segments().unwrap().last().unwrap().id;
        let disk = disk.kill();
        drop(wal);
        disk.lose(&file_name(newest.get()), 4096..8192).unwrap();
        let store = FileStore::over(std::sync::Arc::new(SimFiles::new(disk)));
        // Of a closed log the seal alone is looked at.
        let looked = inspect(&store);
        let kind = looked.as_ref().map_err(wal::Error::kind).err();
        assert_eq!(kind, (!closed).then_some(ErrorKind::Io), "{looked:?}");
        let chain = prefix(&store).unwrap().unwrap();
        assert_eq!(chain.segments.last(), Some(&newest), "all that can be read");
    }
}

/// Pruning reads each header first: what has the name of an old segment and is not the log's is left
/// where it is, and named.
#[test]
fn pruning_leaves_what_is_not_proven_to_be_the_logs() {
    let disk = disk();
    let (wal, _) = over(&disk).open().unwrap();
    for n in 0..60_u8 {
        commit(&wal, &[n; 700]);
    }
    let other = super::disk();
    let (strange, _) = over(&other).env(std::sync::Arc::new(wal::SystemEnv)).open().unwrap();
    commit(&strange, b"another log's");
    strange.close().unwrap();
    let bytes = other.contents().unwrap().remove(&file_name(1)).unwrap();
    disk.open(&file_name(1)).unwrap().set_len(0).unwrap();
    disk.open(&file_name(1)).unwrap().write_all_at(0, &bytes).unwrap();
    let error = wal.prune_before(Lsn::new(50)).unwrap_err();
    assert_eq!((error.kind(), error.at_segment()), (ErrorKind::Corrupt, Some(SegmentId::FIRST)));
    assert!(wal.first_lsn() > Lsn::FIRST, "pruned it is");
    assert_eq!(disk.contents().unwrap()[&file_name(1)], bytes, "and nothing strange went");
    assert!(!disk.list().unwrap().contains(&file_name(2)));
}

/// `prune_before` took the first record of another log's file for one of this log's, since its header was
/// sound: the log began there, and sound records that were to stay were deleted. Found by reading.
#[test]
fn pruning_begins_no_log_at_another_logs_segment() {
    for at in [3, 4, 5] {
        let disk = disk();
        let (wal, _) = over(&disk).open().unwrap();
        for n in 0..120_u8 {
            commit(&wal, &[n; 700]);
        }
        let other = super::disk();
        let (strange, _) = over(&other).env(std::sync::Arc::new(wal::SystemEnv)).open().unwrap();
        for n in 0..30_u8 {
            commit(&strange, &[n; 3000]);
        }
        let bytes = other.contents().unwrap().remove(&file_name(at)).unwrap();
        disk.open(&file_name(at)).unwrap().set_len(0).unwrap();
        disk.open(&file_name(at)).unwrap().write_all_at(0, &bytes).unwrap();
        // Records that are before it, in it and behind it.
        for lsn in [40, 50, 60, 70, 80, 90, 100] {
            let wanted = Lsn::new(lsn);
            let begins = match wal.prune_before(wanted) {
                Ok(begins) => begins,
                Err(error) => {
                    assert_eq!(error.at_segment(), Some(SegmentId::new(at)), "{error}");
                    wal.first_lsn()
                }
            };
            assert!(begins <= wanted, "{at}, {lsn}: begins with {begins}");
            // A reader looks one segment ahead, and may be told of the damage.
            match wal.read_from(begins).and_then(|mut cursor| cursor.next().unwrap()) {
                Ok(first) => {
                    assert_eq!(u64::from(first.payload[0]) + 1, begins.get(), "{at}, {lsn}");
                }
                Err(error) => {
                    assert_eq!(error.at_segment(), Some(SegmentId::new(at)), "{error}");
                }
            }
        }
    }
}
