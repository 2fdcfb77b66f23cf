//! B2: what a write without room leaves, and what becomes of that.

use std::sync::Arc;

use wal::parts::segment::{FileStore, Writing};
use wal::{Config, Lsn, Preparation, Strategy, Wal};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk, SimFiles};

use super::{commit, over};

/// Appends records of so many bytes, and waits for each that is a multiple of `each`, until there is no
/// room for one.
fn append_until_refused(wal: &Wal, len: usize, each: u64) {
    while let Ok(lsn) = wal.append(vec![7; len]) {
        if lsn.get() % each == 0 && wal.wait_for_lsn(lsn).wait().is_err() {
            break;
        }
    }
}

/// A log in small frames, in the store over this disk.
fn small_frames(disk: &SimDisk, segment_size: u64, store: impl Fn(FileStore) -> FileStore) -> Wal {
    let files = Arc::new(SimFiles::new(disk.clone()));
    let mut config = Config::default();
    (config.segment_size, config.frame_size) = (segment_size, 1500);
    let store = Arc::new(store(FileStore::over(files)));
    Wal::with_store(store).config(config).open().unwrap().0
}

/// Writes find this much room, in KiB, and the process dies; then there is none for the next opening.
fn opens_behind_refused_writes(preparation: Preparation, room: u64) {
    for records in 1..40 {
        let disk = SimDisk::new(Profile::STRICT);
        let wal = small_frames(&disk, 1 << 20, |store| store.preparation(preparation));
        commit(&wal, &[1; 700]);
        disk.set_room(Some(room << 10));
        append_until_refused(&wal, 700, records);
        let last = wal.durable_lsn();
        let disk = disk.kill();
        drop(wal);
        disk.set_room(Some(0));
        let place = format!("{room} KiB, {records} records at a time, {last} durable");
        let (_, recovery) = over(&disk).open().unwrap_or_else(|error| panic!("{place}: {error:?}"));
        assert_eq!(recovery.last_lsn, last, "{place}");
    }
}

/// A write of many frames found no room for all of them, and the ones that had got there looked like
/// records that may have been acknowledged: they were in doubt, and took more room than there was.
#[test]
fn b2_frames_of_a_write_that_had_no_room_are_not_in_doubt() {
    opens_behind_refused_writes(Preparation::None, 20);
}

/// As above, where space was prepared in steps: a write found room in what was prepared, and none behind
/// it, and its first frames stayed where they were, in doubt.
#[test]
fn b2_frames_in_prepared_space_of_a_write_that_had_no_room_are_not_in_doubt() {
    for room in [20, 24, 36, 44] {
        opens_behind_refused_writes(Preparation::Chunks(16 << 10), room);
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
            let wal = small_frames(&disk, 64 << 10, |store| {
                store.preparation(preparation).writing(Writing::Direct)
            });
            while wal.current_segment().is_none_or(|(id, end)| id.get() < 2 || end < 20_000) {
                commit(&wal, &vec![1; len]);
            }
            disk.set_room(Some(10 << 10));
            append_until_refused(&wal, len, batch);
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
