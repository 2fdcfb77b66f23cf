//! The stores around a store change nothing but what they are there for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use wal_core::{SegmentId, SegmentStore};
use wal_testkit::{
    Counting, History, OnDisk, Profile, SimDisk, SimStore, Throttled, Traced, segment_store_laws,
};

fn below(disk: SimDisk) -> Arc<dyn SegmentStore> {
    Arc::new(SimStore::new(disk))
}

segment_store_laws!(counting, || OnDisk::new(Profile::STRICT, |disk| {
    Ok::<_, io::Error>(Counting::new(below(disk)))
}));

segment_store_laws!(throttled, || OnDisk::new(Profile::STRICT, |disk| {
    Ok::<_, io::Error>(Throttled::new(below(disk), Duration::ZERO))
}));

segment_store_laws!(traced, || OnDisk::new(Profile::STRICT, |disk| {
    Ok::<_, io::Error>(Traced::new(below(disk), History::new()))
}));

#[test]
fn a_counting_store_counts_every_call_that_changes_something() {
    let counting = Counting::new(below(SimDisk::new(Profile::STRICT)));
    let store: Box<dyn SegmentStore> = Box::new(counting.clone());
    let mut writer = store.create(SegmentId::FIRST, 0).unwrap();
    for _ in 0..100 {
        writer.append(b"record").unwrap();
    }
    writer.syncer().sync().unwrap();
    store.trim(SegmentId::FIRST, 300).unwrap();
    store.remove(&[SegmentId::FIRST, SegmentId::new(2)]).unwrap();
    let counts = counting.counts();
    assert_eq!((counts.creates, counts.appends, counts.bytes), (1, 100, 600));
    assert_eq!((counts.syncs, counts.trims, counts.removes), (1, 1, 2));
}

#[test]
fn a_counting_store_counts_every_look() {
    let counting = Counting::new(below(SimDisk::new(Profile::STRICT)));
    counting.create(SegmentId::FIRST, 0).unwrap().append(b"record").unwrap();
    let reader = counting.open(SegmentId::FIRST).unwrap();
    let mut buffer = [0; 4];
    assert_eq!(reader.read_at(0, &mut buffer).unwrap(), 4);
    assert_eq!(reader.read_at(4, &mut buffer).unwrap(), 2);
    counting.open(SegmentId::new(2)).unwrap_err();
    counting.list().unwrap();
    let counts = counting.counts();
    assert_eq!((counts.lists, counts.opens, counts.reads, counts.read_bytes), (1, 2, 2, 6));
}

#[test]
fn a_traced_store_writes_down_calls_and_failures() {
    let history = History::new();
    let store = Traced::new(below(SimDisk::new(Profile::STRICT)), history.clone());
    store.create(SegmentId::FIRST, 10).unwrap().append(b"ab").unwrap();
    assert!(store.open(SegmentId::new(2)).is_err());
    let told = [
        "create 1 for 10 bytes",
        "append 2 bytes to 1 at 0",
        "open 2 -> no file 00000000000000000002.seg",
    ];
    assert_eq!(history.lines(), told);
}

/// A failed create gives back what it took, whichever of its steps failed.
#[test]
fn a_failed_create_leaves_nothing_behind() {
    use wal_testkit::{Call, Fault, FaultRule};
    for call in [Call::Create, Call::Allocate, Call::Sync, Call::SyncDir] {
        let disk = SimDisk::new(Profile::STRICT);
        let store = SimStore::new(disk.clone());
        disk.fail(FaultRule::next(call, Fault::StorageFull));
        let error = store.create(SegmentId::FIRST, 100).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{call}");
        assert_eq!(store.list().unwrap(), [], "{call}");
        store.create(SegmentId::FIRST, 100).unwrap();
    }
}
