//! Readers beside the writer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use wal_core::SegmentStore;
use wal_segment::{FileStore, Preparation, Reading};

use crate::{Chance, ONE, directory, ways};

/// Lengths of records, the smallest first.
const RECORDS: [usize; 10] =
    [1, 2, 100, 4095, 4096, 4097, 65_536, 1_000_003, (4 << 20) + 1, 16 << 20];

/// The byte at this place of the segment.
fn byte(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56).to_le_bytes()[0]
}

fn bytes(from: u64, len: usize) -> Vec<u8> {
    (from..).take(len).map(byte).collect()
}

/// Three threads read records of 1 B to 16 MiB while they are written, each record through a reader
/// that is opened for it and through one that has been open from the start.
#[test]
fn records_of_any_size_are_read_beside_the_writer() {
    for way in ways() {
        for preparation in [Preparation::None, Preparation::ZeroFill] {
            read_beside(way, preparation);
        }
    }
}

fn read_beside(way: Reading, preparation: Preparation) {
    let dir = directory();
    let store = FileStore::open(&dir).unwrap().preparation(preparation).reading(way);
    let _lock = store.lock().unwrap();
    let mut writer = store.create(ONE, 1 << 20).unwrap();
    writer.syncer().sync().unwrap();
    // Ends and lengths of what may be read: the end is enough, the lengths are known.
    let written = AtomicU64::new(0);
    let rounds = 2;
    thread::scope(|scope| {
        for seed in 0..3 {
            let (store, written) = (&store, &written);
            scope.spawn(move || {
                let mut chance = Chance(seed);
                let opened_early = store.open(ONE).unwrap();
                let (mut start, mut buffer) = (0, vec![0; 16 << 20]);
                for len in RECORDS.repeat(rounds) {
                    while written.load(Ordering::Acquire) < start + len as u64 {
                        thread::yield_now();
                    }
                    let opened_late = store.open(ONE).unwrap();
                    for reader in [&opened_early, &opened_late] {
                        let read = reader.read_at(start, &mut buffer[..len]).unwrap();
                        let what = format!("{way:?} {preparation:?} {len} at {start}");
                        assert_eq!(read, len, "{what}");
                        assert!(buffer[..len] == bytes(start, len), "{what}");
                        let before = chance.below(start + 1);
                        assert_eq!(reader.read_at(before, &mut buffer[..1]).unwrap(), 1, "{what}");
                        assert_eq!(buffer[0], byte(before), "{what}: {before}, seed {seed}");
                    }
                    start += len as u64;
                }
            });
        }
        for len in RECORDS.repeat(rounds) {
            let end = writer.end();
            writer.append(&bytes(end, len)).unwrap();
            written.store(writer.end(), Ordering::Release);
        }
    });
}
