//! One large batch, pruned long ago.

use std::fs;
use std::path::Path;

use wal::{Config, Lsn, Recycling, Wal};

use crate::place::dies;

const SEGMENT: u64 = 64 << 10;

fn open(dir: &Path) -> Wal {
    let mut config = Config::default();
    config.segment_size = SEGMENT;
    config.max_size = Some(8 << 20);
    config.recycling = Some(Recycling::Keep(4));
    Wal::builder(dir).config(config).open().unwrap().0
}

/// Its file was kept, and went on as a small segment's for ever: a segment of 64 KiB that took 3 MiB,
/// which counted as 64 KiB against `max_size` in that life and as 3 MiB after reopening.
#[test]
fn oversize() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("log");
    for life in 0..3 {
        let wal = open(&dir);
        for n in 0..60 {
            let last = if life == 0 && n == 10 {
                let lsns = wal.append_batch(vec![vec![7_u8; 48 << 10]; 64]).unwrap();
                wal.wait_for_lsn(*lsns.last().unwrap()).wait().unwrap();
                *lsns.last().unwrap()
            } else {
                wal.append_durable(vec![7; 20_000]).unwrap()
            };
            if n % 5 == 4 {
                wal.prune_before(Lsn::new(last.get().saturating_sub(5).max(1))).unwrap();
            }
        }
        let longest =
            fs::read_dir(&dir).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
        let longest = longest.max().unwrap();
        assert!(longest <= SEGMENT * 5 / 4, "life {life}: a file has {longest} bytes");
        let says = wal.space().unwrap();
        dies(wal, &dir);
        let wal = open(&dir);
        let again = wal.space().unwrap();
        assert!(
            again.bytes <= says.bytes + 2 * SEGMENT,
            "life {life}: {says}; opened anew: {again}"
        );
        dies(wal, &dir);
    }
}
