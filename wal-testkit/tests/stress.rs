//! The short form of `stress`: a few logs on a real file system, with real threads, each for several
//! lives. As long as one likes with the binary.

#![cfg(feature = "search")]

use std::process::{Command, Output};

/// The settings are the same in every run, the order of the threads is not: what fails here prints how
/// to try again.
#[test]
fn nothing_acknowledged_is_lost_in_several_lives() {
    let output = stress(&["--seed", "11", "--logs", "3"]);
    assert!(output.status.success(), "{}", said(&output));
    println!("{}", said(&output));
}

/// The preparing thread takes the file of the segment being made for the remains of a dead process:
/// what the file store once did, and 20 million images of crashes did not show. It ends within seconds
/// with the first loss; the bound is for a machine on which the threads never meet.
#[test]
fn the_race_that_lost_acknowledged_records_is_found() {
    let output = stress(&["--planted", "--seed", "11", "--logs", "60"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
}

fn stress(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stress"));
    command.args(args).args(["--dir", env!("CARGO_TARGET_TMPDIR")]);
    command.output().expect("the binary is built with the test")
}

fn said(output: &Output) -> String {
    let parts = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    parts.concat()
}
