//! The short form of `stress`: a few logs on a real file system, with real threads, each for several
//! lives. As long as one likes with the binary.

#![cfg(feature = "search")]

use std::process::Command;

/// The settings are the same in every run, the order of the threads is not: what fails here prints how
/// to try again.
#[test]
fn nothing_acknowledged_is_lost_in_several_lives() {
    let dir = env!("CARGO_TARGET_TMPDIR");
    let output = Command::new(env!("CARGO_BIN_EXE_stress"))
        .args(["--seed", "11", "--logs", "3", "--dir", dir])
        .output()
        .expect("the binary is built with the test");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{said}");
}
