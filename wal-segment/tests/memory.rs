//! What [`MemoryStore`] does beyond the contract of the seam.

use std::io::ErrorKind;

use wal_core::{SegmentId, SegmentStore};
use wal_segment::MemoryStore;

const ONE: SegmentId = SegmentId::FIRST;

#[test]
fn a_full_store_refuses_and_goes_on_once_there_is_room() {
    let store = MemoryStore::with_capacity_limit(100);
    let mut writer = store.create(ONE, 60).unwrap();
    assert_eq!(store.create(ONE.next(), 41).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(store.list().unwrap(), [ONE]);

    writer.append(&[1; 100]).unwrap();
    assert_eq!(writer.append(&[2]).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(writer.end(), 100);
    assert_eq!(store.bytes(), 100);

    store.trim(ONE, 90).unwrap();
    store.create(ONE.next(), 10).unwrap();
    store.remove(&[ONE.next()]).unwrap();
    assert_eq!(store.bytes(), 90);
}

/// As with files: unlinking what somebody has open frees nothing yet.
#[test]
fn a_removed_segment_counts_until_its_last_handle_is_dropped() {
    let store = MemoryStore::with_capacity_limit(100);
    drop(store.create(ONE, 100).unwrap());
    let reader = store.open(ONE).unwrap();
    store.remove(&[ONE]).unwrap();
    assert_eq!(store.create(ONE, 1).unwrap_err().kind(), ErrorKind::StorageFull);
    drop(reader);
    store.create(ONE, 100).unwrap();
}

#[test]
fn a_size_beyond_all_memory_is_refused_not_tried() {
    for store in [MemoryStore::new(), MemoryStore::with_capacity_limit(1 << 20)] {
        for size in [u64::MAX, 1 << 62] {
            assert_eq!(store.create(ONE, size).unwrap_err().kind(), ErrorKind::StorageFull);
        }
        assert_eq!((store.list().unwrap(), store.bytes()), (vec![], 0));
    }
}
