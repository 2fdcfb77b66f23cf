//! B1: the lock is the log's, not a name's.

use std::fs;

use wal::{ErrorKind, Lsn, Wal};

/// LOCK was removed, or another file put in its place, under a live writer: a second one got in, both
/// acknowledged, and what the first had acknowledged was gone.
#[test]
fn b1_removing_lock_lets_no_second_writer_in() {
    for replaced in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let open = || Wal::builder(dir.path()).open();
        let (first, _) = open().unwrap();
        for _ in 0..3 {
            first.append_durable("A").unwrap();
        }
        fs::remove_file(dir.path().join("LOCK")).unwrap();
        if replaced {
            fs::write(dir.path().join("LOCK"), "somebody else's").unwrap();
        }
        let refused = open().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Locked, "replaced: {replaced}: {refused:?}");
        for _ in 0..3 {
            first.append_durable("A").unwrap();
        }
        first.close().unwrap();
        drop(first);
        let (again, recovery) = open().unwrap();
        assert_eq!(recovery.last_lsn, Lsn::new(6), "replaced: {replaced}");
        again.append_durable("B").unwrap();
        again.close().unwrap();
    }
}
