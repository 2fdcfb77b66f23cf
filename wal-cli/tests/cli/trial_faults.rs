//! What a first use met: each by the name of its case.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;

use crate::fixture::{Log, Writer, killed, numbered};

/// The last segment cut from outside passed as a torn tail: "bytes that no sync had covered", and the LSNs
/// of 7,367 acknowledged records were given out again.
#[test]
fn a1_a_file_that_was_cut_from_outside_is_no_torn_tail() {
    for cut in [70_001_u64, 70_000, 4096, 4097] {
        let log = Log::new();
        let mut writer = Writer::start(&log, &["--segment-size", "1m"]);
        for n in 0..300 {
            writer.commit(&format!("{n:0500}"));
        }
        writer.kill();
        let path = log.segments()[0].clone();
        fs::File::options().write(true).open(&path).unwrap().set_len(cut).unwrap();
        let text = log.run("verify", &[]).exits(4).text();
        assert!(!text.contains("no sync had covered"), "{cut}: {text}");
        // The record that is missing is named, and no other.
        assert!(cut < 70_000 || !text.lines().any(|line| line.ends_with("lsn=1")), "{cut}: {text}");
        log.append(&["--ack"], b"more\n").exits(4);
        assert_eq!(fs::metadata(&path).unwrap().len(), cut);
    }
    // A torn write in a file of the right size is a torn tail, and nothing is claimed of it.
    let log = killed(&["one", "two"]);
    let path = log.segments()[0].clone();
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[end] ^= 1;
    fs::write(&path, bytes).unwrap();
    let text = log.run("verify", &[]).exits(3).text();
    assert!(text.contains("that nothing vouches for"), "{text}");
}

/// "clean: an empty log", and LSN 1 again.
#[test]
fn a8_segments_that_vanished_are_missed() {
    let log = Log::of(&numbered(1000));
    let segments = log.segments();
    let aside: Vec<_> = segments.iter().map(|path| fs::read(path).unwrap()).collect();
    for gone in [segments.len() - 1, 0] {
        for path in &segments[gone..] {
            fs::remove_file(path).unwrap();
        }
        for verb in ["verify", "replay", "stat", "segments"] {
            let ran = log.run(verb, &[]);
            assert_eq!(ran.code, 4, "{verb} without {gone} and later: {ran:?}");
        }
        log.append(&["--ack"], b"more\n").exits(4);
        assert_eq!(log.segments().len(), gone, "a new log was begun");
        for (path, bytes) in segments.iter().zip(&aside) {
            fs::write(path, bytes).unwrap();
        }
    }
    log.run("verify", &[]).exits(0);
}

/// Each round of a crash, and a restart that dies before it appends, kept a whole prepared segment.
#[test]
fn b7_a_crash_loop_does_not_grow() {
    let log = Log::new();
    let taken = |log: &Log| -> u64 {
        log.segments().iter().map(|path| fs::metadata(path).unwrap().blocks() * 512).sum()
    };
    let (mut rounds, mut most) = (Vec::new(), 0);
    for round in 1..=6_u64 {
        let mut writer = Writer::start(&log, &["--segment-size", "4m"]);
        assert_eq!(writer.commit("record"), round);
        writer.kill();
        // One that dies before it appends anything, but not before it has recovered.
        let mut idle = log.command("append", &["--segment-size", "4m"]).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(idle.stderr.take().unwrap()).read_line(&mut said).unwrap();
        assert!(said.starts_with("recovered: "), "{said}");
        idle.kill().unwrap();
        idle.wait().unwrap();
        rounds.push(taken(&log));
        most = most.max(taken(&log));
    }
    // The newest segment and the one before it may still have what was prepared for them.
    assert!(most < 3 * (4 << 20), "{rounds:?}");
    assert_eq!(log.run("replay", &[]).exits(0).lines().len(), 6);
    log.append(&[], b"").exits(0);
}
