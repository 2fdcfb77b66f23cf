//! A log that another process holds open.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use serde_json::json;

use crate::fixture::{Log, Writer};

#[test]
fn everything_that_reads_works_beside_a_writer() {
    let log = Log::new();
    let mut writer = Writer::start(&log, &["--segment-size", "64k"]);
    assert_eq!(writer.commit("one"), 1);
    assert_eq!(writer.commit("two"), 2);
    assert_eq!(log.run("replay", &[]).exits(0).stdout, b"one\ntwo\n");
    assert_eq!(log.run("verify", &[]).exits(0).text(), "clean: 1 segment, LSN 1 to 2\n");
    let told = log.run("stat", &["--json"]).exits(0).json();
    assert_eq!((&told[0]["last_lsn"], &told[0]["newest"]["ending"]), (&json!(2), &json!("open")));
    assert_eq!(log.frames().len(), 2);

    // Each look is at the log as it is then, and the writer is none the wiser.
    assert_eq!(writer.commit("three"), 3);
    assert_eq!(log.run("replay", &["--from", "3"]).exits(0).stdout, b"three\n");
}

#[test]
fn a_second_writer_is_refused_and_told_what_to_do() {
    let log = Log::new();
    let mut writer = Writer::start(&log, &[]);
    writer.commit("one");
    let ran = log.append(&["--ack"], b"two\n").exits(1);
    assert_eq!(ran.stdout, b"");
    for part in ["open for writing", "every command but append and prune works beside it"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let holder = format!("process {}", writer.child.id());
    assert!(ran.stderr.contains(&holder), "{}", ran.stderr);
    assert_eq!(writer.commit("two"), 2);
    writer.kill();
    // A dead process's lock is free.
    log.append(&[], b"three\n").exits(0);
    assert_eq!(log.run("replay", &[]).exits(0).stdout, b"one\ntwo\nthree\n");
}

/// How many records are written beside each look, at the most.
const BESIDE: u64 = 3000;

/// Frames appear while they are looked at. A cursor once took one that had come since it last read,
/// and which later ones vouched for, for corruption.
///
/// The writer gets a number of records for each look. While it wrote on and on, each look had
/// more to read than the one before, and on a machine with other work the last ones took minutes.
#[test]
fn a_log_that_grows_while_it_is_read_is_never_damaged() {
    let log = Log::new();
    let mut writer = Writer::start(&log, &["--segment-size", "1m"]);
    writer.commit("0");
    let Writer { child, stdin, acks } = &mut writer;
    thread::scope(|scope| {
        let (looks, begun) = sync_channel::<()>(0);
        scope.spawn(move || {
            let mut n = 1_u64;
            for () in begun {
                let last = n + BESIDE;
                // Until the other side is killed.
                while n < last && writeln!(stdin, "{n}").is_ok() {
                    n += 1;
                }
            }
        });
        scope.spawn(move || std::io::copy(acks, &mut std::io::sink()));
        let log = &log;
        let rounds = move || {
            for _ in 0..15 {
                look(log, &looks);
            }
        };
        let looked = catch_unwind(AssertUnwindSafe(rounds));
        child.kill().unwrap();
        if let Err(panic) = looked {
            resume_unwind(panic);
        }
    });
}

fn look(log: &Log, looks: &SyncSender<()>) {
    // Waits until the records of the last one are with the writer.
    looks.send(()).unwrap();
    let read = log.run("replay", &["--json"]);
    let lsns = read.lines();
    let last = lsns.last().map(|line| line.contains(&format!("\"lsn\":{},", lsns.len())));
    assert_eq!((read.code, last), (0, Some(true)), "{}", read.stderr);
    for verb in ["verify", "stat"] {
        looks.send(()).unwrap();
        let ran = log.run(verb, &[]);
        // A write under way may look torn to a single look, never corrupt.
        assert!([0, 3].contains(&ran.code), "{verb}: {} {}", ran.text(), ran.stderr);
    }
}
