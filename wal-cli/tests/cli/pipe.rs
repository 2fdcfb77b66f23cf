//! A reader of the output that goes away.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::fixture::{Log, Ran, flip, numbered};

/// Reads one line of what a tool prints and then no more.
fn head(log: &Log, verb: &str, args: &[&str]) -> Ran {
    let mut child = log.command(verb, args).stdin(Stdio::null()).spawn().unwrap();
    let mut stdout = BufReader::with_capacity(64, child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(!line.is_empty());
    drop(stdout);
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn a_closed_pipe_is_no_failure_and_no_noise() {
    // More than the pipe and the tool's own buffer hold, in many segments.
    let log = Log::of(&numbered(20_000));
    for (verb, args) in [("replay", vec![]), ("replay", vec!["--json"]), ("dump", vec!["--json"])] {
        let ran = head(&log, verb, &args).exits(0);
        assert_eq!(ran.stderr, "", "{verb} {args:?}");
    }
}

#[test]
fn a_verdict_counts_also_where_nobody_reads_it() {
    let log = Log::of(&numbered(1000));
    flip(&log.segments()[0], 5000);
    let mut child = log.command("verify", &[]).stdin(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    Ran::of(child.wait_with_output().unwrap()).exits(4);
}

#[test]
fn records_are_appended_also_where_nobody_reads_the_acknowledgements() {
    let log = Log::new();
    let mut child = log.command("append", &["--ack"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    for n in 0..100 {
        writeln!(stdin, "record {n}").unwrap();
        stdin.flush().unwrap();
    }
    drop(stdin);
    let ran = Ran::of(child.wait_with_output().unwrap()).exits(0);
    assert!(ran.stderr.contains("100 records"), "{}", ran.stderr);
    assert_eq!(log.run("replay", &[]).exits(0).lines().len(), 100);
}
