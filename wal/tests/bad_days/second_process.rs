//! A second process that wants the log, while the first has it and after it was killed.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use wal::{ErrorKind, Lsn, Reader};

use crate::child;
use crate::policy::Policy;
use crate::records::{check, commit, recovers};

const TEST: &str = "second_process::the_log_is_one_processs_until_it_ends";
const POLICY: &str = "WAL_BAD_DAYS_TEST_POLICY";

fn policy() -> Policy {
    let index: usize = env::var(POLICY).unwrap().parse().unwrap();
    Policy::ALL[index]
}

/// Commits, says what is acknowledged, and holds the log until its input ends.
fn hold(dir: &Path) {
    let wal = policy().open(dir).unwrap();
    for _ in 0..20 {
        commit(&wal).unwrap();
    }
    // One that nobody waits for.
    wal.append(crate::records::record(21)).unwrap();
    println!("holds {}", wal.durable_lsn());
    io::stdin().lines().for_each(drop);
    wal.close().unwrap();
}

fn holder(dir: &Path, policy: usize) -> (Child, u64) {
    // `env` becomes what it starts, and so the child is the one to be killed.
    let mut launcher = Command::new("env");
    let again = child::again(&mut launcher, &env::current_exe().unwrap(), TEST, dir);
    again.env(POLICY, policy.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = again.spawn().unwrap();
    let mut said = BufReader::new(holder.stdout.take().unwrap()).lines();
    // The harness may have begun a line of its own.
    let holds =
        said.find_map(|line| line.unwrap().split_once("holds ").map(|(_, lsn)| lsn.parse()));
    // The rest is read to its end, so that whoever writes it is not stopped.
    std::thread::spawn(move || said.for_each(drop));
    (holder, holds.unwrap().unwrap())
}

#[test]
fn the_log_is_one_processs_until_it_ends() {
    if let Some(dir) = child::dir() {
        return hold(&dir);
    }
    for (index, policy) in Policy::ALL.into_iter().enumerate() {
        for killed in [true, false] {
            let context = format!("{policy:?}, killed {killed}");
            let dir = tempfile::tempdir().unwrap();
            let log = dir.path().join("log");
            let (mut first, acknowledged) = holder(&log, index);
            let refused = policy.open(&log).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Locked, "{context}: {refused:?}");
            let report = refused.report();
            assert!(report.contains(log.to_str().unwrap()), "{context}: {report}");
            assert!(report.contains(&format!("process {} ", first.id())), "{context}: {report}");
            let seen = Reader::open(&log).unwrap().read_from(Lsn::FIRST).unwrap();
            assert!(seen.map(Result::unwrap).count() as u64 >= acknowledged, "{context}");

            if killed {
                first.kill().unwrap();
            } else {
                // The end of its input.
                first.stdin.take().unwrap().flush().unwrap();
            }
            assert_eq!(first.wait().unwrap().success(), !killed, "{context}");
            let wal = policy.open(&log).unwrap();
            let there = check(&wal, acknowledged, &context);
            assert!(killed || there == 21, "{context}: {there}");
            wal.close().unwrap();
            drop(wal);
            recovers(&log, policy, there, &context);
        }
    }
}
