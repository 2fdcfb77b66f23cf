//! A whole log in each way of reading.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::thread;

use wal::{Config, Lsn, Reader, Reading, Verdict, Wal, Writing};

fn payload(lsn: u64) -> Vec<u8> {
    let len = match lsn % 100 {
        0 => 300_000,
        rest => usize::try_from(rest * 7).unwrap(),
    };
    vec![lsn.to_le_bytes()[0]; len]
}

fn check(entries: impl Iterator<Item = wal::Result<wal::Entry>>, first: u64) -> u64 {
    let mut next = first;
    for entry in entries {
        let entry = entry.unwrap();
        assert_eq!(entry.lsn.get(), next);
        assert!(entry.payload == payload(next), "record {next}");
        next += 1;
    }
    next
}

/// Written, read beside the writer, closed, recovered and verified; in segments that are many, and
/// smaller than some of their records.
#[test]
fn a_log_is_the_same_in_every_way_of_reading() {
    for reading in [Reading::Buffered, Reading::Mapped, Reading::Direct] {
        if !reading.is_known() {
            continue;
        }
        for writing in [Writing::Buffered, Writing::Direct] {
            let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let mut config = Config::default();
            config.segment_size = 128 * 1024;
            (config.reading, config.writing) = (reading, Some(writing));
            let (wal, _) = Wal::builder(dir.path()).config(config.clone()).open().unwrap();
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        let mut next = 1;
                        while next <= 1000 {
                            next = check(wal.read_from(Lsn::new(next)).unwrap(), next);
                            thread::yield_now();
                        }
                    });
                }
                for lsn in 1..=1000 {
                    wal.append(payload(lsn)).unwrap();
                    if lsn % 50 == 0 {
                        wal.sync().unwrap();
                    }
                }
            });
            wal.close().unwrap();
            let (wal, recovered) = Wal::builder(dir.path()).config(config).open().unwrap();
            assert_eq!(recovered.last_lsn, Lsn::new(1000), "{reading:?} {writing:?}");
            assert_eq!(check(wal.read_from(Lsn::FIRST).unwrap(), 1), 1001);
            wal.close().unwrap();
            let reader = Reader::open_with(dir.path(), reading).unwrap();
            assert_eq!(check(reader.read_from(Lsn::new(500)).unwrap(), 500), 1001);
            let found = reader.verify(|_| {}).unwrap();
            assert_eq!((found.verdict, found.last_lsn), (Verdict::Clean, Lsn::new(1000)));
            assert!(found.segments.len() > 3);
        }
    }
}
