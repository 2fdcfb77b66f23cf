//! F3, F4: what has a segment's name and is none of the log's.

use std::fs;

use wal::parts::core::format::{HEADER_LEN, SegmentHeader};
use wal::{Lsn, SegmentId, Wal};

use super::{append, file_name, files, open, path, refused};

/// Two logs: `a` with three records in segment 1, `b` with its last two segments of some.
fn two_logs() -> (tempfile::TempDir, tempfile::TempDir, Vec<u64>) {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    append(a.path(), 3, 20);
    append(b.path(), 99, 999);
    let (wal, _) = open(b.path()).unwrap();
    let segments = wal.list_segments().unwrap();
    wal.delete_segments_before(segments[segments.len() - 2].id).unwrap();
    wal.close().unwrap();
    let ids = |name: &String| name.strip_suffix(".wal").map(|digits| digits.parse().unwrap());
    let ids = files(b.path()).keys().filter_map(ids).collect();
    (a, b, ids)
}

/// F3. A log's directory got another log's segments beside its own: those counted as the log, its own
/// as dead, `verify` said "clean", and the next open deleted them. No header had been read.
#[test]
fn f3_segments_of_another_log_are_named_and_left() {
    let (a, b, ids) = two_logs();
    for &id in &ids {
        fs::copy(path(b.path(), id), path(a.path(), id)).unwrap();
    }
    refused(a.path(), *ids.last().unwrap());
    // Without the anchor the other log's are the newest, and the log's own is what is strange.
    fs::remove_file(a.path().join("ANCHOR")).unwrap();
    refused(a.path(), 1);
    // Whatever is taken away, the rest is a log.
    for &id in &ids {
        fs::remove_file(path(a.path(), id)).unwrap();
    }
    let (wal, recovery) = open(a.path()).unwrap();
    assert_eq!(recovery.valid_records, 3);
    wal.close().unwrap();
}

/// F3, below the log's beginning: a backup put back into a directory that was not emptied.
#[test]
fn f3_a_segment_of_another_log_below_the_first_is_left() {
    let (a, b, _) = two_logs();
    fs::copy(path(a.path(), 1), path(b.path(), 1)).unwrap();
    let error = refused(b.path(), 1);
    assert!(error.what().contains("belongs to log"), "{error:?}");
}

/// F4. An emptied newest segment was "the beginning of one that a crash interrupted; nothing is lost
/// with it", and deleted by the next open. A file gets that name with its header in it, and durable.
#[test]
fn f4_a_newest_segment_without_a_header_is_damage_and_left() {
    let whole = tempfile::tempdir().unwrap();
    append(whole.path(), 3, 20);
    append(whole.path(), 3, 20);
    let second = fs::read(path(whole.path(), 2)).unwrap();
    let cases: [(&str, Vec<u8>); 5] = [
        ("empty", Vec::new()),
        ("zeros", vec![0; second.len()]),
        ("short", second[..100].to_vec()),
        ("text", b"a note to myself\n".to_vec()),
        ("another number", fs::read(path(whole.path(), 1)).unwrap()),
    ];
    for (case, bytes) in cases {
        for anchor in [true, false] {
            let log = super::copied(whole.path());
            fs::write(path(log.path(), 2), &bytes).unwrap();
            if !anchor {
                fs::remove_file(log.path().join("ANCHOR")).unwrap();
            }
            let error = refused(log.path(), 2);
            assert!(!error.what().contains("nothing is lost"), "{case}: {error:?}");
        }
    }
}

/// The same with all but the last of many segments there: the last was emptied, wherever the rest is.
#[test]
fn f4_strange_things_above_and_below_are_all_named() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 60, 700);
    let newest = Wal::builder(dir.path()).open().unwrap().0.list_segments().unwrap().len() as u64;
    for id in [newest + 1, newest + 7] {
        fs::write(path(dir.path(), id), b"x").unwrap();
    }
    refused(dir.path(), newest + 7);
    let found = wal::Reader::open(dir.path()).unwrap().verify(|_| ()).unwrap();
    for id in [newest + 1, newest + 7] {
        let one = |finding: &&wal::parts::replay::Finding| {
            finding.segment.map(SegmentId::get) == Some(id)
        };
        assert_eq!(found.findings.iter().filter(one).count(), 1, "one verdict a file");
    }
}

/// A directory, and a link that leads nowhere, under a segment's name.
#[cfg(unix)]
#[test]
fn f5_what_is_no_file_is_named_and_left() {
    for directory in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        append(dir.path(), 3, 20);
        let strange = path(dir.path(), 2);
        if directory {
            fs::create_dir(&strange).unwrap();
        } else {
            std::os::unix::fs::symlink("../nowhere", &strange).unwrap();
        }
        refused(dir.path(), 2);
        assert!(strange.symlink_metadata().is_ok(), "{}", file_name(2));
    }
}

/// F12. A log whose header begins at 2^64 - 4 took six records and acknowledged four of them; the
/// numbers stood still at their end, and its segment was corrupt.
#[test]
fn f12_a_log_at_the_end_of_the_lsns_is_refused_before_it_takes_a_record() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 1, 20);
    fs::remove_file(dir.path().join("ANCHOR")).unwrap();
    let mut bytes = fs::read(path(dir.path(), 1)).unwrap();
    let mut header = SegmentHeader::decode(&bytes).unwrap();
    header.first_lsn = Lsn::new(u64::MAX - 3);
    header.start.lsn = header.first_lsn;
    bytes.truncate(HEADER_LEN);
    bytes[..HEADER_LEN].copy_from_slice(&header.encode());
    fs::write(path(dir.path(), 1), bytes).unwrap();
    refused(dir.path(), 1);
}
