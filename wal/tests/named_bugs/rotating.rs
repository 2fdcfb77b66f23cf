//! New segments, old segments, and what is between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wal::parts::core::{Env, SegmentStore};
use wal::{Lsn, Strategy, Wal};
use wal_testkit::{CutChoice, SimDisk, SimStore};

use super::{StillEnv, commit_numbered, cuts, disk, files, open, record, recovered, try_open};

/// A new segment's file was synced and its directory entry was not: the file was gone.
/// Kafka KAFKA-3968; `WiredTiger` WT-2008; sled c9a11a3.
#[test]
fn new_segment_dirent_is_synced() {
    let disk = disk();
    let wal = open(&disk);
    for n in 1..=120 {
        commit_numbered(&wal, n..=n);
        assert_eq!(recovered(&disk.power_cut(CutChoice::Nothing)), n);
    }
    assert!(files(&disk).list().unwrap().len() >= 3, "nothing rotated");
}

/// A prepared file was renamed into place without a sync of the directory; in 292 of 300 real power
/// cuts on ext4 acknowledged records went with the name. etcd bd7107b.
#[test]
fn recycled_rename_is_dir_synced() {
    let disk = disk();
    let store = files(&disk);
    let id = wal::SegmentId::FIRST;
    let _lock = store.lock().unwrap();
    let mut writer = store.create(id, 8192).unwrap();
    writer.append(b"acknowledged").unwrap();
    writer.syncer().sync().unwrap();
    for (choice, after) in cuts(&disk) {
        let mut bytes = [0; 12];
        files(&after).open(id).unwrap().read_at(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"acknowledged", "{choice}");
        let names = after.list().unwrap();
        assert!(names.iter().all(|name| !name.starts_with("spare-")), "{choice}: {names:?}");
    }
}

/// The pointer to a new manifest was durable before the manifest. Pebble 79b311b; `ClickHouse`
/// Keeper #111339. Here the one pointer is a header's word on its predecessor.
#[test]
fn manifest_durable_before_pointer() {
    at_every_operation_of_a_rotation();
}

/// The next segment was there and the one before ended in garbage: a hole in the middle.
/// Pebble 9af7bb1.
#[test]
fn previous_segment_closed_before_next_linked() {
    at_every_operation_of_a_rotation();
}

/// Whenever the power goes while segments end and begin, every segment that a header names is there
/// and whole, and nothing acknowledged is lost.
fn at_every_operation_of_a_rotation() {
    let prepared = disk();
    let wal = open(&prepared);
    let mut next = 1;
    while wal.current_segment().unwrap_or_default().1 < 11_500 {
        commit_numbered(&wal, next..=next);
        next += 1;
    }
    let prepared = prepared.kill();
    drop(wal);
    let mut operation = 0;
    loop {
        let disk = prepared.kill();
        let wal = try_open(&disk, Strategy::Sync).unwrap();
        disk.crash_at(disk.operations() + operation);
        let mut acknowledged = next - 1;
        let died = (next..next + 40).any(|n| {
            let result = wal.append(record(n));
            acknowledged += u64::from(result.is_ok());
            result.is_err()
        });
        for (choice, after) in cuts(&disk) {
            let left = recovered(&after);
            assert!(left >= acknowledged, "operation {operation}, {choice}: {left}");
        }
        drop(wal);
        if !died {
            break;
        }
        // Every operation of the first commits, then fewer of the same.
        operation += if operation < 30 { 1 } else { 7 };
    }
    assert!(operation > 40, "nothing rotated");
}

/// A crash while a segment was being made left a header that did not read, and the log did not
/// open. `ZooKeeper` ZOOKEEPER-1621; redb 88881b8.
///
/// In a store whose segments are there before they are whole, that is. A file has its name from its
/// first sync on, with the header in it, and without it is damage.
#[test]
fn torn_header_of_new_segment() {
    let plain = |disk: &SimDisk| {
        let store = Arc::new(SimStore::new(disk.clone()));
        let builder = Wal::with_store(store).segment_size(16 * 1024);
        builder.env(Arc::new(StillEnv::default())).open().unwrap().0
    };
    let disk = disk();
    let wal = plain(&disk);
    commit_numbered(&wal, 1..=5);
    wal.close().unwrap();
    drop(wal);
    let sound = {
        let file = disk.open("00000000000000000001.seg").unwrap();
        let mut bytes = vec![0; 4096];
        file.read_at(0, &mut bytes).unwrap();
        bytes
    };
    for len in (0..4096).step_by(129) {
        let disk = disk.kill();
        let torn = disk.create_new("00000000000000000002.seg").unwrap();
        torn.allocate(0, 16 * 1024).unwrap();
        torn.write_all_at(0, &sound[..len]).unwrap();
        let wal = plain(&disk);
        assert_eq!(wal.last_lsn().get(), 5, "{len}");
        commit_numbered(&wal, 6..=7);
        wal.close().unwrap();
        drop(wal);
        assert_eq!(plain(&disk).last_lsn().get(), 7, "{len}");
    }
}

/// A second crash, in the middle of the recovery from the first, met a log that the recovery had
/// half changed. `RocksDB`, "two consecutive crashes"; Neon d06bf4b, b0286e3.
#[test]
fn second_crash_during_recovery() {
    let disk = disk();
    let wal = open(&disk);
    commit_numbered(&wal, 1..=20);
    let crashed = disk.power_cut(CutChoice::Everything);
    drop(wal);
    for operation in 0.. {
        let disk = crashed.kill();
        disk.crash_at(disk.operations() + operation);
        let died = try_open(&disk, Strategy::GroupCommit).is_err();
        for (choice, after) in cuts(&disk) {
            assert_eq!(recovered(&after), 20, "operation {operation}, {choice}");
        }
        if !died {
            assert!(operation >= 5, "a recovery of {operation} operations is none");
            break;
        }
    }
}

/// Two checkpoints at once reset the log under each other. `SQLite` 3.7.0 to 3.51.2, fixed in 2026.
#[test]
fn reset_races_second_checkpoint() {
    let disk = disk();
    let wal = open(&disk);
    commit_numbered(&wal, 1..=150);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let wal = &wal;
            scope.spawn(move || {
                for step in 0..10 {
                    wal.prune_before(Lsn::new(10 * step + thread)).unwrap();
                }
            });
        }
        commit_numbered(&wal, 151..=200);
    });
    let begins = wal.first_lsn();
    assert!(begins > Lsn::FIRST && begins <= Lsn::new(93));
    drop(wal);
    assert_eq!(recovered(&disk), 200);
    assert_eq!(open(&disk).first_lsn(), begins);
}

/// What a checkpoint had covered was deleted before the checkpoint was durable.
/// `VelesDB` #898; rostam #93.
#[test]
fn checkpoint_then_truncate_order() {
    let prepared = disk();
    let wal = open(&prepared);
    commit_numbered(&wal, 1..=100);
    wal.close().unwrap();
    for operation in 0.. {
        let disk = prepared.kill();
        let wal = try_open(&disk, Strategy::Sync).unwrap();
        disk.crash_at(disk.operations() + operation);
        let died = wal.prune_before(Lsn::new(80)).is_err();
        for (choice, after) in cuts(&disk) {
            assert_eq!(recovered(&after), 100, "operation {operation}, {choice}");
        }
        drop(wal);
        if !died {
            assert!(operation >= 5, "a prune of {operation} operations is none");
            break;
        }
    }
}

/// Segments were deleted by age, and the clock had gone backwards. `RocksDB`, `WAL_ttl`.
#[test]
fn clock_backwards_does_not_delete_segments() {
    #[derive(Debug)]
    struct Backwards(AtomicU64);
    impl Env for Backwards {
        fn now(&self) -> u64 {
            self.0.fetch_sub(1 << 40, Ordering::Relaxed)
        }
        fn random(&self) -> u64 {
            self.0.load(Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        }

        fn process(&self) -> u32 {
            0
        }
    }
    let disk = disk();
    let env = Arc::new(Backwards(AtomicU64::new(u64::MAX / 2)));
    let open =
        || Wal::with_store(files(&disk)).segment_size(16 * 1024).env(env.clone()).open().unwrap().0;
    let wal = open();
    commit_numbered(&wal, 1..=100);
    wal.close().unwrap();
    let wal = open();
    commit_numbered(&wal, 101..=150);
    wal.close().unwrap();
    drop(wal);
    assert_eq!(recovered(&disk), 150);
}
