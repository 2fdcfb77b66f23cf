//! The ways of reading a segment: all give the same bytes, beside a writer too, and each asks of the
//! system what it promises to.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod asked;
mod beside;
mod medium;

use std::fs;

use tempfile::TempDir;
use wal_core::{SegmentId, SegmentReader, SegmentStore};
use wal_segment::{FileStore, Reading};

const ONE: SegmentId = SegmentId::FIRST;

/// Every way that this build has.
fn ways() -> Vec<Reading> {
    let mut ways = vec![Reading::Buffered, Reading::Direct, Reading::Mapped];
    ways.retain(|way| way.is_known());
    ways
}

/// A directory on a disk: a file system in memory may not know direct reads.
fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Numbers that look like chance, and are the same for the same seed (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn reader(dir: &TempDir, way: Reading) -> Box<dyn SegmentReader> {
    FileStore::open_read_only(dir).unwrap().reading(way).open(ONE).unwrap()
}

/// Any offset, any length, and a file of any length: what is read is what the file holds.
#[test]
fn random_reads_give_what_the_file_holds() {
    for seed in 0..6 {
        let mut chance = Chance(seed);
        let dir = directory();
        let len = match seed {
            0 => 0,
            1 => 1,
            2 => 3 * 4096,
            _ => chance.below(3 << 20),
        };
        let bytes: Vec<u8> = (0..len).map(|_| chance.below(256).to_le_bytes()[0]).collect();
        fs::write(dir.path().join("00000000000000000001.wal"), &bytes).unwrap();
        for way in ways() {
            let reader = reader(&dir, way);
            assert_eq!(reader.size().unwrap(), len);
            for _ in 0..400 {
                let most = [1, 100, 10_000, 4 << 20][usize::try_from(chance.below(4)).unwrap()];
                let (offset, wanted) = (chance.below(len + 5000), chance.below(most + 1));
                let mut buffer = vec![0xee; usize::try_from(wanted).unwrap()];
                let read = reader.read_at(offset, &mut buffer).unwrap();
                let from = usize::try_from(offset.min(len)).unwrap();
                let end = usize::try_from((offset + wanted).min(len)).unwrap().max(from);
                let what = format!("seed {seed}, {way:?}: {wanted} at {offset} of {len}");
                assert_eq!(read, end - from, "{what}");
                assert!(buffer[..read] == bytes[from..end], "{what}");
                assert!(buffer[read..].iter().all(|byte| *byte == 0xee), "{what}: behind the end");
            }
            for offset in [u64::MAX, u64::MAX - 4095, 1 << 63, len, len + (1 << 40)] {
                assert_eq!(reader.read_at(offset, &mut [0; 100]).unwrap(), 0, "{way:?} {offset}");
            }
        }
    }
}

#[test]
fn a_segment_that_is_cut_off_ends_for_its_readers_in_every_way() {
    for way in ways() {
        let dir = directory();
        let path = dir.path().join("00000000000000000001.wal");
        fs::write(&path, vec![7; 40_000]).unwrap();
        let reader = reader(&dir, way);
        let mut buffer = vec![0; 40_000];
        assert_eq!(reader.read_at(0, &mut buffer).unwrap(), 40_000, "{way:?}");
        fs::File::options().write(true).open(&path).unwrap().set_len(8192).unwrap();
        assert_eq!(reader.read_at(4096, &mut buffer).unwrap(), 4096, "{way:?}");
        assert_eq!(reader.read_at(20_000, &mut buffer).unwrap(), 0, "{way:?}");
        assert_eq!(reader.size().unwrap(), 8192, "{way:?}");
    }
}
