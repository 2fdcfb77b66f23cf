//! Every write of a real process short, by a library in front of the C library: strace could only say
//! so, without writing the other half.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::prune::{LOG, Policy, Said, check};
use crate::strace::not_run;

/// Compiles the library into this directory, if there is a compiler.
fn compiled(dir: &Path) -> Option<PathBuf> {
    let (source, library) = (dir.join("short_write.c"), dir.join("short_write.so"));
    fs::write(&source, include_str!("short_write.c")).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source);
    cc.arg("-ldl").status().is_ok_and(|run| run.success()).then_some(library)
}

#[test]
fn short_writes_are_nobodys_business() {
    let here = tempfile::tempdir().unwrap();
    let Some(library) = compiled(here.path()) else {
        return not_run("short::short_writes_are_nobodys_business", "cc does not work here");
    };
    for policy in Policy::ALL {
        let dir = policy.place();
        let (log, told) = (dir.path().join("log"), dir.path().join("told"));
        let mut run = Command::new(env::current_exe().unwrap());
        run.args(["--exact", policy.test(), "--nocapture"]).env(LOG, &log);
        let ran = run.env("LD_PRELOAD", &library).env("SHORT_WRITES_TOLD", &told).output().unwrap();
        let context = format!("{policy:?}: {}", String::from_utf8_lossy(&ran.stderr));
        let said = Said::of(&String::from_utf8(ran.stdout).unwrap());
        assert!(ran.status.success() && said.failed.is_none(), "{context}: {said:?}");
        assert_eq!(said.durable, 28, "{context}: {said:?}");
        assert!(told.exists(), "{context}: no write was short");
        check(&log, policy, &said, &context);
    }
}
