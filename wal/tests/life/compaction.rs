//! The latest records only.

use std::collections::BTreeMap;
use std::sync::Arc;

use wal::parts::core::SegmentStore;
use wal::parts::segment::MemoryStore;
use wal::{Entry, ErrorKind, Key, Lsn, Reader, Strategy, Wal};

use crate::fixture::{Meddling, fill, frames, lsn, open};

/// A record of this test: what it is, `+`, `-`, `.` or `x`, a key of one byte, a value.
fn key(entry: &Entry) -> Key {
    let key = entry.payload[1..2].to_vec();
    match entry.payload[0] {
        b'+' => Key::Of(key),
        b'-' => Key::Deleted(key),
        b'.' => Key::Keep,
        _ => Key::Drop,
    }
}

/// What a compaction of these records keeps, by the plainest means.
fn model(records: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut kept = BTreeMap::new();
    for (number, record) in records.iter().enumerate() {
        if matches!(record[0], b'+' | b'-') {
            kept.retain(|_, other: &mut &Vec<u8>| other[0] != b'+' || other[1] != record[1]);
        }
        if matches!(record[0], b'+' | b'.') {
            kept.insert(number, record);
        }
    }
    kept.into_values().cloned().collect()
}

fn payloads(wal: &Wal) -> Vec<Vec<u8>> {
    let entries = wal.read_from(wal.first_lsn()).unwrap();
    entries.map(|entry| entry.unwrap().payload.to_vec()).collect()
}

/// A generator of no quality, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn it_keeps_what_a_map_would() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let keys = 1 + dice.below(20);
        let memory = Arc::new(MemoryStore::new());
        let wal = open(Arc::clone(&memory) as Arc<dyn SegmentStore>);
        let mut records = Vec::new();
        for _ in 0..dice.below(120) {
            let batch: Vec<_> = (0..=dice.below(4))
                .map(|_| {
                    let kind = b"+++++-..x"[usize::try_from(dice.below(9)).unwrap()];
                    let key = b'a' + u8::try_from(dice.below(keys)).unwrap();
                    let mut record = vec![kind, key];
                    record.resize(2 + usize::try_from(dice.below(800)).unwrap(), b'v');
                    record
                })
                .collect();
            wal.append_batch(&batch).unwrap();
            records.extend(batch);
        }
        let mut first = Lsn::FIRST;
        if dice.below(2) == 0 && !records.is_empty() {
            first = wal.prune_before(Lsn::new(1 + dice.below(records.len() as u64))).unwrap();
            records.drain(..usize::try_from(first.get() - 1).unwrap());
        }
        let expected = model(&records);
        let target = Arc::new(MemoryStore::new());
        let done = wal.compact_to(target.clone(), key).unwrap();
        assert_eq!(done.records, records.len() as u64, "seed {seed}");
        assert_eq!(done.kept, expected.len() as u64, "seed {seed}");
        assert_eq!(done.records, done.kept + done.superseded + done.dropped, "seed {seed}");
        let gone = records.iter().filter(|record| matches!(record[0], b'-' | b'x')).count();
        assert_eq!(done.dropped, gone as u64, "seed {seed}");
        assert_eq!((done.source_first_lsn, done.source_last_lsn), (first, wal.last_lsn()));
        let copy = open(Arc::clone(&target) as Arc<dyn SegmentStore>);
        assert_eq!(payloads(&copy), expected, "seed {seed}");
        assert_eq!((copy.first_lsn(), copy.last_lsn()), (Lsn::FIRST, Lsn::new(done.kept)));
        // Compacted again, nothing changes.
        let again = copy.compact_to(Arc::new(MemoryStore::new()), key).unwrap();
        assert_eq!((again.kept, again.records), (done.kept, done.kept), "seed {seed}");

        wal.close().unwrap();
        let target = Arc::new(MemoryStore::new());
        Reader::with_store(memory).compact_to(target.clone(), key).unwrap();
        assert_eq!(payloads(&open(target)), expected, "seed {seed}, as it lies there");
    }
}

#[test]
fn records_appended_meanwhile_are_not_in_it() {
    let wal = open(Arc::new(MemoryStore::new()));
    wal.append("+a1").unwrap();
    wal.append("+b1").unwrap();
    let other = wal.clone();
    // Between the two readings.
    let target = Meddling::new(move || {
        other.append("+a2").unwrap();
        fill(&other, 100);
        assert_eq!(other.prune_before(lsn(50)).unwrap(), lsn(1));
        assert_eq!(other.space().unwrap().holds[0].name, "compaction");
    });
    let done = wal.compact_to(target.clone(), key).unwrap();
    assert_eq!((done.kept, done.source_last_lsn), (2, lsn(2)));
    assert_eq!(payloads(&open(target)), [b"+a1", b"+b1"]);
}

#[test]
fn a_key_that_changes_its_mind_leaves_nothing_to_open() {
    for answers in [[Key::Drop, Key::Keep], [Key::Keep, Key::Drop]] {
        let wal = open(Arc::new(MemoryStore::new()));
        wal.append(".always").unwrap();
        wal.append("once").unwrap();
        let mut asked = 0;
        let target = Arc::new(MemoryStore::new());
        let refused = wal.compact_to(target.clone(), |entry| {
            if entry.payload[0] == b'.' {
                return Key::Keep;
            }
            asked += 1;
            answers[asked - 1].clone()
        });
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
        let left = Wal::with_store(target).open().unwrap_err();
        assert_eq!(left.kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn what_is_kept_of_a_batch_stays_one() {
    let memory = Arc::new(MemoryStore::new());
    let builder = Wal::with_store(memory).strategy(Strategy::Os);
    let (wal, _) = builder.open().unwrap();
    wal.append_batch(["+a1", "+b1", "+c1"]).unwrap();
    wal.append("+b2").unwrap();
    let target = Arc::new(MemoryStore::new()) as Arc<dyn SegmentStore>;
    wal.compact_to(Arc::clone(&target), key).unwrap();
    let counts: Vec<_> = frames(&target).iter().map(|&(first, count, ..)| (first, count)).collect();
    assert_eq!(counts, [(lsn(1), 2), (lsn(3), 1)]);
}
