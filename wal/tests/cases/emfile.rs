//! The process has no file handle to spare for a moment, when the next segment is due.

use std::env;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use wal::{ErrorKind, Wal};

const DIR: &str = "WAL_CASES_TEST_DIR";

/// The log was poisoned, though nothing had been written that could be in doubt. It must fail that
/// append, and go on as soon as there are handles. In a process of its own, which has few of them.
#[test]
fn emfile() {
    if let Some(dir) = env::var_os(DIR) {
        return child(&PathBuf::from(dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let test = env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" --exact emfile::emfile --nocapture"])
        .arg(test)
        .env(DIR, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let (_, recovery) = Wal::builder(dir.path()).open().unwrap();
    assert!(recovery.valid_records >= 2, "{recovery:?}");
}

fn child(dir: &PathBuf) {
    let wal = Wal::builder(dir).segment_size(64 << 10).open().unwrap().0;
    wal.append_durable(vec![7; 20_000]).unwrap();
    let mut all = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        all.push(file);
    }
    assert!(all.len() < 64);
    // The first may go well, where the next segment was prepared in time, and the others not.
    let refused = (0..4).filter_map(|_| wal.append_durable(vec![7; 50_000]).err());
    let kinds: Vec<_> = refused.map(|error| (error.kind(), error)).collect();
    drop(all);
    assert!(!kinds.is_empty());
    for (kind, error) in kinds {
        assert_eq!(kind, ErrorKind::StorageFull, "{error:?}");
    }
    wal.append_durable("x").unwrap();
    wal.close().unwrap();
}
