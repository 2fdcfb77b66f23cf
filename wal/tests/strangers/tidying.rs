//! F10, F16: what cannot be tidied, and what cannot be read.

use wal::parts::core::SegmentId;
use wal::{ErrorKind, Lsn};
use wal_testkit::{Call, Fault, FaultRule};

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
