//! What is before a segment that is lost can be read, and nothing that the segment has overruled.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use wal::{ErrorKind, Lsn, Reader, SegmentId, Wal};

use crate::damaged_readers::texts;

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

/// A truncation overruled records 6 to 10, and the header of the segment that says so is damaged. What is
/// before the damage was taken to be all of the segment before, and printed what had been overruled.
#[test]
fn replay_brings_back() {
    for offset in [100, 300, 4092] {
        let dir = tempfile::tempdir().unwrap();
        let (wal, _) = Wal::builder(dir.path()).open().unwrap();
        for n in 1..=10 {
            wal.append_durable(format!("overruled {n}")).unwrap();
        }
        wal.truncate_after(Lsn::new(5)).unwrap();
        for n in 6..=10 {
            wal.append_durable(format!("in force {n}")).unwrap();
        }
        wal.close().unwrap();
        let newest = dir.path().join("00000000000000000002.wal");
        fs::File::options().write(true).open(newest).unwrap().write_at(&[1], offset).unwrap();

        let reader = Reader::open(dir.path()).unwrap();
        assert_eq!(reader.survey().unwrap_err().kind(), ErrorKind::Corrupt);
        let chain = reader.prefix().unwrap().unwrap();
        let expected: Vec<_> = (1..=5).map(|n| format!("overruled {n}")).collect();
        assert_eq!(texts(reader.read_chain(&chain, Lsn::FIRST).unwrap()), expected, "{offset}");
    }
}

/// The same where nothing of the newest segment can be read, or it is gone: the anchor says through which
/// record the one before counts. Without an anchor nothing proves that any of it does.
#[test]
fn replay_brings_back_nothing_of_a_segment_that_is_gone() {
    for (anchor, expected) in [(true, 5), (false, 0)] {
        let dir = tempfile::tempdir().unwrap();
        let (wal, _) = Wal::builder(dir.path()).open().unwrap();
        for n in 1..=10 {
            wal.append_durable(format!("record {n}")).unwrap();
        }
        wal.truncate_after(Lsn::new(5)).unwrap();
        wal.append_durable("in force").unwrap();
        wal.close().unwrap();
        let newest = dir.path().join("00000000000000000002.wal");
        fs::File::options().write(true).open(newest).unwrap().write_at(&[0; 4096], 0).unwrap();
        if !anchor {
            fs::remove_file(dir.path().join("ANCHOR")).unwrap();
        }
        let reader = Reader::open(dir.path()).unwrap();
        let read = match reader.prefix().unwrap() {
            Some(chain) => texts(reader.read_chain(&chain, Lsn::FIRST).unwrap()),
            None => Vec::new(),
        };
        assert_eq!(read.len(), expected, "{read:?}");
    }
}

/// A recovery passes over the newest segment of a killed log where all of it is in doubt, and its own segment
/// follows the one before: a number is missing in between. With the header of the recovery's segment damaged
/// that number was waited for, and nothing before the damage was printed. Found by re-running the handed cases.
#[test]
fn a_number_that_a_recovery_passed_over_hides_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Wal::builder(dir.path()).segment_size(64 << 10).open().unwrap().0;
    let fill = |wal: &Wal, segments: u64| {
        let first = wal.current_segment_id().unwrap_or_default().get();
        while wal.current_segment_id().unwrap_or_default().get() < first + segments {
            wal.append_durable([b'r'; 3000]).unwrap();
        }
    };
    let wal = open();
    fill(&wal, 4);
    wal.close().unwrap();
    let sealed = wal.list_segments().unwrap().last().unwrap().id;
    // Killed with one record in the newest segment, which no later one vouches for.
    let wal = open();
    let left = wal.append_durable(b"in doubt").unwrap();
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    drop(wal);
    let (wal, recovery) = Wal::builder(copy.path()).segment_size(64 << 10).open().unwrap();
    assert_eq!((recovery.last_lsn, recovery.records_carried), (left, 1));
    let own = recovery.fresh_segment.unwrap();
    assert!(own.get() > sealed.get() + 1, "{own} follows {sealed}");
    fill(&wal, 3);
    wal.close().unwrap();

    let path = copy.path().join(format!("{:020}.wal", own.get()));
    fs::File::options().write(true).open(path).unwrap().write_at(&[1], 100).unwrap();
    let reader = Reader::open(copy.path()).unwrap();
    let chain = reader.prefix().unwrap().expect("what is before the damage");
    let read = reader.read_chain(&chain, Lsn::FIRST).unwrap().take_while(Result::is_ok).count();
    assert_eq!(read as u64, left.get() - 1);
}
