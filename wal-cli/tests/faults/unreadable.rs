//! Sectors that cannot be read any more.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::strace::{place, with_strace};

const WAL: &str = env!("CARGO_BIN_EXE_wal");

/// `wal VERB LOG ARGS`, where no byte of this segment can be read.
fn run(log: &Path, unreadable: u64, verb: &str, args: &[&str]) -> (i32, String) {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "signal=none", "-o", "/dev/null", "-P"]);
    command.arg(log.join(format!("{unreadable:020}.wal")));
    command.args(["--trace=pread64", "--inject=pread64:error=EIO", WAL, verb]).arg(log).args(args);
    said(command.stdin(Stdio::null()).output().unwrap())
}

fn said(ran: Output) -> (i32, String) {
    let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
    (ran.status.code().unwrap(), said)
}

/// A log of 99 records in many segments, and how many.
fn many(dir: &Path) -> (PathBuf, u64) {
    let log = dir.join("log");
    let lines = format!("seq -f '%0999g' 99 | {WAL} append {} --segment-size 16k", log.display());
    assert!(Command::new("sh").args(["-c", &lines]).status().unwrap().success());
    let segments = std::fs::read_dir(&log)
        .unwrap()
        .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().ends_with(".wal"))
        .count() as u64;
    assert!(segments > 5, "{segments}");
    (log, segments)
}

/// `verify` ended with 1 at the first sector that could not be read, with no word on the rest; and a log
/// whose header before the newest could not be read neither opened nor was pruned, where one that reads
/// wrong does both.
#[test]
fn f16_what_cannot_be_read_is_told_as_what_reads_wrong_is() {
    with_strace("unreadable::f16_what_cannot_be_read_is_told_as_what_reads_wrong_is", || {
        let dir = place();
        let (log, segments) = many(dir.path());
        // Another damage, which is to be found, too.
        let other = log.join(format!("{:020}.wal", 4));
        let sound = std::fs::read(&other).unwrap();
        let mut bytes = sound.clone();
        bytes[9000] ^= 1;
        std::fs::write(&other, bytes).unwrap();
        let (code, text) = run(&log, 2, "verify", &[]);
        assert_eq!(code, 4, "{text}");
        assert!(text.contains("cannot be read") && text.contains("segment=2 "), "{text}");
        assert!(text.contains("segment=4 "), "{text}");
        std::fs::write(&other, sound).unwrap();

        for unreadable in [2, segments - 1] {
            let (code, text) = run(&log, unreadable, "append", &[]);
            assert_eq!(code, 0, "{unreadable}: {text}");
        }
        let (code, text) = run(&log, 1, "prune", &["--before", "90"]);
        assert_eq!(code, 0, "{text}");
        let mut verify = Command::new(WAL);
        assert_eq!(said(verify.arg("verify").arg(&log).output().unwrap()).0, 0);
    });
}

/// Every command but `verify` ended with 1 at a newest segment that cannot be read, against the list of exit
/// codes, and said nothing of what can be done; `replay` printed nothing of what is before it.
#[test]
fn an_unreadable_newest_segment_is_damage_to_every_command() {
    with_strace("unreadable::an_unreadable_newest_segment_is_damage_to_every_command", || {
        let dir = place();
        let (log, newest) = many(dir.path());
        let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
        let commands: [(&str, &[&str]); 9] = [
            ("verify", &[]),
            ("stat", &[]),
            ("segments", &[]),
            ("replay", &[]),
            ("dump", &[]),
            ("append", &[]),
            ("prune", &["--before", "50"]),
            ("backup", &[one.to_str().unwrap()]),
            ("compact", &[two.to_str().unwrap(), "--key-bytes", "1"]),
        ];
        for (verb, args) in commands {
            let (code, text) = run(&log, newest, verb, args);
            assert_eq!(code, 4, "{verb}: {text}");
            assert!(text.contains("Input/output error"), "{verb}: {text}");
            if verb == "verify" {
                continue;
            }
            for part in [&format!("segment={newest}"), "hint: the disk does not", "ddrescue"] {
                assert!(text.contains(part), "{verb}, {part}: {text}");
            }
        }
        // What the hint promises.
        let (_, text) = run(&log, newest, "replay", &[]);
        let records = text.lines().filter(|line| line.len() == 999).count();
        assert!((80..99).contains(&records), "{records}: {text}");
    });
}

/// A header before the newest that could not be read kept every limit but `--before` from pruning anything,
/// also what is before and behind it; and `--before` left its file without a word.
#[test]
fn an_unreadable_header_keeps_no_other_segment_from_being_pruned() {
    let name = "unreadable::an_unreadable_header_keeps_no_other_segment_from_being_pruned";
    with_strace(name, || {
        let limits: [&[&str]; 4] = [
            &["--keep-segments", "3"],
            &["--before", "85"],
            &["--keep-bytes", "50000"],
            &["--older-than", "0s"],
        ];
        for unreadable in [1, 2, 7] {
            for limit in limits {
                let dir = place();
                let (log, segments) = many(dir.path());
                let context = format!("segment {unreadable} of {segments}, {limit:?}");
                let (code, text) = run(&log, unreadable, "prune", limit);
                assert_eq!(code, 0, "{context}: {text}");
                let warning = format!("warning: pruned and still there: segment {unreadable}:");
                assert_eq!(text.matches(&warning).count(), 1, "{context}: {text}");
                assert!(text.contains("Input/output error"), "{context}: {text}");
                for id in 1..segments - 3 {
                    let there = log.join(format!("{id:020}.wal")).exists();
                    assert_eq!(there, id == unreadable, "{context}: {id}: {text}");
                }
                // It goes once it can be read.
                assert_eq!(run(&log, 99, "append", &[]).0, 0, "{context}");
                assert!(!log.join(format!("{unreadable:020}.wal")).exists(), "{context}");
                assert_eq!(run(&log, 99, "verify", &[]).0, 0, "{context}");
            }
        }
        // Nor is it what the log begins with.
        let dir = place();
        let (log, segments) = many(dir.path());
        let keep = (segments - 6).to_string();
        let (code, text) = run(&log, 7, "prune", &["--keep-segments", &keep]);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("went: segments 5,"), "{text}");
        assert!(log.join(format!("{:020}.wal", 6)).exists());
    });
}
