//! Readers of a log that is damaged and has a writer: what is before the damage is read, whatever the writer
//! prunes and cuts meanwhile.

use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use tempfile::TempDir;
use wal::parts::segment::FileStore;
use wal::{Cursor, Error, ErrorKind, Lsn, Reader, SegmentId, Wal};

use crate::hooked::{Hooked, Step};

pub(crate) fn texts(cursor: Cursor) -> Vec<String> {
    cursor.map(|entry| String::from_utf8(entry.unwrap().payload.to_vec()).unwrap()).collect()
}

/// A log of 60 records in segments of 16 KiB, its writer, and the record of its second segment in which a
/// byte is wrong. An open does not read that far, and so a log that is damaged has a writer.
fn damaged() -> (TempDir, Wal, u64) {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).segment_size(16 << 10).open().unwrap();
    for _ in 0..60 {
        append_next(&wal);
    }
    let name = dir.path().join("00000000000000000002.wal");
    let bytes = fs::read(&name).unwrap();
    let at = |lsn| {
        let text = text(lsn);
        bytes.windows(text.len()).position(|window| window == text.as_bytes())
    };
    let lsn = (1..60).find(|&lsn| at(lsn).is_some()).unwrap() + 5;
    let file = fs::File::options().write(true).open(name).unwrap();
    file.write_all_at(b"X", at(lsn).unwrap() as u64).unwrap();
    (dir, wal, lsn)
}

fn text(lsn: u64) -> String {
    format!("record {lsn:>4} {}", "r".repeat(700))
}

fn append_next(wal: &Wal) {
    wal.append_durable(text(wal.last_lsn().get() + 1)).unwrap();
}

fn newest(wal: &Wal) -> SegmentId {
    wal.current_segment().unwrap().0
}

fn rotate(wal: &Wal) {
    let before = newest(wal);
    while newest(wal) == before {
        append_next(wal);
    }
}

/// Reads to the end, or to an error: each record the one that was appended, none left out; the LSN behind
/// the last one.
fn read_on(cursor: &mut Cursor, mut next: u64, what: &str) -> (u64, Option<Error>) {
    for entry in cursor {
        match entry {
            Ok(entry) => {
                assert_eq!(entry.lsn.get(), next, "{what}");
                assert!(entry.payload == text(next).as_bytes(), "{what}: LSN {next}");
                next += 1;
            }
            Err(error) => return (next, Some(error)),
        }
    }
    (next, None)
}

/// Replay of a damaged log from outside, while its writer goes on and prunes the damage away: all before
/// the damage and then its place, whatever comes behind it; and once it is pruned, the whole log.
#[test]
fn replay_of_a_damaged_log_beside_its_writer() {
    for before in [0, 5, 10] {
        let (dir, wal, damage) = damaged();
        assert!(damage > before + 1, "{damage}");
        let reader = Reader::open(dir.path()).unwrap();
        let by_prefix = || {
            let chain = reader.prefix().unwrap().unwrap();
            reader.read_chain(&chain, Lsn::FIRST).unwrap()
        };
        let cursors = || {
            let own = wal.read_from(Lsn::FIRST).unwrap();
            [by_prefix(), reader.read_from(Lsn::FIRST).unwrap(), own]
        };
        let (beside, pruned) = (cursors(), cursors());
        let [beside, pruned] = [beside, pruned].map(|cursors| {
            cursors.map(|mut cursor| {
                let given = cursor.by_ref().take(usize::try_from(before).unwrap());
                assert_eq!(given.flatten().count() as u64, before);
                cursor
            })
        });
        rotate(&wal);
        rotate(&wal);
        for (at, mut cursor) in beside.into_iter().chain(cursors()).enumerate() {
            let what = format!("{before}, cursor {at}");
            let next = if at < 3 { before + 1 } else { 1 };
            let (next, error) = read_on(&mut cursor, next, &what);
            let error = error.unwrap_or_else(|| panic!("{what}: an end without an error"));
            assert_eq!((next, error.kind()), (damage, ErrorKind::Corrupt), "{what}: {error:?}");
            assert_eq!(error.at_segment(), Some(SegmentId::new(2)), "{what}: {error:?}");
        }
        let found = reader.verify(|_| ()).unwrap();
        assert_eq!(found.findings[0].segment, Some(SegmentId::new(2)), "{:?}", found.findings);

        let first = wal.delete_segments_before(SegmentId::new(3)).unwrap();
        for (at, mut cursor) in pruned.into_iter().enumerate() {
            let what = format!("{before}, pruned, cursor {at}");
            let (next, error) = read_on(&mut cursor, before + 1, &what);
            let error = error.unwrap_or_else(|| panic!("{what}: an end without an error"));
            let told = [ErrorKind::NotFound, ErrorKind::Changed, ErrorKind::Corrupt];
            assert!(next <= damage && told.contains(&error.kind()), "{what}: {next}, {error:?}");
        }
        rotate(&wal);
        let chain = reader.prefix().unwrap().unwrap();
        assert_eq!(chain.start.lsn, first);
        let mut whole = reader.read_chain(&chain, first).unwrap();
        let (next, error) = read_on(&mut whole, first.get(), "without the damage");
        assert_eq!((next, error.map(|error| error.kind())), (wal.last_lsn().get() + 1, None));
    }
}

/// The same beside a truncation that cuts the damage off: nothing that was overruled is read behind what is
/// in force, and a reader that comes later sees none of it.
#[test]
fn replay_of_a_damaged_log_beside_a_truncation() {
    for before in [0, 5, 8] {
        let (dir, wal, _) = damaged();
        let reader = Reader::open(dir.path()).unwrap();
        let chain = reader.prefix().unwrap().unwrap();
        let mut cursor = reader.read_chain(&chain, Lsn::FIRST).unwrap();
        let given = cursor.by_ref().take(usize::try_from(before).unwrap());
        assert_eq!(given.flatten().count() as u64, before);
        wal.truncate_after(Lsn::new(8)).unwrap();
        wal.append_batch(vec!["in force"; 10]).unwrap();
        wal.sync().unwrap();
        let what = format!("{before} before the cut");
        let (mut next, mut overruled) = (before + 1, true);
        for entry in cursor {
            match entry {
                Ok(entry) => {
                    let lsn = entry.lsn.get();
                    assert_eq!(lsn, next, "{what}");
                    // What it had read before the cut it gives, and none of that behind what is in force.
                    overruled &= entry.payload == text(lsn).as_bytes();
                    let in_force = lsn > 8 && entry.payload == b"in force"[..];
                    assert!(overruled || in_force, "{what}: {entry:?}");
                    next += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Changed, "{what}: {error:?}");
                    break;
                }
            }
        }
        let chain = reader.prefix().unwrap().unwrap();
        let read = texts(reader.read_chain(&chain, Lsn::FIRST).unwrap());
        let expected: Vec<_> = (1..=8).map(text).chain(vec!["in force".to_owned(); 10]).collect();
        assert!(read == expected, "{what}");
    }
}

/// A writer rotates and prunes after a reader has listed the segments, and before it reads their headers:
/// the first ones looked lost, the damage seemed to be at the very beginning, and of a log with twenty
/// sound records before its damage nothing was replayed.
#[test]
fn prefix_of_a_damaged_log_beside_a_prune() {
    for prunes in [1, 3] {
        let (dir, wal, damage) = damaged();
        let (writer, left) = (wal.clone(), AtomicU64::new(prunes));
        let below = FileStore::open_read_only(dir.path()).unwrap();
        let store = Hooked::new(below, move |step| {
            if step == Step::Listed && left.load(SeqCst) > 0 {
                left.fetch_sub(1, SeqCst);
                rotate(&writer);
                writer.delete_segments_before(SegmentId::new(2)).unwrap();
            }
            Ok(())
        });
        let reader = Reader::with_store(store);
        let chain = reader.prefix().unwrap().expect("there are records before the damage");
        assert_eq!(chain.start.segment, SegmentId::new(2), "{prunes}");
        let mut cursor = reader.read_chain(&chain, chain.start.lsn).unwrap();
        let (next, error) = read_on(&mut cursor, wal.first_lsn().get(), "prefix");
        let error = error.unwrap();
        assert_eq!((next, error.kind()), (damage, ErrorKind::Corrupt), "{error:?}");
    }
}
