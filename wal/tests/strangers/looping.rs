//! B7: a crash loop.

use std::sync::Arc;

use wal::{Config, Lsn};

use super::{SEGMENT, commit, disk, over, taken};

/// B7. A process died, its successor died before it appended anything, and so on: each round kept a
/// whole prepared segment for ever, 128 MiB of it, and with `max_size` the log refused to write with
/// four records in it. A segment that a former life left is given back as soon as another follows it.
#[test]
fn b7_a_crash_loop_takes_what_its_records_take() {
    for cap in [None, Some(8 * SEGMENT)] {
        let mut config = Config::default();
        config.segment_size = SEGMENT;
        config.max_size = cap;
        let mut disk = disk();
        let mut records = 0;
        for round in 0..100_u64 {
            let (wal, recovery) = over(&disk).config(config.clone()).open().unwrap();
            assert_eq!(recovery.last_lsn, Lsn::new(records), "round {round}");
            // With and without one, in every order.
            if round % 3 != 1 && (cap.is_none() || round % 5 == 0) {
                commit(&wal, b"a record");
                records += 1;
            }
            disk = disk.kill();
            drop(wal);
            let bound = (records + 2) * 2 * 8192 + 2 * SEGMENT;
            assert!(taken(&disk) <= bound, "round {round}: {} bytes", taken(&disk));
            if cap.is_some() && round % 20 == 19 {
                let (wal, _) = over(&disk).config(config.clone()).open().unwrap();
                wal.prune_before(wal.last_lsn()).unwrap();
                wal.close().unwrap();
            }
        }
        assert!(records > 10);
    }
}

/// The loop as it was found: a record, a kill, an open, a kill.
#[test]
fn b7_a_successor_that_dies_at_once_leaves_nothing_large() {
    let env = || Arc::new(super::StillEnv::default());
    let mut disk = disk();
    for round in 0..20_u64 {
        let (wal, _) = over(&disk).segment_size(1 << 20).env(env()).open().unwrap();
        commit(&wal, b"a record");
        disk = disk.kill();
        drop(wal);
        let (wal, _) = over(&disk).segment_size(1 << 20).env(env()).open().unwrap();
        disk = disk.kill();
        drop(wal);
        assert!(taken(&disk) <= (2 << 20) + round * 3 * 8192, "round {round}: {}", taken(&disk));
    }
}
