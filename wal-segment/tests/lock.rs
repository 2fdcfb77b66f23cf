//! The lock against other processes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use wal_core::SegmentStore;
use wal_segment::FileStore;

const DIR: &str = "WAL_SEGMENT_LOCK_TEST_DIR";

/// The test starts itself as the other process, which takes the lock if it can, says so in its
/// last line, and holds it until it is killed.
#[test]
fn a_second_process_is_refused_and_a_dead_ones_lock_is_free() {
    if let Some(dir) = env::var_os(DIR) {
        be_the_other_process(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();

    let lock = store.lock().unwrap();
    let (mut refused, answer) = other_process(dir.path());
    refused.wait().unwrap();
    assert!(answer.starts_with("WouldBlock"), "{answer}");
    assert!(answer.contains(&format!("process {} of ", process::id())), "{answer}");
    drop(lock);

    let (mut holder, answer) = other_process(dir.path());
    assert!(answer.starts_with("held"), "{answer}");
    let error = store.lock().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(error.to_string().contains(&format!("process {} of ", holder.id())), "{error}");

    holder.kill().unwrap();
    holder.wait().unwrap();
    store.lock().unwrap();
}

/// A process that was just being started held a copy of the open file for as long as it had not yet
/// become another program, and with it the lock: a log that was closed could not be opened.
#[test]
fn a_lock_that_was_dropped_is_free_while_processes_are_started() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                Command::new("true").status().unwrap();
            }
        });
        let refused = (0..4_000).find_map(|_| store.lock().err());
        done.store(true, Ordering::Relaxed);
        assert!(refused.is_none(), "{refused:?}");
    });
}

fn be_the_other_process(dir: &Path) -> ! {
    let held = FileStore::open(dir).unwrap().lock();
    match &held {
        Ok(_) => eprintln!("answer: held"),
        Err(error) => {
            eprintln!("answer: {:?} {error}", error.kind());
            process::exit(0);
        }
    }
    loop {
        thread::park();
    }
}

fn other_process(dir: &Path) -> (Child, String) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_second_process_is_refused_and_a_dead_ones_lock_is_free"])
        .arg("--nocapture")
        .env(DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let answer = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("answer: ").map(str::to_owned));
    (child, answer.expect("the other process answers"))
}

/// What the file says is for people: it may be stale, too long, or not text at all.
#[test]
fn what_the_lock_file_says_is_not_trusted() {
    let stale: [&[u8]; 4] = [b"", b"process 1 since 0\n", &[0xFF; 10_000], b"\x1b[2J\n"];
    for text in stale {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        fs::write(&path, text).unwrap();
        let store = FileStore::open(dir.path()).unwrap();

        let _lock = store.lock().unwrap();
        let signed = fs::read_to_string(&path).unwrap();
        let line = signed.lines().next().unwrap();
        assert!(line.starts_with(&format!("process {} of ", process::id())), "{line}");
        assert!(line.contains(" since 20") && line.ends_with('Z'), "{line}");
        assert!(line.len() < 150, "{line}");
        assert!(signed.contains("Do not delete") && signed.len() < 500, "{signed}");

        fs::write(&path, text).unwrap();
        let error = store.lock().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(!error.to_string().contains(char::is_control), "{error}");
        assert!(error.to_string().len() < 500, "{error}");
    }
}
