//! `wal append`.

use std::fs;
use std::sync::Arc;

use wal::parts::core::{Applied, Transform, TransformId};

use crate::fixture::{Log, numbered, wal};

#[test]
fn every_line_becomes_a_record_and_comes_back() {
    let log = Log::new();
    let ran = log.append(&[], b"one\n\nthree \r\n\xff\xfe\nno newline").exits(0);
    assert_eq!(ran.stdout, b"");
    assert!(ran.stderr.contains("5 records, 22 bytes, LSN 1 to 5"), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    let read = log.run("replay", &[]).exits(0);
    assert_eq!(read.stdout, b"one\n\nthree \r\n\xff\xfe\nno newline\n");
}

#[test]
fn with_ack_every_lsn_is_on_a_line_of_its_own_in_order() {
    let log = Log::new();
    let mut first = 1;
    let strategies =
        ["sync", "group-commit", "flush-thread", "pipelined", "parallel", "batch", "os"];
    for strategy in strategies {
        let args = ["--ack", "--strategy", strategy, "--segment-size", "16k"];
        let ran = log.append(&args, &numbered(1500)).exits(0);
        let acks: Vec<u64> = ran.lines().iter().map(|line| line.parse().unwrap()).collect();
        assert_eq!(acks, (first..first + 1500).collect::<Vec<_>>(), "{strategy}");
        first += 1500;
    }
    assert!(log.segments().len() > 5);
    assert_eq!(log.run("replay", &[]).exits(0).stdout, numbered(1500).repeat(strategies.len()));
}

/// Not the time but the number of syncs is compared: lines that are there at once share one.
#[test]
fn a_fast_pipe_is_committed_in_groups() {
    let log = Log::new();
    let ran = log.append(&["--ack"], &numbered(20_000)).exits(0);
    let summary = ran.stderr.lines().last().unwrap();
    let part = summary.split(", ").find(|part| part.contains(" sync")).unwrap();
    let (syncs, _) = part.split_once(' ').unwrap();
    assert!(syncs.parse::<u64>().unwrap() <= 2_000, "{summary}");
}

#[test]
fn nothing_to_append_is_no_failure() {
    let log = Log::new();
    let ran = log.append(&["--ack"], b"").exits(0);
    assert_eq!(ran.stdout, b"");
    assert!(ran.stderr.contains("0 records, 0 bytes, no LSN"), "{}", ran.stderr);
    assert_eq!(log.run("replay", &[]).exits(0).stdout, b"");
    assert_eq!(log.run("verify", &[]).exits(0).text(), "clean: an empty log\n");
}

#[test]
fn a_line_over_the_record_limit_ends_it_and_what_came_before_is_durable() {
    let log = Log::new();
    let mut input = b"one\ntwo\n".to_vec();
    input.resize(input.len() + (16 << 20) + 1, b'x');
    input.extend_from_slice(b"\nfour\n");
    let ran = log.append(&["--ack"], &input).exits(1);
    assert_eq!(ran.lines(), ["1", "2"]);
    for part in ["durable: LSN 1 to 2", "line 3", "16777216 bytes"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    assert_eq!(log.run("replay", &[]).exits(0).stdout, b"one\ntwo\n");
}

#[test]
fn the_largest_record_gets_a_segment_of_its_own() {
    let log = Log::new();
    let mut input = vec![b'x'; 16 << 20];
    input.push(b'\n');
    log.append(&["--segment-size", "16k"], &input).exits(0);
    assert_eq!(log.run("replay", &[]).exits(0).stdout, input);
    log.run("verify", &[]).exits(0);
}

#[test]
fn what_is_no_command_line_is_refused_with_2() {
    let log = Log::of(b"one\n");
    let dir = log.dir.to_str().unwrap();
    for args in [
        vec![],
        vec!["append"],
        vec!["append", dir, "--strategy", "none"],
        vec!["append", dir, "--strategy", "tokio"],
        vec!["append", dir, "--segment-size", "1k"],
        vec!["append", dir, "--segment-size", "lots"],
        vec!["replay", dir, "--from", "0"],
        vec!["replay", dir, "--from", "-1"],
        vec!["replay", dir, "--from", "2", "--to", "1"],
        vec!["verify"],
        vec!["verify", dir, "--repair"],
        vec!["undo", dir],
    ] {
        let output = wal(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let log = Log::new();
    fs::write(&log.dir, "a file").unwrap();
    let ran = log.append(&[], b"one\n").exits(1);
    assert!(ran.stderr.contains(log.dir.to_str().unwrap()), "{}", ran.stderr);
}

/// Lines in a log of another codec are damage to the program that reads it, and `append` took any log.
#[test]
fn codec_mixups() {
    let log = Log::new();
    let codec = wal::CodecId(2);
    let wal = wal::Wal::builder(&log.dir).codec(codec).open().unwrap().0;
    wal.append_durable([1, 2, 3]).unwrap();
    wal.close().unwrap();
    let before = log.contents();
    let refused = log.append(&[], b"hello\n").exits(1);
    assert!(
        refused.stderr.contains("codec 2") && refused.stderr.contains("--plain"),
        "{refused:?}"
    );
    assert_eq!(log.contents(), before, "nothing was changed");
    log.append(&["--plain"], b"hello\n").exits(0);
    assert_eq!(log.run("replay", &["--from", "2"]).exits(0).lines(), ["hello"]);
    let told = log.run("stat", &["--json"]).exits(0).json();
    assert_eq!(told[0]["newest"]["codec"], 2, "the log keeps its codec");
}

/// Lines would be stored as they are in a log whose frames are sealed or compressed.
#[test]
fn lines_for_a_log_with_a_transform() {
    #[derive(Debug)]
    struct Turned;
    impl Transform for Turned {
        fn id(&self) -> TransformId {
            TransformId(200)
        }

        fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> wal::Result<Applied> {
            out.extend(body.iter().map(|byte| !byte));
            Ok(Applied::Stored)
        }

        fn undo(&self, stored: &[u8], _: usize, out: &mut Vec<u8>) -> wal::Result<()> {
            out.extend(stored.iter().map(|byte| !byte));
            Ok(())
        }
    }

    let log = Log::new();
    let wal = wal::Wal::builder(&log.dir).transform(Arc::new(Turned)).open().unwrap().0;
    wal.append_durable("secret").unwrap();
    wal.close().unwrap();
    let before = log.contents();
    let refused = log.append(&[], b"hello\n").exits(1);
    assert!(
        refused.stderr.contains("transform") && refused.stderr.contains("--plain"),
        "{refused:?}"
    );
    assert_eq!(log.contents(), before, "nothing was changed");
    log.append(&["--plain", "--ack"], b"hello\n").exits(0);
}
