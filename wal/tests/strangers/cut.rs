//! A1: a file that was cut from outside.

use std::fs;

use super::{commit, copied, open, path, refused};

/// A1. The last segment of a killed writer, cut to 700,001 bytes by hand, passed for a torn tail that
/// "no sync had covered", and its LSNs were given out again: 7,367 acknowledged records were gone. The
/// header says how much space was durable before the segment was there, and no crash takes that away.
#[test]
fn a1_a_newest_segment_that_was_cut_from_outside_is_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = open(dir.path()).unwrap();
    for n in 0..40_u8 {
        commit(&wal, &[n; 100]);
    }
    let killed = copied(dir.path());
    wal.close().unwrap();
    let whole = fs::read(path(killed.path(), 1)).unwrap();
    for len in [4096, 5000, 8001, whole.len() - 1] {
        let cut = copied(killed.path());
        fs::write(path(cut.path(), 1), &whole[..len]).unwrap();
        let error = refused(cut.path(), 1);
        assert!(error.what().contains("shorter than its writer left it"), "{len}: {error:?}");
    }
    let (wal, recovery) = open(killed.path()).unwrap();
    assert_eq!(recovery.valid_records, 40);
    wal.close().unwrap();
}

/// What was trimmed has a seal, and is as it should be.
#[test]
fn a_closed_log_is_shorter_than_it_was_made_and_sound() {
    let dir = tempfile::tempdir().unwrap();
    super::append(dir.path(), 3, 20);
    assert!(fs::metadata(path(dir.path(), 1)).unwrap().len() < super::SEGMENT);
    assert_eq!(open(dir.path()).unwrap().1.valid_records, 3);
}
