//! Calls that fail, or lie.

use std::io::ErrorKind;

use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk};

use crate::{content, durable};

/// fsyncgate. The reader sees the new bytes, the second sync succeeds, the platter has the old.
#[test]
fn a_dropped_sync_is_never_made_good() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"old");
    file.write_all_at(0, b"new").unwrap();
    disk.fail(FaultRule::next(Call::Sync, Fault::Dropped));
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    assert_eq!(content(&disk, "a").unwrap(), b"new");
    assert_eq!(content(&disk.kill(), "a").unwrap(), b"new", "nor does reopening tell");
    let left = disk.power_cut(CutChoice::Everything);
    assert_eq!(content(&left, "a").unwrap(), b"old");
}

#[test]
fn a_failed_sync_has_kept_or_done_its_work() {
    for (fault, after) in [(Fault::Io, b"old"), (Fault::AfterEffect, b"new")] {
        let disk = SimDisk::new(Profile::STRICT);
        let file = durable(&disk, "a", b"old");
        file.write_all_at(0, b"new").unwrap();
        disk.fail(FaultRule::next(Call::Sync, fault));
        assert!(file.sync_data().is_err());
        assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), after);
        file.sync_data().unwrap();
        assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), b"new");
    }
}

#[test]
fn faults_strike_the_calls_they_name() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"");
    disk.fail(FaultRule::next(Call::Write, Fault::Short(2)).after(1));
    disk.fail(FaultRule::next(Call::Write, Fault::Interrupted).after(2));
    disk.fail(FaultRule::next(Call::Write, Fault::Partial(1)).after(4));
    assert_eq!(file.write_at(0, b"abc").unwrap(), 3);
    assert_eq!(file.write_at(0, b"def").unwrap(), 2);
    assert_eq!(file.write_at(2, b"f").unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(file.write_at(0, b"xyz").unwrap(), 3, "each rule counts every call");
    assert!(file.write_at(0, b"XYZ").is_err());
    assert_eq!(content(&disk, "a").unwrap(), b"Xyz");
    disk.fail(FaultRule::next(Call::Create, Fault::StorageFull).forever());
    disk.fail(FaultRule::next(Call::Remove, Fault::AfterEffect));
    disk.fail(FaultRule::next(Call::SyncDir, Fault::Io));
    assert_eq!(disk.create_new("b").unwrap_err().kind(), ErrorKind::StorageFull);
    assert!(disk.sync_dir().is_err());
    assert!(disk.remove("a").is_err());
    assert!(disk.open("a").is_err(), "it was removed all the same");
    disk.heal();
    disk.create_new("b").unwrap();
}

#[test]
#[should_panic(expected = "a create cannot fail as Dropped")]
fn a_fault_that_no_such_call_can_have_is_refused() {
    let _ = FaultRule::next(Call::Create, Fault::Dropped);
}

#[test]
fn a_rule_may_be_about_some_files_only() {
    let disk = SimDisk::new(Profile::STRICT);
    let (a, b) = (durable(&disk, "a.seg", b"old"), durable(&disk, "b.idx", b"old"));
    disk.fail(FaultRule::next(Call::Write, Fault::Io).named(".seg").after(1).forever());
    b.write_all_at(0, b"new").unwrap();
    a.write_all_at(0, b"new").unwrap();
    b.write_all_at(0, b"NEW").unwrap();
    assert!(a.write_at(0, b"NEW").is_err() && a.write_at(0, b"NEW").is_err());
    b.write_all_at(0, b"new").unwrap();
}

#[test]
fn a_read_fails_as_it_is_told() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"abcdef");
    let read = |fault| {
        disk.fail(FaultRule::next(Call::Read, fault));
        let mut buffer = [0; 6];
        file.read_at(0, &mut buffer).map(|count| (count, buffer))
    };
    assert!(read(Fault::Io).is_err() && read(Fault::AfterEffect).is_err());
    assert_eq!(read(Fault::Interrupted).unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(read(Fault::Short(2)).unwrap(), (2, *b"ab\0\0\0\0"));
    assert_eq!(read(Fault::WrongBit(8)).unwrap(), (6, *b"accdef"));
    assert_eq!(content(&disk, "a").unwrap(), b"abcdef", "the next read is right");
    disk.fail(FaultRule::next(Call::Read, Fault::Short(1)));
    disk.fail(FaultRule::next(Call::Read, Fault::Interrupted).after(1));
    let mut buffer = [0; 6];
    assert_eq!(file.read_all_at(0, &mut buffer).unwrap(), 6);
    assert_eq!(&buffer, b"abcdef");
}

#[test]
fn a_write_that_lies_says_that_it_is_done() {
    let after = |fault| {
        let disk = SimDisk::new(Profile::STRICT);
        let file = durable(&disk, "a", b"abcdef");
        disk.fail(FaultRule::next(Call::Write, fault));
        assert_eq!(file.write_at(1, b"XY").unwrap(), 2, "{fault:?}");
        file.sync_data().unwrap();
        let seen = content(&disk, "a").unwrap();
        assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), seen, "{fault:?}");
        seen
    };
    assert_eq!(after(Fault::Ignored), b"abcdef");
    assert_eq!(after(Fault::Misdirected(3)), b"abcdXY");
    assert_eq!(after(Fault::WrongBit(0)), b"aYYdef");
}

#[test]
fn a_sync_that_lies_has_made_nothing_durable() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"old");
    file.write_all_at(0, b"new").unwrap();
    disk.create_new("b").unwrap();
    disk.fail(FaultRule::next(Call::Sync, Fault::Ignored));
    disk.fail(FaultRule::next(Call::SyncDir, Fault::Ignored));
    file.sync_data().unwrap();
    disk.sync_dir().unwrap();
    let cut = disk.power_cut(CutChoice::Nothing);
    assert_eq!((content(&cut, "a").unwrap(), cut.list().unwrap().len()), (b"old".to_vec(), 1));
    file.sync_data().unwrap();
    disk.sync_dir().unwrap();
    let cut = disk.power_cut(CutChoice::Nothing);
    assert_eq!((content(&cut, "a").unwrap(), cut.list().unwrap().len()), (b"new".to_vec(), 2));
}

/// Every call of the model can fail after it was done, and has been done then.
#[test]
fn every_call_can_fail_after_its_effect() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"abc");
    let strike = |call| disk.fail(FaultRule::next(call, Fault::AfterEffect));
    strike(Call::Create);
    assert!(disk.create_new("b").is_err() && disk.open("b").is_ok());
    strike(Call::Write);
    assert!(file.write_at(0, b"X").is_err());
    strike(Call::SetLen);
    assert!(file.set_len(2).is_err());
    assert_eq!(content(&disk, "a").unwrap(), b"Xb");
    strike(Call::Allocate);
    assert!(file.allocate(0, 4).is_err() && file.size().unwrap() == 4);
    strike(Call::Sync);
    assert!(file.sync_data().is_err());
    assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), b"Xb\0\0");
    strike(Call::Rename);
    assert!(disk.rename("b", "c").is_err() && disk.open("c").is_ok());
    strike(Call::SyncDir);
    assert!(disk.sync_dir().is_err());
    strike(Call::Remove);
    assert!(disk.remove("c").is_err() && disk.open("c").is_err());
    assert!(disk.power_cut(CutChoice::Nothing).open("c").is_ok());
}
