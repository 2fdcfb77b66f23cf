//! `wal append --ack`, with every call failing once.

use std::fs::{self, File};
use std::io::Write;
use std::ops::RangeInclusive;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::strace::{
    Effect, Fault, injected, made_anew, next, of_anchor, of_lock, of_trimming, place, strace,
    with_strace,
};
use crate::{CALLS, OUTPUT};

const WAL: &str = env!("CARGO_BIN_EXE_wal");
/// Records that a run appends: enough for two rotations.
const RECORDS: u64 = 18;

/// A log as a crash leaves it: a segment that is sealed and one that ends in a torn tail, and one
/// that had no name yet. Recovering it takes every call there is.
struct Crashed {
    dir: TempDir,
    /// Records in it.
    shown: u64,
}

impl Crashed {
    fn new() -> Self {
        let dir = place();
        let log = dir.path().join("log");
        let mut run = Command::new("strace");
        run.args(["-f", "-qq", "-o", "/dev/null", "--trace=fdatasync"]);
        run.arg("--inject=fdatasync:signal=SIGKILL:when=16").arg(WAL);
        feed(append(&mut run, &log, "sync").stdout(Stdio::null()), 1..=RECORDS);

        let newest = segments(&log).pop().unwrap();
        let mut bytes = fs::read(&newest).unwrap();
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
        // There may be no space behind it: that depends on the file system.
        bytes.resize(bytes.len().max(end + 216), 0);
        bytes[end + 16..end + 216].fill(0xAA);
        fs::write(&newest, bytes).unwrap();
        let id = segments(&log).len();
        fs::write(log.join("spare-00c0ffee00c0ffee-7-2f0eb967.tmp"), [1; 100]).unwrap();

        assert_eq!(wal("verify", &log).status.code(), Some(3));
        let shown = replay(&log, "a log as a crash leaves it");
        assert!(id >= 2 && shown > 8, "{id} segments, {shown} records");
        Self { dir, shown }
    }

    /// A copy, to be put through it.
    fn copy(&self) -> (TempDir, PathBuf) {
        let copy = place();
        let log = copy.path().join("log");
        fs::create_dir(&log).unwrap();
        for file in fs::read_dir(self.dir.path().join("log")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), log.join(file.file_name())).unwrap();
        }
        (copy, log)
    }
}

/// Every call, every fault, every n that the run reaches.
fn sweep(strategy: &str, calls: &[&str]) {
    let crashed = Crashed::new();
    let mut runs = 0;
    let all = CALLS.iter().chain(OUTPUT);
    for (call, faults) in all.filter(|(call, _)| calls.contains(call)) {
        for &fault in *faults {
            let mut nth = 1;
            while strike(&crashed, strategy, call, fault, nth) {
                nth = next(nth);
                runs += 1;
            }
            assert!(nth > 1, "{strategy}: no {call} was reached");
        }
    }
    println!("{strategy}: {runs} runs, each with a call that failed or a kill");
}

/// One run with one fault; whether there were so many calls.
fn strike(crashed: &Crashed, strategy: &str, call: &str, fault: Fault, nth: u32) -> bool {
    let context = format!("{strategy}, {call} {nth}, {}", fault.how);
    let (copy, log) = crashed.copy();
    let told = copy.path().join("strace");
    let sent = crashed.shown + 1..=crashed.shown + RECORDS;
    let acks = copy.path().join("acks");
    let mut run = strace(Path::new(WAL), &[&log, &acks], call, fault, nth, &told);
    append(&mut run, &log, strategy).stdout(File::create(&acks).unwrap());
    let (status, said) = feed(&mut run, sent.clone());
    let died = status.signal() == Some(9) || status.code() == Some(128 + 9);
    let hit = injected(&told);
    let struck = died || !hit.is_empty();

    // What it printed is in order; a line without its end was cut off by a kill.
    let printed = fs::read_to_string(&acks).unwrap();
    let whole = printed.rfind('\n').map_or("", |end| &printed[..end]);
    let acks: Vec<u64> = whole.lines().map(|line| line.parse().unwrap()).collect();
    assert!(acks.iter().copied().eq(sent.clone().take(acks.len())), "{context}: {acks:?}");
    let acknowledged = acks.last().copied().unwrap_or(crashed.shown);

    match (fault.effect, status.code()) {
        _ if !struck => assert_eq!(status.code(), Some(0), "{context}: {said}"),
        (Effect::Death, _) => assert!(died, "{context}: {said}"),
        (Effect::None | Effect::Bearable(_), Some(0)) => {
            assert_eq!(acknowledged, *sent.end(), "{context}: {said}");
        }
        (Effect::Reported(_), Some(0)) => {
            assert!(
                hit.iter().all(|line| of_lock(line)
                    || of_anchor(line)
                    || of_trimming(line)
                    || made_anew(line)),
                "{context}: swallowed: {hit:?}"
            );
            assert_eq!(acknowledged, *sent.end(), "{context}: {said}");
        }
        // What cannot be read of a segment is damage.
        (Effect::Reported(why) | Effect::Bearable(why), Some(4))
            if ["pread64", "openat"].contains(&call) =>
        {
            assert!(said.contains("error: ") && said.contains(why), "{context}: {said}");
        }
        (Effect::Reported(why) | Effect::Bearable(why), Some(1)) => {
            assert!(said.contains("error: ") && said.contains(why), "{context}: {said}");
        }
        (_, code) => panic!("{context}: {code:?}: {said}"),
    }

    let there = replay(&log, &context);
    assert!(there >= acknowledged, "{context}: {acknowledged} acknowledged, {there} there");
    assert!(there <= *sent.end(), "{context}: {there} there");
    let verified = wal("verify", &log);
    assert!([Some(0), Some(3)].contains(&verified.status.code()), "{context}: {verified:?}");

    let mut again = Command::new(WAL);
    append(&mut again, &log, strategy).stdout(Stdio::null());
    let (status, said) = feed(&mut again, there + 1..=there + 1);
    assert!(status.success(), "{context}: it does not go on: {said}");
    assert_eq!(replay(&log, &context), there + 1, "{context}");
    assert_eq!(wal("verify", &log).status.code(), Some(0), "{context}");
    struck
}

fn append<'a>(command: &'a mut Command, log: &Path, strategy: &str) -> &'a mut Command {
    command.arg("append").arg(log).args(["--ack", "--segment-size", "16k", "--strategy", strategy])
}

/// Runs the command with these records on its stdin; how it ended, and what it said on stderr.
fn feed(command: &mut Command, lsns: RangeInclusive<u64>) -> (ExitStatus, String) {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = thread::spawn(move || {
        for lsn in lsns {
            // Until the reader is dead.
            if writeln!(stdin, "{}", record(lsn)).is_err() {
                break;
            }
        }
    });
    let ended = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    (ended.status, String::from_utf8(ended.stderr).unwrap())
}

/// How many records `wal replay` shows: from the first on, each as it was sent.
fn replay(log: &Path, context: &str) -> u64 {
    let ran = wal("replay", log);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{context}: {said}");
    let text = String::from_utf8(ran.stdout).unwrap();
    for (line, lsn) in text.lines().zip(1..) {
        assert_eq!(line, record(lsn), "{context}: LSN {lsn}");
    }
    text.lines().count() as u64
}

fn wal(command: &str, log: &Path) -> Output {
    Command::new(WAL).arg(command).arg(log).stdin(Stdio::null()).output().unwrap()
}

fn segments(log: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(log).unwrap().map(|file| file.unwrap().path());
    let mut segments: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|ext| ext == "wal")).collect();
    segments.sort();
    segments
}

fn record(lsn: u64) -> String {
    format!("{lsn}:{}", "x".repeat(1200 + usize::try_from(lsn % 7).unwrap() * 100))
}

/// Every append writes and syncs by itself: here every call is reached one by one, but the taking of
/// space, which the tool leaves to what suits the file system.
#[test]
fn no_failing_call_loses_a_record_under_one_sync_per_append() {
    with_strace("no_failing_call_loses_a_record_under_one_sync_per_append", || {
        let all = CALLS.iter().chain(OUTPUT).map(|(call, _)| *call);
        sweep("sync", &all.filter(|call| *call != "fallocate").collect::<Vec<_>>());
    });
}

#[test]
fn no_failing_call_loses_a_record_under_group_commit() {
    with_strace("no_failing_call_loses_a_record_under_group_commit", || {
        sweep("group-commit", &["pwrite64", "fdatasync", "fsync", "renameat2"]);
    });
}

/// Acknowledged is what was handed to the system, and that is still there: the power stays on.
#[test]
fn no_failing_call_loses_a_record_under_the_operating_system() {
    with_strace("no_failing_call_loses_a_record_under_the_operating_system", || {
        sweep("os", &["pwrite64", "fdatasync", "fsync", "renameat2"]);
    });
}
