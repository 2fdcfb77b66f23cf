//! A half that fails while the log is open.

use std::io::ErrorKind;
use std::sync::Arc;

use wal_core::SegmentStore;
use wal_segment::{Capped, FileStore, Half, MemoryStore, OnLoss, TeeStore};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk, SimFiles};

use super::place::tee;
use super::{ONE, TWO, bytes, die, put, sim};

fn disks() -> [SimDisk; 2] {
    [Profile::STRICT, Profile::STRICT].map(SimDisk::new)
}

fn index(half: Half) -> usize {
    usize::from(half == Half::Second)
}

const HALVES: [Half; 2] = [Half::First, Half::Second];
const CALLS: [Call; 2] = [Call::Write, Call::Sync];

#[test]
fn with_fail_the_failure_of_either_half_fails_the_operation() {
    for half in HALVES {
        for call in CALLS {
            let disks = disks();
            let store = tee(&disks, OnLoss::Fail).unwrap();
            let _lock = store.lock().unwrap();
            let mut writer = store.create(ONE, 0).unwrap();
            let syncer = writer.syncer();
            disks[index(half)].fail(FaultRule::next(call, Fault::Io).forever());
            let result = writer.append(b"bytes").and_then(|()| syncer.sync());
            assert!(result.is_err(), "{call} of {half}");
            assert_eq!(store.lost(), None, "{call} of {half}");
        }
    }
}

/// The end of the first is behind the append, that of the second before it: no later append may
/// pretend that they are at the same place.
#[test]
fn with_fail_an_append_that_reached_one_half_ends_the_segment() {
    for fault in [Fault::Io, Fault::StorageFull] {
        let disks = disks();
        let store = tee(&disks, OnLoss::Fail).unwrap();
        let _lock = store.lock().unwrap();
        let mut writer = store.create(ONE, 0).unwrap();
        writer.append(b"kept").unwrap();
        disks[1].fail(FaultRule::next(Call::Write, fault));
        for _ in 0..2 {
            let error = writer.append(b"half").unwrap_err();
            assert_eq!((error.kind(), writer.end()), (ErrorKind::Other, 4), "{fault:?}");
        }
        // The next segment is in both again.
        put(&store, TWO, b"both").unwrap();
        for disk in &disks {
            assert_eq!(bytes(&sim(disk), TWO), b"both", "{fault:?}");
        }
    }
}

/// Nothing of the first has changed, so the second is not asked.
#[test]
fn with_fail_an_append_that_reached_neither_half_can_be_repeated() {
    let disks = disks();
    let store = tee(&disks, OnLoss::Fail).unwrap();
    let mut writer = store.create(ONE, 0).unwrap();
    disks[0].fail(FaultRule::next(Call::Write, Fault::StorageFull));
    assert_eq!(writer.append(b"once").unwrap_err().kind(), ErrorKind::StorageFull);
    writer.append(b"again").unwrap();
    for disk in &disks {
        assert_eq!(bytes(&sim(disk), ONE), b"again");
    }
}

#[test]
fn going_on_loses_the_half_that_fails_and_no_byte() {
    for half in HALVES {
        for call in CALLS {
            let disks = disks();
            let store = tee(&disks, OnLoss::GoOn).unwrap();
            let _lock = store.lock().unwrap();
            let mut writer = store.create(ONE, 0).unwrap();
            writer.append(b"one ").unwrap();
            writer.syncer().sync().unwrap();
            let reader = store.open(ONE).unwrap();
            let broken = &disks[index(half)];
            broken.fail(FaultRule::next(call, Fault::Io));
            writer.append(b"two ").unwrap();
            writer.syncer().sync().unwrap();
            assert_eq!(store.lost(), Some(half), "{call}");

            // It works again, and is left alone all the same.
            let before = broken.operations();
            writer.append(b"three").unwrap();
            writer.syncer().sync().unwrap();
            put(&store, TWO, b"next").unwrap();
            store.trim(TWO, 2).unwrap();
            assert_eq!(broken.operations(), before, "{call} of {half}");
            // A reader from before reads on.
            let mut read = [0; 13];
            assert_eq!(reader.read_at(0, &mut read).unwrap(), 13);
            assert_eq!(&read, b"one two three", "{call} of {half}");

            let after = disks.each_ref().map(|disk| disk.power_cut(CutChoice::Nothing));
            let store = tee(&after, OnLoss::GoOn).unwrap();
            assert_eq!(store.lost(), Some(half), "{call}");
            assert_eq!(bytes(&store, ONE), b"one two three", "{call} of {half}");
        }
    }
}

#[test]
fn a_half_that_dies_is_lost_whatever_is_done_next() {
    for half in HALVES {
        for operation in 0..4 {
            let disks = disks();
            let store = tee(&disks, OnLoss::GoOn).unwrap();
            let _lock = store.lock().unwrap();
            put(&store, ONE, b"there").unwrap();
            die(&disks[index(half)]);
            match operation {
                0 => drop(store.create(TWO, 4096).unwrap()),
                1 => store.trim(ONE, 5).unwrap(),
                2 => store.remove(&[TWO]).unwrap(),
                _ => put(&store, TWO, b"more").unwrap(),
            }
            assert_eq!(store.lost(), Some(half), "operation {operation}");
            assert_eq!(bytes(&store, ONE), b"there", "operation {operation}");
        }
    }
}

#[test]
fn when_both_halves_fail_so_does_the_operation() {
    let disks = disks();
    let store = tee(&disks, OnLoss::GoOn).unwrap();
    let _lock = store.lock().unwrap();
    let mut writer = store.create(ONE, 0).unwrap();
    for disk in &disks {
        disk.fail(FaultRule::next(Call::Write, Fault::StorageFull));
    }
    assert_eq!(writer.append(b"never").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!((store.lost(), writer.end()), (None, 0));
    writer.append(b"once there is room").unwrap();
    disks.iter().for_each(die);
    assert!(writer.append(b"never").is_err());
    assert!(writer.syncer().sync().is_err());
    assert!(store.create(TWO, 0).is_err());
}

/// The half that is left could not be marked, so nothing may be acknowledged that the other lacks.
#[test]
fn a_loss_that_cannot_be_marked_fails_the_operation() {
    let disks = disks();
    let store = tee(&disks, OnLoss::GoOn).unwrap();
    let _lock = store.lock().unwrap();
    let mut writer = store.create(ONE, 0).unwrap();
    let syncer = writer.syncer();
    disks[0].fail(FaultRule::next(Call::Sync, Fault::Io));
    disks[1].fail(FaultRule::next(Call::Create, Fault::Io).forever());
    writer.append(b"bytes").unwrap();
    assert!(syncer.sync().is_err());
    assert_eq!(store.lost(), None);
}

#[test]
fn a_read_that_fails_costs_the_half_only_under_the_lock() {
    let disks = disks();
    let store = tee(&disks, OnLoss::GoOn).unwrap();
    let lock = store.lock().unwrap();
    put(&store, ONE, b"there").unwrap();
    drop(lock);
    let reader = store.open(ONE).unwrap();
    disks[0].fail(FaultRule::next(Call::Read, Fault::Io));
    assert!(reader.read_at(0, &mut [0; 5]).is_err());
    assert_eq!(store.lost(), None);

    let _lock = store.lock().unwrap();
    disks[0].fail(FaultRule::next(Call::Read, Fault::Io));
    let mut read = [0; 5];
    assert_eq!(reader.read_at(0, &mut read).unwrap(), 5);
    assert_eq!((&read, store.lost()), (b"there", Some(Half::First)));
}

/// A rebuilding that found no room for the second of what it was to keep began anew with the first once
/// there was more, and kept that twice: it never got through while there was room for less than all.
#[test]
fn what_is_kept_already_is_not_kept_again() {
    const MUCH: u64 = 100 << 10;
    let good = MemoryStore::new();
    put(&good, TWO.next(), b"good").unwrap();
    let disk = SimDisk::new(Profile::STRICT);
    let below = Arc::new(FileStore::over(Arc::new(SimFiles::new(disk))));
    {
        let _lock = below.lock().unwrap();
        for id in [ONE, TWO] {
            let mut writer = below.create(id, MUCH).unwrap();
            writer.append(&[u8::try_from(id.get()).unwrap(); 5000]).unwrap();
            writer.syncer().sync().unwrap();
        }
    }
    for _ in 0..3 {
        let full = Capped::new(Arc::clone(&below) as _, 3 * MUCH + MUCH / 2);
        let error = TeeStore::rebuild(&good, &full).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
        assert_eq!(TeeStore::kept(&*below).unwrap().len(), 1);
    }
    let room = Capped::new(Arc::clone(&below) as _, 4 * MUCH + MUCH / 2);
    TeeStore::rebuild(&good, &room).unwrap();
    let kept: Vec<_> = TeeStore::kept(&*below).unwrap().iter().map(|kept| kept.segment).collect();
    assert_eq!(kept, [ONE, TWO]);
    assert_eq!(bytes(&*below, TWO.next()), b"good");
}
