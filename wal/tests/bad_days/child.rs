//! A test that starts itself again, as a process of its own.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

const DIR: &str = "WAL_BAD_DAYS_TEST_DIR";

/// The directory that this process was started for as a child, if it is one.
pub(crate) fn dir() -> Option<PathBuf> {
    env::var_os(DIR).map(PathBuf::from)
}

/// Has `launcher` start the test of this name as a child, for this directory; `program` is this
/// executable, or a copy of it.
pub(crate) fn again<'a>(
    launcher: &'a mut Command,
    program: &Path,
    test: &str,
    dir: &Path,
) -> &'a mut Command {
    launcher.arg(program).args(["--exact", test, "--nocapture"]).env(DIR, dir)
}

/// Runs it and sees that the test was found and passed.
pub(crate) fn passes(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Says that a test was not run, and why; fails in CI.
pub(crate) fn not_run(test: &str, why: &str) {
    told(test, why);
    assert!(env::var_os("CI").is_none(), "in CI every test must run");
}

/// Says that a test was not run, and why.
pub(crate) fn told(test: &str, why: &str) {
    // Not `eprintln`, which the test harness swallows where a test passes.
    io::stderr().write_all(format!("NOT RUN: {test}: {why}\n").as_bytes()).unwrap();
}
