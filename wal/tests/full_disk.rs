//! The whole log on a real file system that fills up: a small tmpfs, mounted where only the test
//! sees it.
//!
//! Each test starts itself again in a mount namespace of its own, so that nothing stays mounted
//! however it ends. That takes root or unprivileged user namespaces, and `unshare` and `mount`.
//! Where they are missing the tests say so on standard error, and fail if `CI` is set.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wal::{Config, ErrorKind, Lsn, Preparation, Reader, Strategy, Verdict, Wal};

const DIR: &str = "WAL_FULL_DISK_TEST_DIR";
const ROOM: u64 = 256 * 1024;

/// A module for every way of preparing a segment, with a test of every scenario in it; a line for
/// each way.
macro_rules! preparations {
    ($($name:ident: $preparation:expr)*) => {$(
        mod $name {
            use super::*;

            scenarios!($name: $preparation);
        }
    )*};
}

macro_rules! scenarios {
    ($name:ident: $preparation:expr) => {
        scenarios! {
            $name: $preparation;
            a_full_disk_is_an_error_that_room_cures
            a_log_left_on_a_full_disk_opens_again
            a_prune_on_a_full_disk_works_or_says_that_it_takes_room
        }
    };
    ($name:ident: $preparation:expr; $($scenario:ident)*) => {$(
        #[test]
        fn $scenario() {
            let test = concat!(stringify!($name), "::", stringify!($scenario));
            on_a_small_disk(test, |dir| super::$scenario(dir, $preparation));
        }
    )*};
}

preparations! {
    none: Preparation::None
    whole: Preparation::Whole
    chunks: Preparation::Chunks(8 * 1024)
    zero_fill: Preparation::ZeroFill
}

/// Runs `body` in an empty file system of [`ROOM`] bytes; `test` is the calling test's own name.
fn on_a_small_disk(test: &str, body: fn(&Path)) {
    if let Some(dir) = env::var_os(DIR) {
        let dir = Path::new(&dir);
        assert!(mount(&mut Command::new("mount"), dir), "cannot mount here, though it went before");
        return body(dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let namespaces = ["--mount", "--map-root-user"];
    let Some(namespace) = (1..=namespaces.len()).map(|count| &namespaces[..count]).find(|args| {
        mount(Command::new("unshare").args(*args).arg("mount").stderr(Stdio::null()), dir.path())
    }) else {
        // Not `eprintln`, which the test harness swallows where a test passes.
        let mut stderr = io::stderr();
        writeln!(stderr, "NOT RUN: {test}: cannot mount a tmpfs in a namespace").unwrap();
        assert!(env::var_os("CI").is_none(), "in CI every test must run");
        return;
    };
    let output = Command::new("unshare")
        .args(namespace)
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIR, dir.path())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "it ran outside of its file system");
}

fn mount(command: &mut Command, dir: &Path) -> bool {
    let options = format!("size={ROOM}");
    let status = command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir).status();
    status.is_ok_and(|status| status.success())
}

fn open(log: &Path, preparation: Preparation) -> wal::Result<Wal> {
    let mut config = Config::default();
    config.segment_size = 32 * 1024;
    config.preparation = Some(preparation);
    config.strategy = Strategy::GroupCommit;
    Wal::builder(log).config(config).open().map(|(wal, _)| wal)
}

fn record(lsn: u64) -> Vec<u8> {
    let mut record = format!("{lsn}:").into_bytes();
    record.resize(700 + usize::try_from(lsn % 9).unwrap() * 100, b'x');
    record
}

/// Appends and waits until the disk is full; the last record acknowledged. Full is what the log says
/// it is, in so many words, and it is not poisoned.
fn fill(wal: &Wal) -> u64 {
    loop {
        let next = wal.last_lsn().get() + 1;
        let committed = wal.append(record(next)).and_then(|lsn| wal.wait_for_lsn(lsn).wait());
        if let Err(error) = committed {
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{error:?}");
            return wal.durable_lsn().get();
        }
        assert!(next < 10_000, "the disk never fills up");
    }
}

/// All records of the log from its first on, each the one that was appended; the last of them.
fn check(wal: &Wal, acknowledged: u64, context: &str) -> u64 {
    let mut next = wal.first_lsn().get();
    for entry in wal.read_from(wal.first_lsn()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.lsn.get(), next, "{context}");
        assert!(entry.payload == record(next), "{context}: LSN {next}");
        next += 1;
    }
    assert!(next > acknowledged, "{context}: {acknowledged} acknowledged, ends at {}", next - 1);
    next - 1
}

/// Appends and waits for a few more; the log then holds everything, to the last.
fn goes_on(wal: &Wal, context: &str) -> u64 {
    for _ in 0..10 {
        let lsn = wal.append(record(wal.last_lsn().get() + 1)).unwrap();
        wal.wait_for_lsn(lsn).wait().unwrap_or_else(|error| panic!("{context}: {error:?}"));
    }
    let last = wal.last_lsn().get();
    assert_eq!(check(wal, last, context), last, "{context}");
    last
}

/// Closes the log, which then is clean, and opens with everything in it.
fn closes(wal: Wal, log: &Path, preparation: Preparation) {
    let last = wal.last_lsn().get();
    wal.close().unwrap();
    drop(wal);
    let verified = Reader::open(log).unwrap().verify(|_| ()).unwrap();
    assert_eq!(verified.verdict, Verdict::Clean, "{verified:?}");
    let wal = open(log, preparation).unwrap();
    assert_eq!(check(&wal, last, "reopened"), last);
}

/// What keeps the disk from having room, and is no part of the log.
fn ballast(dir: &Path) -> PathBuf {
    let path = dir.join("ballast");
    fs::write(&path, vec![1; 64 * 1024]).unwrap();
    path
}

/// Full is an error that can be got over: as long as it lasts it stays one, nothing acknowledged is
/// lost, and once there is room the same handle goes on.
fn a_full_disk_is_an_error_that_room_cures(dir: &Path, preparation: Preparation) {
    let (log, ballast) = (dir.join("log"), ballast(dir));
    let wal = open(&log, preparation).unwrap();
    let acknowledged = fill(&wal);
    assert!(acknowledged > 30, "{acknowledged}");
    check(&wal, acknowledged, "full");
    assert_eq!(fill(&wal), acknowledged, "still full");
    fs::remove_file(&ballast).unwrap();
    // What could not be written has waited for room.
    let last = wal.last_lsn();
    wal.wait_for_lsn(last).wait().unwrap();
    goes_on(&wal, "room");
    closes(wal, &log, preparation);
}

/// The handle is given up on a full disk. Opening the log again takes no room, or says that it does;
/// with room it opens, nothing acknowledged is lost, and it goes on.
fn a_log_left_on_a_full_disk_opens_again(dir: &Path, preparation: Preparation) {
    let (log, ballast) = (dir.join("log"), ballast(dir));
    let wal = open(&log, preparation).unwrap();
    let acknowledged = fill(&wal);
    // Nobody closes it: what could not be written is lost with the handle, or not.
    drop(wal);
    let verified = Reader::open(&log).unwrap().verify(|_| ()).unwrap();
    assert_ne!(verified.verdict, Verdict::Corrupt, "{verified:?}");
    match open(&log, preparation) {
        Ok(wal) => drop(check(&wal, acknowledged, "full")),
        Err(error) => assert_eq!(error.kind(), ErrorKind::StorageFull, "{error:?}"),
    }
    fs::remove_file(&ballast).unwrap();
    let wal = open(&log, preparation).unwrap();
    check(&wal, acknowledged, "room");
    goes_on(&wal, "room");
    closes(wal, &log, preparation);
}

/// A prune gives room back, from full to full: the same handle goes on each time. Where the prune
/// itself finds no room, to write down where the log begins from now on, it says so and loses
/// nothing, and works as soon as there is a little.
fn a_prune_on_a_full_disk_works_or_says_that_it_takes_room(dir: &Path, preparation: Preparation) {
    let log = dir.join("log");
    let wal = open(&log, preparation).unwrap();
    for round in 0..3 {
        let context = format!("round {round}");
        let ballast = ballast(dir);
        let acknowledged = fill(&wal);
        let keep = Lsn::new(acknowledged - 20);
        let pruned = wal.prune_before(keep).or_else(|error| {
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{context}: {error:?}");
            check(&wal, acknowledged, &context);
            fs::remove_file(&ballast).unwrap();
            wal.prune_before(keep)
        });
        assert!(pruned.unwrap() > Lsn::FIRST, "{context}");
        fs::remove_file(&ballast).ok();
        let last = wal.last_lsn();
        wal.wait_for_lsn(last).wait().unwrap();
        goes_on(&wal, &context);
    }
    closes(wal, &log, preparation);
}
