//! strace, as a part of the storage that fails.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// How a call fails, in strace's words, and what must come of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) how: &'static str,
    pub(crate) effect: Effect,
}

/// What must come of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: the log gets over it.
    None,
    /// An error that says this, unless the call was for the note of who holds the lock, which is for
    /// people.
    Reported(&'static str),
    /// An error that says this, or nothing.
    Bearable(&'static str),
    /// The process is dead.
    Death,
}

impl Fault {
    pub(crate) const fn new(how: &'static str, effect: Effect) -> Self {
        Self { how, effect }
    }
}

/// Files of the log that strace is to look at: more than any workload makes.
const SEGMENTS: u64 = 40;

/// Whether a call was for the anchor, which says less when it is not renewed, and nothing wrong; or for
/// the file without a name that tells whether the page cache can be passed.
pub(crate) fn of_anchor(line: &str) -> bool {
    let new = line.contains("fsync(") && line.contains("/spare-");
    // The second slot of one that is being made: it has its space before the disk is full.
    let second = line.contains("/spare-") && line.contains(r#"\0\0\0\0"..., 4096, 4096)"#);
    line.contains("WALSLT") || line.contains("ANCHOR") || new || second || line.contains("/log/#")
}

/// Whether a call was for giving back space that a segment does not need: it is given back later.
pub(crate) fn of_trimming(line: &str) -> bool {
    ["fsync(", "ftruncate("].iter().any(|call| line.contains(call)) && line.contains(".wal>")
}

/// Calls that are made for other files than the log's, too.
const LOADER: [&str; 5] = ["openat", "pread64", "getdents64", "flock", "write"];

/// Runs `sweep`, if strace works here; `test` is the name of the calling test.
pub(crate) fn with_strace(test: &str, sweep: impl FnOnce()) {
    let mut probe = Command::new("strace");
    probe.args(["-f", "-qq", "-e", "trace=none", "true"]);
    if probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|run| run.success()) {
        return sweep();
    }
    not_run(test, "strace does not work here");
}

/// Says that a test was not run, and why; fails in CI.
pub(crate) fn not_run(test: &str, why: &str) {
    // Not `eprintln`, which the test harness swallows where a test passes.
    io::stderr().write_all(format!("NOT RUN: {test}: {why}\n").as_bytes()).unwrap();
    assert!(env::var_os("CI").is_none(), "in CI every test must run");
}

/// An empty directory, in memory where there is such a file system: the power stays on, so that a
/// disk would only make the thousands of syncs slow.
pub(crate) fn place() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A command that runs `program` with this fault at the `nth` of such calls on these files, and on
/// those of a log that are in them. What strace has to say goes to `told`.
pub(crate) fn strace(
    program: &Path,
    watched: &[&Path],
    call: &str,
    fault: Fault,
    nth: u32,
    told: &Path,
) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-e", "signal=none", "-o"]).arg(told);
    let segments = (1..=SEGMENTS).map(|id| format!("{id:020}.wal"));
    let files: Vec<_> = segments.chain(["LOCK".into(), "ANCHOR".into()]).collect();
    // The names of files that are no segments yet are not known before. What only the log calls is
    // looked at wherever it is called.
    let paths: &[&Path] = if LOADER.contains(&call) { watched } else { &[] };
    for &path in paths {
        command.arg("-P").arg(path);
        for file in &files {
            command.arg("-P").arg(path.join(file));
        }
    }
    command.arg(format!("--trace={call}"));
    command.arg(format!("--inject={call}:{}:when={nth}", fault.how));
    command.arg(program);
    command
}

/// The calls that were made to fail, as strace wrote them down: the number of the thread, the call,
/// and the files that it was for.
pub(crate) fn injected(told: &Path) -> Vec<String> {
    let text = fs::read_to_string(told).unwrap();
    let (mut begun, mut injected) = (HashMap::new(), Vec::new());
    for line in text.lines() {
        let thread = line.split(' ').next();
        if line.contains("<unfinished ...>") {
            begun.insert(thread, line);
        }
        if line.contains("(INJECTED)") {
            let begun = begun.get(&thread).filter(|_| line.contains(" resumed>"));
            injected.push(begun.map_or(line.to_owned(), |begun| format!("{begun} {line}")));
        }
    }
    injected
}

/// Whether a full disk was met by a segment that was being made: what there is of it is removed, and it
/// is made anew, of no more than is needed now.
pub(crate) fn made_anew(line: &str) -> bool {
    line.contains("ENOSPC") && (line.contains("spare-") || line.contains("O_RDONLY"))
}

/// Whether a call was for the file that says who holds the lock.
pub(crate) fn of_lock(line: &str) -> bool {
    line.contains("/LOCK>") || line.contains("\"LOCK\"")
}

/// The call to be struck after this one: each of the first eight, then every third, or each where
/// `WAL_FAULTS` is `full`.
pub(crate) fn next(nth: u32) -> u32 {
    let full = env::var("WAL_FAULTS").is_ok_and(|how| how == "full");
    if full || nth < 8 { nth + 1 } else { nth + 3 }
}
