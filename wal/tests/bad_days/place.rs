//! The directory is moved, removed or replaced under an open log.

use std::fs;
use std::path::Path;

use wal::{ErrorKind, Wal};

use crate::policy::Policy;
use crate::records::{check, commit, goes_on, recovers};

/// Commits until the next segment finds its place gone; the last record acknowledged.
fn until_gone(wal: &Wal, log: &Path, context: &str) -> u64 {
    let error = (0..200).find_map(|_| commit(wal).err()).unwrap();
    // Another directory in its place is another writer's.
    let expected = if log.exists() { ErrorKind::Fenced } else { ErrorKind::Poisoned };
    assert_eq!(error.kind(), expected, "{context}: {error:?}");
    assert!(error.report().contains(log.to_str().unwrap()), "{context}: {}", error.report());
    let acknowledged = wal.durable_lsn().get();
    let again = commit(wal).unwrap_err().kind();
    assert!([expected, ErrorKind::Poisoned].contains(&again), "{context}: {again:?}");
    assert_eq!(wal.durable_lsn().get(), acknowledged, "{context}");
    acknowledged
}

/// It is the same directory still: the log goes on in it, and nothing is made anywhere else.
#[test]
fn a_moved_directory_has_all_that_was_acknowledged() {
    for policy in Policy::ALL {
        let context = format!("{policy:?}");
        let root = tempfile::tempdir().unwrap();
        let (log, moved) = (root.path().join("log"), root.path().join("moved"));
        let wal = policy.open(&log).unwrap();
        for _ in 0..20 {
            commit(&wal).unwrap();
        }
        fs::rename(&log, &moved).unwrap();
        for _ in 0..60 {
            commit(&wal).unwrap();
        }
        let acknowledged = wal.durable_lsn().get();
        assert_eq!(acknowledged, 80, "{context}");
        assert!(!log.exists(), "{context}: a log that is used does not make its place anew");
        drop(wal);
        recovers(&moved, policy, acknowledged, &context);
        fs::rename(&moved, &log).unwrap();
        recovers(&log, policy, acknowledged, &context);
    }
}

/// Another log is made where the first one was: neither gets a segment of the other, and none is
/// removed from it.
#[test]
fn a_log_in_the_place_of_a_moved_one_is_left_alone() {
    for policy in Policy::ALL {
        let context = format!("{policy:?}");
        let root = tempfile::tempdir().unwrap();
        let (log, moved) = (root.path().join("log"), root.path().join("moved"));
        let wal = policy.open(&log).unwrap();
        for _ in 0..30 {
            commit(&wal).unwrap();
        }
        fs::rename(&log, &moved).unwrap();
        crate::records::written(&log, policy, 30);
        let other = names(&log);
        wal.prune_before(wal.durable_lsn()).unwrap_err();
        assert_eq!(names(&log), other, "{context}: pruned in another log");
        let acknowledged = until_gone(&wal, &log, &context);
        drop(wal);
        assert_eq!(names(&log), other, "{context}");
        recovers(&log, policy, 30, &context);
        recovers(&moved, policy, acknowledged, &context);
    }
}

fn names(log: &Path) -> Vec<String> {
    let names = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// Whoever removes a log removes it: an open segment takes records until it ends, as any file that
/// has no name any more. The next segment says so, makes nothing anew, and what is opened there
/// afterwards is an empty log.
#[test]
fn a_removed_directory_is_told_by_the_next_segment() {
    for policy in Policy::ALL {
        let context = format!("{policy:?}");
        let root = tempfile::tempdir().unwrap();
        let log = root.path().join("log");
        let wal = policy.open(&log).unwrap();
        for _ in 0..20 {
            commit(&wal).unwrap();
        }
        // The thread that prepares the next segment may make it just then.
        while fs::remove_dir_all(&log).is_err() {}
        wal.read_from(wal.first_lsn())
            .and_then(|mut entries| entries.find_map(Result::err).map_or(Ok(()), Err))
            .unwrap_err();
        until_gone(&wal, &log, &context);
        wal.close().unwrap_err();
        drop(wal);
        assert!(!log.exists(), "{context}");
        let wal = policy.open(&log).unwrap();
        assert_eq!(check(&wal, 0, &context), 0, "{context}");
        goes_on(wal, &log, &context);
    }
}
