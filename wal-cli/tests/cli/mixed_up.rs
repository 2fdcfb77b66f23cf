//! Segment files that are lost, copied, swapped or another log's: what every tool says of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fixture::{Log, Ran, numbered};

/// Verifying and replaying name one of these segments, with exit code 4, and change nothing.
fn read_as_corrupt(log: &Log, segments: &[usize], context: &str) {
    let before = files(log);
    for verb in ["verify", "replay"] {
        named(&log.run(verb, &[]), segments, context);
    }
    assert_eq!(files(log), before, "{context}: the evidence is untouched");
}

/// So does appending, which reads the newest segment and looks at the one before.
fn corrupt(log: &Log, segments: &[usize], context: &str) {
    read_as_corrupt(log, segments, context);
    let before = files(log);
    named(&log.append(&["--ack"], b"more\n"), segments, context);
    assert_eq!(files(log), before, "{context}: the evidence is untouched");
}

fn named(ran: &Ran, segments: &[usize], context: &str) {
    assert_eq!(ran.code, 4, "{context}: {ran:?}");
    let said = format!("{}{}", ran.text(), ran.stderr);
    let names = |segment: &usize| said.contains(&format!("segment={segment} "));
    assert!(segments.iter().any(names), "{context}: {said}");
}

fn files(log: &Log) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = log.segments();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// A log of several segments and its files, oldest first.
fn written() -> (Log, Vec<PathBuf>) {
    let log = Log::of(&numbered(3000));
    let segments = log.segments();
    assert!(segments.len() > 4);
    (log, segments)
}

/// Puts the segments back as they were.
fn restored(segments: &[(PathBuf, Vec<u8>)]) {
    for (path, bytes) in segments {
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_segment_that_vanished_is_named() {
    let (log, segments) = written();
    for (index, path) in segments[..segments.len() - 1].iter().enumerate() {
        let bytes = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        read_as_corrupt(&log, &[index + 1], &format!("without {}", index + 1));
        fs::write(path, bytes).unwrap();
    }
    log.run("verify", &[]).exits(0);
}

#[test]
fn two_swapped_segments_are_named_by_every_tool() {
    let (log, segments) = written();
    let whole = files(&log);
    let newest = segments.len() - 1;
    for other in [0, newest - 1] {
        swap(&segments[other], &segments[newest]);
        corrupt(&log, &[other + 1, newest + 1], &format!("{} and {}", other + 1, newest + 1));
        restored(&whole);
    }
    log.run("verify", &[]).exits(0);
}

fn swap(one: &Path, other: &Path) {
    let (first, second) = (fs::read(one).unwrap(), fs::read(other).unwrap());
    fs::write(one, second).unwrap();
    fs::write(other, first).unwrap();
}

#[test]
fn a_copy_under_the_next_number_is_named_by_every_tool() {
    let (log, segments) = written();
    let next = log.dir.join(format!("{:020}.wal", segments.len() + 1));
    for (index, path) in segments.iter().enumerate() {
        fs::copy(path, &next).unwrap();
        corrupt(&log, &[segments.len() + 1], &format!("{} again", index + 1));
        fs::remove_file(&next).unwrap();
    }
    log.run("verify", &[]).exits(0);
}

#[test]
fn a_segment_of_another_log_is_named() {
    let (log, segments) = written();
    let (_other, others) = written();
    for (index, (path, other)) in segments.iter().zip(&others).enumerate() {
        let whole = fs::read(path).unwrap();
        fs::copy(other, path).unwrap();
        // Which of the two beside each other is the stranger cannot be told.
        let beside = [index, index + 1, index + 2];
        let context = format!("{} is another log's", index + 1);
        // Appending looks no further back than that.
        if index + 2 >= segments.len() {
            corrupt(&log, &beside, &context);
        } else {
            read_as_corrupt(&log, &beside, &context);
        }
        fs::write(path, whole).unwrap();
    }
    log.run("verify", &[]).exits(0);
}
