//! B2: what a write without room leaves, and what becomes of that.

use std::sync::Arc;

use wal::parts::segment::{FileStore, Writing};
use wal::{Config, Lsn, Preparation, Strategy, Wal};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk, SimFiles};

use super::{commit, over};

/// A write of many frames found no room for all of them, and the ones that had got there looked like
/// records that may have been acknowledged: they were in doubt, and took more room than there was.
#[test]
fn b2_frames_of_a_write_that_had_no_room_are_not_in_doubt() {
    for records in 1..40 {
        let disk = SimDisk::new(Profile::STRICT);
        let files = Arc::new(SimFiles::new(disk.clone()));
        let store = Arc::new(FileStore::over(files).preparation(Preparation::None));
        let mut config = Config::default();
        config.segment_size = 1 << 20;
        config.frame_size = 1500;
        let (wal, _) = Wal::with_store(store).config(config).open().unwrap();
        commit(&wal, &[1; 700]);
        disk.set_room(Some(20 << 10));
        while let Ok(lsn) = wal.append([7; 700]) {
            if lsn.get() % records == 0 && wal.wait_for_lsn(lsn).wait().is_err() {
                break;
            }
        }
        let last = wal.durable_lsn();
        let disk = disk.kill();
        drop(wal);
        disk.set_room(Some(0));
        let (_, recovery) = over(&disk).open().unwrap_or_else(|error| {
            panic!("{records} records at a time, {last} durable: {error:?}")
        });
        assert_eq!(recovery.last_lsn, last, "{records} records at a time");
    }
}

/// As above, where space was prepared in steps: a write found room in what was prepared, and none behind
/// it, and its first frames stayed where they were, in doubt.
#[test]
fn b2_frames_in_prepared_space_of_a_write_that_had_no_room_are_not_in_doubt() {
    for room in [20, 24, 36, 44] {
        for records in 1..40 {
            let disk = SimDisk::new(Profile::STRICT);
            let files = Arc::new(SimFiles::new(disk.clone()));
            let store = FileStore::over(files).preparation(Preparation::Chunks(16 << 10));
            let mut config = Config::default();
            config.segment_size = 1 << 20;
            config.frame_size = 1500;
            let (wal, _) = Wal::with_store(Arc::new(store)).config(config).open().unwrap();
            commit(&wal, &[1; 700]);
            disk.set_room(Some(room << 10));
            while let Ok(lsn) = wal.append([7; 700]) {
                if lsn.get() % records == 0 && wal.wait_for_lsn(lsn).wait().is_err() {
                    break;
                }
            }
            let last = wal.durable_lsn();
            let disk = disk.kill();
            drop(wal);
            disk.set_room(Some(0));
            let place = format!("{room} KiB, {records} records at a time, {last} durable");
            let (_, recovery) =
                over(&disk).open().unwrap_or_else(|error| panic!("{place}: {error:?}"));
            assert_eq!(recovery.last_lsn, last, "{place}");
        }
    }
}

/// What a write without room had left behind the end was not cleared where writes go past the page cache.
/// It was in doubt there, too; and the frame of a new start, which has room, came in front of what was left
/// of it: a sound record in its place, of an LSN that is not the next, was damage, and a log of which
/// nothing was lost did not open any more.
#[test]
fn b2_nothing_is_left_of_a_direct_write_that_had_no_room() {
    for preparation in [Preparation::None, Preparation::Chunks(16 << 10)] {
        for (len, batch, pruned) in (1..9)
            .flat_map(|batch| [(974, batch), (1998, batch), (700, batch)])
            .flat_map(|(len, batch)| [(len, batch, false), (len, batch, true)])
        {
            let disk = SimDisk::new(Profile::STRICT);
            let files = Arc::new(SimFiles::new(disk.clone()));
            let store = FileStore::over(files).preparation(preparation).writing(Writing::Direct);
            let mut config = Config::default();
            config.segment_size = 64 << 10;
            config.frame_size = 1500;
            let (wal, _) = Wal::with_store(Arc::new(store)).config(config).open().unwrap();
            while wal.current_segment().is_none_or(|(id, end)| id.get() < 2 || end < 20_000) {
                commit(&wal, &vec![1; len]);
            }
            disk.set_room(Some(10 << 10));
            while let Ok(lsn) = wal.append(vec![7; len]) {
                if lsn.get() % batch == 0 && wal.wait_for_lsn(lsn).wait().is_err() {
                    break;
                }
            }
            let last = wal.durable_lsn();
            if pruned {
                let second = wal.current_segment().unwrap().0;
                wal.delete_segments_before(second).unwrap();
                assert!(wal.first_lsn() > Lsn::FIRST);
            }
            let first = wal.first_lsn();
            let disk = disk.kill();
            drop(wal);
            let place = format!("{preparation:?}, {batch} of {len} bytes, pruned {pruned}");
            for choice in disk.extremes() {
                let disk = disk.power_cut(choice);
                // What a prune has made room for may have been written behind it.
                disk.set_room((!pruned).then_some(0));
                let opened = over(&disk).open();
                let (wal, recovery) =
                    opened.unwrap_or_else(|error| panic!("{place}, {choice}: {error:?}"));
                assert_eq!(wal.first_lsn(), first, "{place}, {choice}");
                let found = recovery.last_lsn;
                assert!(found == last || pruned && found > last, "{place}, {choice}: {found}");
            }
        }
    }
}

/// How a log comes to its end.
#[derive(Clone, Copy, Debug)]
enum Ends {
    /// Killed once it was told that there is no room.
    Told,
    /// Killed after so many operations of its disk.
    After(u64),
    /// The first, and after so many syncs so many say that there is no room.
    Unsynced(u64, u64),
}

/// A log whose writes find no room, and what was durable of it.
fn refused(preparation: Preparation, writing: Writing, ends: Ends) -> (SimDisk, Lsn) {
    let disk = SimDisk::new(Profile::STRICT);
    let files = Arc::new(SimFiles::new(disk.clone()));
    let store = FileStore::over(files).preparation(preparation).writing(writing);
    let mut config = Config::default();
    config.segment_size = 1 << 20;
    config.frame_size = 1500;
    config.strategy = Strategy::Sync;
    let (wal, _) = Wal::with_store(Arc::new(store)).config(config).open().unwrap();
    commit(&wal, &[1; 700]);
    disk.set_room(Some(20 << 10));
    match ends {
        Ends::Told => {}
        Ends::After(operations) => disk.crash_at(disk.operations() + operations),
        Ends::Unsynced(passing, failing) => {
            let rule = FaultRule::next(Call::Sync, Fault::StorageFull);
            disk.fail(rule.after(passing).times(failing));
        }
    }
    while wal.append_batch([[7; 700]; 4]).is_ok() {}
    let last = wal.durable_lsn();
    (disk.kill(), last)
}

/// What was left of a refused write was blanked in the cache, and the power took the blanks: the refused
/// records were there again.
#[test]
fn b2_what_a_write_without_room_left_is_gone_durably() {
    for preparation in [Preparation::None, Preparation::Chunks(16 << 10)] {
        for writing in [Writing::Buffered, Writing::Synced, Writing::Direct] {
            let (disk, last) = refused(preparation, writing, Ends::Told);
            for choice in disk.extremes().into_iter().chain((0..40).map(CutChoice::Seed)) {
                let (_, recovery) = over(&disk.power_cut(choice)).open().unwrap();
                assert_eq!(recovery.last_lsn, last, "{preparation:?}, {writing:?}, {choice}");
            }
        }
    }
}

/// The process dies anywhere on that way, also between the blanks and their sync, or these syncs fail: what
/// the next opening shows is what a power cut behind it leaves.
#[test]
fn b2_what_an_opening_shows_behind_a_write_without_room_stays() {
    let failing = (0..12).flat_map(|passing| [(passing, 1), (passing, 2), (passing, 9)]);
    let unsynced = failing.map(|(passing, failing)| Ends::Unsynced(passing, failing));
    let ends: Vec<_> = (0..60).map(Ends::After).chain(unsynced).collect();
    for preparation in [Preparation::None, Preparation::Chunks(16 << 10)] {
        for writing in [Writing::Buffered, Writing::Synced, Writing::Direct] {
            for &ends in &ends {
                let (disk, _) = refused(preparation, writing, ends);
                disk.set_room(None);
                disk.heal();
                let (wal, shown) = over(&disk).open().unwrap();
                let left = disk.kill();
                drop(wal);
                for choice in left.extremes().into_iter().chain((0..8).map(CutChoice::Seed)) {
                    let (_, after) = over(&left.power_cut(choice)).open().unwrap();
                    let place = format!("{preparation:?}, {writing:?}, {ends:?}, {choice}");
                    assert_eq!(after.last_lsn, shown.last_lsn, "{place}");
                }
            }
        }
    }
}
