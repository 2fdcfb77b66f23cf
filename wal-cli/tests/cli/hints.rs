//! What the tool says to do next, and that it is so.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::fixture::{Log, Ran, Writer, flip, numbered, wal};

/// Every command with what it needs, but for `demo`, which works in a directory of its own.
fn every_command(root: &Path) -> Vec<(&'static str, Vec<String>)> {
    let target = |name: &str| root.join(name).to_str().unwrap().to_owned();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    vec![
        ("append", words(&[])),
        ("prune", words(&["--keep-segments", "1"])),
        ("replay", words(&[])),
        ("dump", words(&[])),
        ("stat", words(&[])),
        ("segments", words(&[])),
        ("verify", words(&[])),
        ("backup", vec![target("backup")]),
        ("compact", [vec![target("compact")], words(&["--key-bytes", "1"])].concat()),
    ]
}

fn run(log: &Log, verb: &str, args: &[String]) -> Ran {
    log.run(verb, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn beside_a_writer_every_command_works_but_the_two_that_the_hint_names() {
    let log = Log::new();
    let mut writer = Writer::start(&log, &[]);
    writer.commit("one");
    let root = tempfile::tempdir().unwrap();
    for (verb, args) in every_command(root.path()) {
        let ran = run(&log, verb, &args);
        if ["append", "prune"].contains(&verb) {
            let told = ran.exits(1).stderr;
            assert!(told.contains(&format!("process {}", writer.child.id())), "{told}");
            assert!(told.contains("hint: one process writes a log at a time"), "{verb}: {told}");
            assert!(told.contains("every command but append and prune works beside it"), "{told}");
        } else {
            assert_eq!(ran.exits(0).stderr, "", "{verb}");
        }
    }
}

#[test]
fn where_no_log_is_every_command_but_append_says_what_is_there_instead() {
    let root = tempfile::tempdir().unwrap();
    let copies = root.path().join("copies");
    for (what, message) in [
        ("missing", "No such file or directory"),
        ("empty", "there is no log in"),
        ("other", "there is no log in"),
        ("a directory for a lock", "there is no log in"),
        ("file", "not a directory"),
    ] {
        let log = Log::new();
        match what {
            "missing" => {}
            "file" => fs::write(&log.dir, "a file").unwrap(),
            _ => fs::create_dir(&log.dir).unwrap(),
        }
        match what {
            "other" => fs::write(log.dir.join("notes.txt"), "something else").unwrap(),
            "a directory for a lock" => fs::create_dir(log.dir.join("LOCK")).unwrap(),
            _ => {}
        }
        for (verb, args) in every_command(&copies) {
            if verb == "append" {
                continue;
            }
            let told = run(&log, verb, &args).exits(1).stderr;
            assert!(told.contains(message), "{verb}, {what}: {told}");
            assert!(told.contains(log.dir.to_str().unwrap()), "{verb}, {what}: {told}");
        }
        assert!(!copies.exists(), "{what}: a copy of nothing was begun");
    }
}

#[test]
fn a_pruned_record_is_told_with_where_to_look() {
    let log = Log::of(&numbered(1000));
    log.run("prune", &["--keep-segments", "1"]).exits(0);
    let told = log.run("replay", &["--from", "1"]).exits(1).stderr;
    assert!(told.contains("the record was pruned: lsn=1"), "{told}");
    assert!(told.contains("hint: `wal stat` says with which record the log begins"), "{told}");
    let stat = log.run("stat", &["--json"]).exits(0).json();
    let first = stat[0]["first_lsn"].as_u64().unwrap().to_string();
    log.run("replay", &["--from", &first]).exits(0);
}

/// The copy must not be taken for one, and what is no copy must not be told to be deleted. It was told as
/// records that an interrupted recovery relied on, and copying there again as a store that is not empty.
#[test]
fn a9_a_copy_that_ended_early_is_told_as_that_and_its_directory_is_used_again() {
    let log = Log::of(&numbered(1000));
    let identity = log.run("stat", &["--json"]).exits(0).json()[0]["newest"]["log"].clone();
    let identity = identity.as_str().unwrap();
    let root = tempfile::tempdir().unwrap();
    let whole = root.path().join("whole").to_str().unwrap().to_owned();
    log.run("backup", &[&whole]).exits(0);
    let damaged = log.segments()[1].clone();
    let sound = fs::read(&damaged).unwrap();
    flip(&damaged, 8000);
    let copy = root.path().join("copy").to_str().unwrap().to_owned();
    let told = log.run("backup", &[&copy]).exits(4).stderr;
    let note = format!("note: the copy in {copy} is not finished; delete it");
    assert!(told.contains(&note), "{told}");
    assert!(told.contains("hint: nothing in the log was changed"), "{told}");

    let what =
        format!("an unfinished copy of log {identity} through LSN 1000: delete it and begin again");
    let third = root.path().join("third").to_str().unwrap().to_owned();
    for args in [
        ["verify", &copy].as_slice(),
        &["replay", &copy],
        &["stat", &copy],
        &["segments", &copy],
        &["dump", &copy],
        &["append", &copy],
        &["prune", &copy, "--keep-segments", "1"],
        &["backup", &copy, &third],
        &["compact", &copy, &third, "--key-bytes", "1"],
    ] {
        let ran = Ran::of(wal(args).stdin(Stdio::null()).output().unwrap()).exits(4);
        let said = format!("{}{}", ran.text(), ran.stderr);
        assert!(said.contains(&what), "{args:?}: {said}");
        assert!(!said.contains("segment is missing"), "{args:?}: {said}");
    }
    assert!(!Path::new(&third).exists(), "a copy of a copy was begun");

    let fresh = root.path().join("fresh").to_str().unwrap().to_owned();
    let key = ["--key-bytes", "1"].as_slice();
    // A compaction has read all of the log before it writes anything.
    for (verb, target, args, code, what) in [
        ("backup", &whole, [].as_slice(), 1, "not empty"),
        ("compact", &whole, key, 4, "segment=2"),
        ("compact", &fresh, key, 4, "segment=2"),
    ] {
        let told = log.run(verb, &[&[target.as_str()], args].concat()).exits(code).stderr;
        assert!(told.contains(what), "{verb} {target}: {told}");
        assert!(!told.contains("delete it"), "{verb} {target}: {told}");
    }

    // The mark proves that the remains are those of a copy: so the next one begins anew by itself.
    log.run("backup", &[&copy]).exits(4);
    fs::write(&damaged, sound).unwrap();
    log.run("backup", &[&copy]).exits(0);
    let copied = Ran::of(wal(["replay", &copy]).output().unwrap()).exits(0);
    assert_eq!(copied.stdout, log.run("replay", &[]).exits(0).stdout);
    Ran::of(wal(["verify", &copy]).output().unwrap()).exits(0);
    log.run("backup", &[&copy]).exits(1);
}

/// Two copies into one directory: the hint was that every command but append and prune works.
#[test]
fn f15_a_copy_into_a_directory_that_is_in_use_is_told_so() {
    let log = Log::of(&numbered(10));
    let target = Log::new();
    let mut writer = Writer::start(&target, &[]);
    writer.commit("one");
    let told = log.run("backup", &[target.dir.to_str().unwrap()]).exits(1).stderr;
    assert!(told.contains("another process writes into"), "{told}");
    assert!(told.contains(target.dir.to_str().unwrap()), "{told}");
    assert!(!told.contains("every command but"), "{told}");
}
