//! Zeros that are written ahead of a segment's end, beside the appends of another.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;

use wal::parts::core::{SegmentId, SegmentStore};
use wal::parts::segment::{Ahead, FileStore, Preparation};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk, SimFiles};

const ONE: SegmentId = SegmentId::FIRST;
const SIZE: u64 = 64 * 1024;

/// The sync that fails is that of the zeros, and what it drops are the appended bytes: the next sync
/// of the segment finds nothing to write, and must not say that they are safe.
#[test]
fn a_failed_sync_of_zeros_is_one_of_the_segment() {
    for fault in [Fault::Dropped, Fault::Io] {
        let disk = SimDisk::new(Profile::STRICT);
        let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())))
            .preparation(Preparation::ZerosAhead(4096))
            .ahead(Ahead::Caller);
        let _lock = store.lock().unwrap();
        let mut writer = store.create(ONE, SIZE).unwrap();
        let syncer = writer.syncer();
        syncer.sync().unwrap();
        writer.append(&[7; 4096]).unwrap();
        disk.fail(FaultRule::next(Call::Sync, fault));
        store.prepare_next().ok();
        let acknowledged = writer.append(&[8; 100]).and_then(|()| syncer.sync());
        if acknowledged.is_ok() {
            let disk = disk.power_cut(CutChoice::Nothing);
            let left = FileStore::over(Arc::new(SimFiles::new(disk)));
            let mut bytes = [0; 4096];
            left.open(ONE).unwrap().read_at(0, &mut bytes).unwrap();
            assert!(bytes == [7; 4096], "{fault:?}: acknowledged, and lost");
        }
    }
}
