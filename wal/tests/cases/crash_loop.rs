//! B7: a crash loop eats the disk.

use std::path::Path;

use wal::{Config, Lsn, Preparation, Wal};

use crate::place::{bytes, dies};

const SEGMENT: u64 = 256 << 10;

fn open(dir: &Path, preparation: Preparation) -> Wal {
    let mut config = Config::default();
    config.segment_size = SEGMENT;
    config.max_size = Some(4 * SEGMENT);
    config.preparation = Some(preparation);
    Wal::builder(dir).config(config).open().unwrap().0
}

/// The process dies, is started again and dies before its first append, and so on. Each time a whole
/// segment stayed prepared for ever; with `max_size` the log then refused to write with four records
/// in it.
#[test]
fn b7_a_crash_loop_does_not_grow() {
    for preparation in [Preparation::Whole, Preparation::ZeroFill, Preparation::None] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("log");
        for round in 1..=12 {
            let wal = open(&dir, preparation);
            wal.append_durable("a record").unwrap();
            dies(wal, &dir);
            let wal = open(&dir, preparation);
            assert_eq!(wal.last_lsn(), Lsn::new(round));
            dies(wal, &dir);
            // What its records take, a few blocks each, and what is prepared for the next ones.
            let (bytes, most) = (bytes(&dir), 3 * SEGMENT + round * (16 << 10));
            assert!(bytes <= most, "{preparation:?}, round {round}: {bytes} bytes");
        }
    }
}
