//! [`KvStore`] over a key-value store that crashes and fails.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod sim;

use std::io::ErrorKind;
use std::sync::Arc;

use sim::{InSimKv, SimKv};
use wal_core::{SegmentId, SegmentStore};
use wal_segment::{Change, KeyShape, KvStore, OrderedKv, Persist};
use wal_testkit::{CutChoice, segment_store_laws};

segment_store_laws!(text_keys, || InSimKv::new(KeyShape::Digits20), without[stranger]);
segment_store_laws!(binary_keys, || InSimKv::new(KeyShape::BigEndian), without[stranger]);

const ONE: SegmentId = SegmentId::FIRST;
const SHAPES: [KeyShape; 2] = [KeyShape::Digits20, KeyShape::BigEndian];

fn open(kv: &SimKv, name: &str, shape: KeyShape) -> KvStore {
    KvStore::open(Arc::new(kv.clone()), name, shape).unwrap()
}

fn contents(store: &KvStore, id: SegmentId) -> Vec<u8> {
    let reader = store.open(id).unwrap();
    let mut bytes = vec![0xaa; usize::try_from(reader.size().unwrap()).unwrap()];
    assert_eq!(reader.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

/// What is in the key-value store is what the documentation says, byte for byte.
#[test]
fn an_append_is_one_value_and_the_length_another() {
    let kv = SimKv::new();
    let mut writer = open(&kv, "orders", KeyShape::Digits20).create(ONE, 1 << 20).unwrap();
    writer.append(b"paid").unwrap();
    writer.append(b"shipped").unwrap();
    let wanted: [(&[u8], &[u8]); 3] = [
        (b"orders:bytes:00000000000000000001:00000000000000000000", b"paid"),
        (b"orders:bytes:00000000000000000001:00000000000000000004", b"shipped"),
        (b"orders:segment:00000000000000000001", &[11, 0, 0, 0, 0, 0, 0, 0]),
    ];
    let found = kv.contents();
    assert!(found.iter().map(|(key, value)| (&**key, &**value)).eq(wanted), "{found:?}");
}

/// Bytes and the marker that counts them come together, whatever survives.
#[test]
fn no_crash_parts_an_append_from_its_marker() {
    for (shape, seed) in SHAPES.into_iter().flat_map(|shape| (0..64).map(move |n| (shape, n))) {
        let kv = SimKv::new();
        let mut writer = open(&kv, "log", shape).create(ONE, 0).unwrap();
        for tag in 1..=20 {
            writer.append(&[tag; 5]).unwrap();
        }
        let after = kv.crash(CutChoice::Seed(seed));
        let kept = after.contents();
        let bytes = contents(&open(&after, "log", shape), ONE);
        // The last piece that survived is the end; every piece before it is whole, or zeros.
        let pieces = kept.len() - 1;
        assert_eq!(pieces == 0, bytes.is_empty(), "{shape:?}, seed {seed}");
        let tag = bytes.last().copied().unwrap_or(0);
        assert_eq!(bytes.len(), usize::from(tag) * 5, "{shape:?}, seed {seed}");
        let whole = (1..).zip(bytes.chunks(5)).filter(|(tag, piece)| *piece == [*tag; 5]).count();
        let zeros = bytes.chunks(5).filter(|piece| *piece == [0; 5]).count();
        assert_eq!((whole, zeros), (pieces, usize::from(tag) - pieces), "{shape:?}, seed {seed}");
    }
}

#[test]
fn logs_of_several_names_and_shapes_share_a_store() {
    let kv = SimKv::new();
    let logs = [
        ("a", KeyShape::Digits20),
        ("ab", KeyShape::BigEndian),
        ("a/b", KeyShape::Digits20),
        ("a-", KeyShape::BigEndian),
    ];
    let stores = logs.map(|(name, shape)| open(&kv, name, shape));
    let locks = stores.each_ref().map(|store| store.lock().unwrap());
    for (store, (name, _)) in stores.iter().zip(logs) {
        store.create(ONE, 0).unwrap().append(name.as_bytes()).unwrap();
    }
    stores[0].remove(&[ONE]).unwrap();
    assert_eq!(stores[0].list().unwrap(), []);
    for (store, (name, _)) in stores.iter().zip(logs).skip(1) {
        assert_eq!(contents(store, ONE), name.as_bytes());
    }
    drop(locks);
}

/// Otherwise it would read as an empty log, and a new one be written beside it.
#[test]
fn a_log_does_not_open_with_keys_of_the_other_shape() {
    for (shape, other) in [(SHAPES[0], SHAPES[1]), (SHAPES[1], SHAPES[0])] {
        let kv = SimKv::new();
        open(&kv, "log", shape).create(ONE, 0).unwrap();
        let error = KvStore::open(Arc::new(kv), "log", other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{shape:?}");
    }
}

/// As with a file that was unlinked, but told.
#[test]
fn a_writer_does_not_bring_a_removed_segment_back() {
    let kv = SimKv::new();
    let store = open(&kv, "log", KeyShape::BigEndian);
    let mut writer = store.create(ONE, 0).unwrap();
    writer.append(b"gone").unwrap();
    let reader = store.open(ONE).unwrap();
    store.remove(&[ONE]).unwrap();
    assert_eq!(writer.append(b"back").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(reader.size().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.list().unwrap(), []);
    assert!(kv.contents().is_empty());
}

#[test]
fn nothing_is_left_of_what_was_removed_or_trimmed() {
    for shape in SHAPES {
        let kv = SimKv::new();
        let store = open(&kv, "log", shape);
        let mut writer = store.create(ONE, 0).unwrap();
        for tag in 1..=9 {
            writer.append(&[tag; 10]).unwrap();
        }
        drop(writer);
        store.trim(ONE, 45).unwrap();
        // The marker and five pieces, of which the last is read in half.
        assert_eq!(kv.contents().len(), 6, "{shape:?}");
        assert_eq!(contents(&store, ONE)[38..], [4, 4, 5, 5, 5, 5, 5], "{shape:?}");
        store.remove(&[ONE]).unwrap();
        assert!(kv.contents().is_empty(), "{shape:?}");
    }
}

/// Besides the law, which is about space that was prepared.
#[test]
fn a_trim_is_durable() {
    for shape in SHAPES {
        let kv = SimKv::new();
        let store = open(&kv, "log", shape);
        let mut writer = store.create(ONE, 0).unwrap();
        for tag in 1..=9 {
            writer.append(&[tag; 10]).unwrap();
        }
        writer.syncer().sync().unwrap();
        store.trim(ONE, 45).unwrap();
        let after = kv.crash(CutChoice::Nothing);
        assert_eq!(after.contents(), kv.contents(), "{shape:?}");
        assert_eq!(contents(&open(&after, "log", shape), ONE).len(), 45, "{shape:?}");
    }
}

#[test]
fn a_read_looks_at_no_piece_that_it_does_not_need() {
    for shape in SHAPES {
        let kv = SimKv::new();
        let store = open(&kv, "log", shape);
        let mut writer = store.create(ONE, 0).unwrap();
        for tag in 1..=100 {
            writer.append(&[tag; 10]).unwrap();
        }
        let reader = store.open(ONE).unwrap();
        for (offset, len, most) in [(0, 1, 2), (505, 5, 2), (999, 1, 2), (505, 20, 4)] {
            let before = kv.shown();
            assert_eq!(reader.read_at(offset, &mut vec![0; len]).unwrap(), len);
            assert!(kv.shown() - before <= most, "{shape:?}: {len} bytes at {offset}");
        }
    }
}

#[test]
fn a_marker_of_another_size_is_no_marker() {
    let kv = SimKv::new();
    let store = open(&kv, "log", KeyShape::Digits20);
    let key = b"log:segment:00000000000000000001";
    kv.apply(&[Change::Put(key, b"short")], Persist::Now).unwrap();
    assert_eq!(store.open(ONE).unwrap_err().kind(), ErrorKind::InvalidData);
}

/// Another writer's removal, between a reader's look at the marker and its look at the pieces.
struct RemovedBetween(SimKv, KeyShape);

impl std::fmt::Debug for RemovedBetween {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RemovedBetween")
    }
}

impl OrderedKv for RemovedBetween {
    fn durability(&self) -> wal_core::Durability {
        self.0.durability()
    }

    fn lock(&self, name: &str) -> std::io::Result<Box<dyn wal_core::StoreLock>> {
        self.0.lock(name)
    }

    fn get(&self, key: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
        let value = self.0.get(key);
        open(&self.0, "log", self.1).remove(&[ONE]).unwrap();
        value
    }

    fn scan(
        &self,
        range: std::ops::Range<&[u8]>,
        order: wal_segment::Order,
        visit: &mut wal_segment::Visit<'_>,
    ) -> std::io::Result<()> {
        self.0.scan(range, order, visit)
    }

    fn apply(&self, batch: &[Change<'_>], persist: Persist) -> std::io::Result<()> {
        self.0.apply(batch, persist)
    }

    fn sync(&self) -> std::io::Result<()> {
        self.0.sync()
    }
}

/// The marker was read, the segment removed, and the read said Ok with zeros: a record of zeros for a
/// reader of a log, or damage.
#[test]
fn a_segment_removed_meanwhile_is_not_found_and_never_zeros() {
    for shape in SHAPES {
        let kv = SimKv::new();
        let put = || {
            let mut writer = open(&kv, "log", shape).create(ONE, 0).unwrap();
            writer.append(b"there").unwrap();
        };
        put();
        let beside = Arc::new(RemovedBetween(kv.clone(), shape));
        let reader = KvStore::open(beside, "log", shape).unwrap().open(ONE).unwrap();
        put();
        let error = reader.read_at(0, &mut [0xaa; 5]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{shape:?}");
    }
}
