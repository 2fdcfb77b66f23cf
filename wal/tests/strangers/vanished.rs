//! A8: segments that are not there.

use std::fs;

use wal::{ErrorKind, Reader};

use super::{append, copied, files, open, path, refused};

fn segments(dir: &std::path::Path) -> Vec<String> {
    files(dir).into_keys().filter(|name| name.strip_suffix(".wal").is_some()).collect()
}

/// A8. All segments were gone, and what is left was "clean: an empty log"; the next append was LSN 1
/// again.
#[test]
fn a8_a_directory_with_a_history_and_no_segments_is_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 40, 700);
    for name in segments(dir.path()) {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    let error = open(dir.path()).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert!(error.what().contains("ANCHOR"), "it says what to do: {error:?}");
    let surveyed = Reader::open(dir.path()).unwrap().survey();
    assert_eq!(surveyed.map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
    let found = Reader::open(dir.path()).unwrap().verify(|_| ()).unwrap();
    assert_eq!(found.verdict, wal::Verdict::Corrupt);
    assert_eq!(segments(dir.path()), [] as [String; 0]);
    // On purpose, then.
    fs::remove_file(dir.path().join("ANCHOR")).unwrap();
    assert_eq!(open(dir.path()).unwrap().1.valid_records, 0);
}

/// A8. The newest segment was gone, which was "clean" too, and its LSNs were given out again.
#[test]
fn a8_a_newest_segment_that_vanished_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 40, 700);
    let newest = segments(dir.path()).len() as u64;
    let gone = copied(dir.path());
    fs::remove_file(path(gone.path(), newest)).unwrap();
    let error = refused(gone.path(), newest);
    assert!(error.what().contains("ANCHOR"), "{error:?}");
    // An older copy, whole, with the anchor that it had: nothing is wrong with that.
    let (wal, _) = open(dir.path()).unwrap();
    let older = copied(dir.path());
    wal.append(vec![1; 10]).unwrap();
    wal.close().unwrap();
    assert_eq!(open(older.path()).unwrap().1.valid_records, 40);
    // Its segments alone, put back over the newer anchor: said, and what to do.
    for name in segments(dir.path()) {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    for name in segments(older.path()) {
        fs::copy(older.path().join(&name), dir.path().join(&name)).unwrap();
    }
    assert_eq!(open(dir.path()).map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
    fs::remove_file(dir.path().join("ANCHOR")).unwrap();
    assert_eq!(open(dir.path()).unwrap().1.valid_records, 40);
}

/// What was truncated is not missed: the anchor was lowered first.
#[test]
fn a_truncated_log_is_not_called_shorter_than_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = open(dir.path()).unwrap();
    for n in 0..60_u8 {
        super::commit(&wal, &[n; 700]);
    }
    wal.truncate_after(wal::Lsn::new(5)).unwrap();
    let killed = copied(dir.path());
    wal.close().unwrap();
    for dir in [killed.path(), dir.path()] {
        assert_eq!(open(dir).unwrap().1.valid_records, 5);
    }
}
