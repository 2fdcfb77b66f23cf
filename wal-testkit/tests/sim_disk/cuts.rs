//! The cuts themselves: which there are, and what stands after them.

use std::io::ErrorKind;

use wal_testkit::{Atom, Call, CutChoice, Damage, Fault, FaultRule, Profile, SimDisk, Tape};

use crate::{content, durable};

#[test]
fn from_the_crash_point_on_every_call_fails() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"bytes");
    disk.crash_at(disk.operations() + 1);
    file.write_all_at(0, b"B").unwrap();
    assert_eq!(content(&disk, "a").unwrap(), b"Bytes");
    assert!(file.sync_data().is_err());
    let mut buffer = [0];
    assert!(file.read_at(0, &mut buffer).is_err() && file.size().is_err());
    assert!(disk.list().is_err() && disk.open("a").is_err() && disk.lock("l").is_err());
    assert!(disk.create_new("b").is_err() && disk.sync_dir().is_err());
    let left = disk.power_cut(CutChoice::Everything);
    assert_eq!(content(&left, "a").unwrap(), b"Bytes");
    left.create_new("b").unwrap();
}

/// The old process may still be writing when the new one has started on the cut disk.
#[test]
fn the_old_disk_cannot_touch_the_new_one() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"old");
    let _lock = disk.lock("LOCK").unwrap();
    for new in [disk.power_cut(CutChoice::Everything), disk.kill()] {
        file.write_all_at(0, b"new").unwrap();
        file.sync_data().unwrap();
        assert_eq!(content(&new, "a").unwrap(), b"old");
        drop(new.lock("LOCK").unwrap());
        file.write_all_at(0, b"old").unwrap();
    }
    assert_eq!(disk.lock("LOCK").unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_kill_loses_nothing_that_a_power_cut_still_may() {
    let disk = SimDisk::new(Profile::STRICT);
    durable(&disk, "a", b"old").write_all_at(0, b"new").unwrap();
    let killed = disk.kill();
    assert_eq!(content(&killed, "a").unwrap(), b"new");
    assert_eq!(content(&killed.power_cut(CutChoice::Nothing), "a").unwrap(), b"old");
}

#[test]
fn extremes_are_each_operation_dropped_kept_and_torn() {
    let disk = SimDisk::new(Profile::STRICT.damage(Damage::None));
    let file = durable(&disk, "a", &[1; 1536]);
    file.write_all_at(0, &[2; 1536]).unwrap();
    disk.create_new("b").unwrap();
    let extremes: Vec<_> = disk.extremes().iter().map(ToString::to_string).collect();
    let wanted =
        ["nothing", "everything", "drop:0", "only:0", "drop:1", "only:1", "tear:1", "tear:2"];
    assert_eq!(extremes, wanted);
    let left = |choice| {
        let disk = disk.power_cut(choice);
        let new = content(&disk, "a").unwrap().into_iter().filter(|byte| *byte == 2).count();
        (new, disk.list().unwrap().len())
    };
    assert_eq!(left(CutChoice::Nothing), (0, 1));
    assert_eq!(left(CutChoice::Everything), (1536, 2));
    assert_eq!(left(CutChoice::Drop(0)), (0, 2));
    assert_eq!(left(CutChoice::Only(0)), (1536, 1));
    assert_eq!(left(CutChoice::TearLast(2)), (1024, 2));
    assert_eq!(left(CutChoice::Drop(9)), (1536, 2), "there are not so many");
    assert_eq!(left(CutChoice::Only(9)), (0, 1));
}

#[test]
fn the_same_choices_leave_the_same_bytes() {
    let disk = SimDisk::new(Profile::STRICT.atom(Atom::Byte));
    let file = durable(&disk, "a", &[1; 100]);
    for at in 0..50 {
        file.write_all_at(at * 7, &[9; 40]).unwrap();
    }
    for seed in 0..50 {
        let mut tape = Tape::random(seed);
        let first = content(&disk.power_cut_by(&mut tape), "a").unwrap();
        assert_eq!(first, content(&disk.power_cut(CutChoice::Seed(seed)), "a").unwrap());
        let mut replay = Tape::replay(tape.choices());
        assert_eq!(first, content(&disk.power_cut_by(&mut replay), "a").unwrap(), "seed {seed}");
    }
    let benign = disk.power_cut_by(&mut Tape::replay(&[]));
    assert_eq!(content(&benign, "a").unwrap(), content(&disk, "a").unwrap());
}

#[test]
fn a_trace_tells_the_whole_story() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"abc");
    disk.fail(FaultRule::next(Call::Sync, Fault::Io));
    assert!(file.sync_data().is_err());
    let disk = disk.power_cut(CutChoice::Nothing);
    disk.remove("a").unwrap();
    let told = "    0. create a\n    1. write a 0..3\n    2. sync a\n    3. sync directory \n    \
                4. sync a -> simulated EIO at sync\n   -- power cut, nothing\n    5. remove a\n";
    assert_eq!(disk.trace().to_string(), told);
    let counts = disk.counts();
    assert_eq!((counts.removes, counts.syncs), (1, 0), "counted anew after the cut");
}
