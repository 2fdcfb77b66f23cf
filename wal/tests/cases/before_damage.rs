//! What is before a segment that is lost can be read.

use std::fs;
use std::path::Path;

use wal::{Lsn, Reader, SegmentId, Wal};

type Lose = fn(&Path);

/// A rotation leaves the space behind a seal where it is little, so most sealed segments do not end with
/// their seal. Such a segment was not taken to be whole, and of a log whose fourth segment was missing not
/// a record was read.
#[test]
fn b3_a_lost_segment_hides_none_before_it() {
    let losses: [(&str, Lose); 3] = [
        ("missing", |path| fs::remove_file(path).unwrap()),
        ("emptied", |path| fs::write(path, []).unwrap()),
        ("blanked", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[..4096].fill(0);
            fs::write(path, bytes).unwrap();
        }),
    ];
    for len in [100, 900, 2900, 5000, 7000] {
        for (how, lose) in losses {
            let dir = tempfile::tempdir().unwrap();
            let (wal, _) = Wal::builder(dir.path()).segment_size(64 << 10).open().unwrap();
            while wal.current_segment_id() < Some(SegmentId::new(6)) {
                wal.append_batch(vec![vec![b'r'; len]; 3]).unwrap();
                wal.sync().unwrap();
            }
            let segments = wal.list_segments().unwrap();
            let first = segments.iter().find(|it| it.id == SegmentId::new(4)).unwrap().first_lsn;
            wal.close().unwrap();
            lose(&dir.path().join("00000000000000000004.wal"));

            let reader = Reader::open(dir.path()).unwrap();
            let chain = reader.prefix().unwrap();
            let chain = chain.unwrap_or_else(|| panic!("{how}, {len}: nothing before the damage"));
            let read = reader.read_chain(&chain, Lsn::FIRST).unwrap();
            let read = read.take_while(Result::is_ok).count() as u64;
            assert_eq!(read, first.get() - 1, "{how}, {len}");
        }
    }
}
