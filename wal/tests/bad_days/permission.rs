//! Permissions that are lost while the log is open. The superuser may write anywhere, and so as such
//! the test gives up its rights in a child.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use wal::{ErrorKind, Reader, Wal};

use crate::child;
use crate::policy::Policy;
use crate::records::{check, commit, recovers};

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Runs `body` for a directory of its own, without the rights of the superuser.
fn without_rights(test: &str, body: impl FnOnce(&Path)) {
    if let Some(dir) = child::dir() {
        return body(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    if !rustix::process::geteuid().is_root() {
        return body(dir.path());
    }
    set(dir.path(), 0o777);
    // Where the program itself lies may be closed to others.
    let copy = dir.path().join("test");
    fs::copy(env::current_exe().unwrap(), &copy).unwrap();
    set(&copy, 0o755);
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    child::passes(child::again(&mut setpriv, &copy, test, dir.path()));
}

fn files(log: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// Commits until it cannot; the error, which says where and what.
fn until_denied(wal: &Wal, log: &Path, context: &str) -> wal::Error {
    let error = (0..200).find_map(|_| commit(wal).err()).unwrap();
    denied(&error, log, context);
    error
}

fn denied(error: &wal::Error, log: &Path, context: &str) {
    let report = error.report();
    assert!(report.contains(log.to_str().unwrap()), "{context}: {report}");
    assert!(report.contains("Permission denied"), "{context}: {report}");
}

#[test]
fn a_directory_closed_under_an_open_log_is_told_by_the_next_segment() {
    let test = "permission::a_directory_closed_under_an_open_log_is_told_by_the_next_segment";
    without_rights(test, |dir| {
        for policy in Policy::ALL {
            let context = format!("{policy:?}");
            let log = dir.join(&context);
            // Room for more than a record in each, padded to a block.
            let mut config = policy.config();
            config.segment_size = 64 * 1024;
            let (wal, _) = Wal::builder(&log).config(config).open().unwrap();
            commit(&wal).unwrap();
            set(&log, 0o555);
            let error = until_denied(&wal, &log, &context);
            assert_eq!(error.kind(), ErrorKind::Poisoned, "{context}");
            let acknowledged = wal.durable_lsn().get();
            assert!(acknowledged > 1, "{context}: the open segment needs no permission");
            check(&wal, acknowledged, &context);
            assert_eq!(commit(&wal).unwrap_err().kind(), ErrorKind::Poisoned, "{context}");
            drop(wal);
            denied(&policy.open(&log).unwrap_err(), &log, &context);
            set(&log, 0o755);
            recovers(&log, policy, acknowledged, &context);
        }
    });
}

#[test]
fn files_closed_under_an_open_log_cannot_be_read_until_they_are_opened_again() {
    let test =
        "permission::files_closed_under_an_open_log_cannot_be_read_until_they_are_opened_again";
    without_rights(test, |dir| {
        for policy in Policy::ALL {
            let context = format!("{policy:?}");
            let log = dir.join(&context);
            let wal = policy.open(&log).unwrap();
            for _ in 0..30 {
                commit(&wal).unwrap();
            }
            let close = || files(&log, "wal").iter().for_each(|segment| set(segment, 0o000));
            close();
            // What is open goes on.
            commit(&wal).unwrap();
            let acknowledged = wal.durable_lsn().get();
            let unread = wal
                .read_from(wal.first_lsn())
                .and_then(|mut entries| entries.find_map(Result::err).map_or(Ok(()), Err));
            denied(&unread.unwrap_err(), &log, &context);
            drop(wal);
            close();
            let segments = files(&log, "wal");
            assert!(segments.len() > 1, "{context}");
            denied(&Reader::open(&log).unwrap().verify(|_| ()).unwrap_err(), &log, &context);
            let refused = policy.open(&log).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Io, "{context}: {refused:?}");
            denied(&refused, &log, &context);
            assert_eq!(files(&log, "wal").len(), segments.len(), "{context}");
            for segment in files(&log, "wal") {
                set(&segment, 0o644);
            }
            recovers(&log, policy, acknowledged, &context);

            set(&log.join("LOCK"), 0o000);
            denied(&policy.open(&log).unwrap_err(), &log, &context);
            set(&log.join("LOCK"), 0o644);
            recovers(&log, policy, acknowledged, &context);
        }
    });
}
