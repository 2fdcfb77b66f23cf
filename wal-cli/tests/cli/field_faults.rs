//! What people report of other logs, tried on this one: files that somebody removed, replaced, linked or
//! emptied, another log's files, limits. Each by the name of its case.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wal::parts::core::format::SegmentHeader;
use wal::{Config, Lsn, Recycling, Wal};

use crate::fixture::{Log, Ran, Writer, numbered, wal};

/// The file of this segment.
fn segment(log: &Log, id: u64) -> PathBuf {
    log.dir.join(format!("{id:020}.wal"))
}

/// A log of six records in two segments.
fn of_two_segments() -> Log {
    let log = Log::new();
    log.append(&[], b"1\n2\n3\n").exits(0);
    log.append(&[], b"4\n5\n6\n").exits(0);
    assert_eq!(log.segments().len(), 2);
    log
}

/// Every command that reads or writes the log names this segment, with exit code 4, and the directory is
/// what it was, but for the lock file and the anchor.
fn refused(log: &Log, id: u64, context: &str) {
    let before = names_and_files(log);
    let text = log.run("verify", &[]).exits(4).text();
    assert!(text.contains(&format!("segment={id} ")), "{context}: {text}");
    assert!(!text.contains("clean") && !text.contains("nothing is lost"), "{context}: {text}");
    for (verb, args) in [("append", [].as_slice()), ("prune", &["--keep-segments", "1"])] {
        let ran = log.run(verb, args);
        assert_eq!(ran.code, 4, "{context}, {verb}: {ran:?}");
        assert!(ran.stderr.contains(&format!("segment={id}")), "{context}, {verb}: {}", ran.stderr);
    }
    assert_eq!(names_and_files(log), before, "{context}: something was changed");
}

fn names_and_files(log: &Log) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let paths = fs::read_dir(&log.dir).unwrap().map(|entry| entry.unwrap().path());
    let ours = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "wal" || kind == "old");
    let mut files: Vec<_> =
        paths.filter(ours).map(|path| (path.clone(), fs::read(path).ok())).collect();
    files.sort();
    files
}

/// A name that was taken was deleted, whoever had it.
#[test]
fn f1_a_name_that_is_taken_is_left_to_its_owner() {
    let log = of_two_segments();
    let elsewhere = log.dir.with_extension("elsewhere");
    fs::rename(segment(&log, 2), &elsewhere).unwrap();
    symlink("../log.elsewhere", segment(&log, 2)).unwrap();
    log.append(&[], b"7\n").exits(0);
    assert!(segment(&log, 2).symlink_metadata().unwrap().is_symlink());
    let all = log.run("replay", &[]).exits(0).lines();
    assert_eq!(all, ["1", "2", "3", "4", "5", "6", "7"]);
    log.run("verify", &[]).exits(0);

    let log = of_two_segments();
    fs::write(segment(&log, 3), "somebody's notes").unwrap();
    refused(&log, 3, "a text under the next number");
}

/// Whoever removed or replaced LOCK let a second writer in, and the first went on acknowledging.
#[test]
fn f2_a_lock_file_that_is_removed_or_replaced_lets_nobody_in() {
    for how in ["removed", "replaced", "renamed over"] {
        let log = Log::new();
        let mut writer = Writer::start(&log, &[]);
        writer.commit("one");
        let lock = log.dir.join("LOCK");
        match how {
            "removed" => fs::remove_file(&lock).unwrap(),
            "replaced" => {
                fs::remove_file(&lock).unwrap();
                fs::write(&lock, "").unwrap();
            }
            _ => {
                fs::write(log.dir.join("x"), "").unwrap();
                fs::rename(log.dir.join("x"), &lock).unwrap();
            }
        }
        let second = log.append(&["--ack"], b"second\n").exits(1);
        assert_eq!(second.stdout, b"", "{how}");
        assert!(second.stderr.contains("open for writing"), "{how}: {}", second.stderr);
        log.run("prune", &["--keep-segments", "1"]).exits(1);
        assert_eq!(writer.commit("two"), 2);
        writer.kill();
        assert_eq!(log.run("replay", &[]).exits(0).text(), "one\ntwo\n", "{how}");
        log.append(&[], b"three\n").exits(0);
        log.run("verify", &[]).exits(0);
    }
}

/// The same, as it was first seen: both sides ended with 0, and three acknowledged records were gone.
#[test]
fn b1_the_lock_is_not_a_name() {
    let log = Log::new();
    let mut first = Writer::start(&log, &[]);
    for (record, lsn) in [("A1", 1), ("A2", 2), ("A3", 3)] {
        assert_eq!(first.commit(record), lsn);
    }
    fs::remove_file(log.dir.join("LOCK")).unwrap();
    log.append(&["--ack"], b"B1\nB2\nB3\nB4\n").exits(1);
    for (record, lsn) in [("A4", 4), ("A5", 5), ("A6", 6)] {
        assert_eq!(first.commit(record), lsn);
    }
    first.kill();
    assert_eq!(log.run("replay", &[]).exits(0).lines(), ["A1", "A2", "A3", "A4", "A5", "A6"]);
}

/// Another log's segments counted as obsolete ones, or this log's did: deleted by the next open.
#[test]
fn f3_segments_of_another_log_are_named_and_left() {
    let other = Log::new();
    let lines: Vec<u8> = (1..=99).flat_map(|n| format!("{n:0999}\n").into_bytes()).collect();
    other.append(&["--segment-size", "16k"], &lines).exits(0);
    other.run("prune", &["--keep-segments", "2"]).exits(0);
    let log = Log::of(b"1\n2\n3\n");
    for path in other.segments() {
        fs::copy(&path, log.dir.join(path.file_name().unwrap())).unwrap();
    }
    let before = names_and_files(&log);
    let text = log.run("verify", &[]).exits(4).text();
    assert!(text.starts_with("corrupt"), "{text}");
    log.append(&[], b"").exits(4);
    log.run("prune", &["--keep-segments", "1"]).exits(4);
    assert_eq!(names_and_files(&log), before, "something was changed");

    // A copy put back into a directory that was not emptied: its numbers are lower ones.
    let log = of_two_segments();
    log.run("prune", &["--keep-segments", "1"]).exits(0);
    fs::copy(Log::of(b"other\n").segments()[0].clone(), segment(&log, 1)).unwrap();
    let before = names_and_files(&log);
    let text = log.run("verify", &[]).exits(4).text();
    assert!(text.contains("segment=1 "), "{text}");
    log.append(&[], b"").exits(4);
    assert_eq!(names_and_files(&log), before, "something was changed");
}

/// Deleted by the next open, with "nothing is lost with it": three acknowledged records were in it.
#[test]
fn f4_a_newest_segment_that_was_emptied_is_damage_and_stays() {
    type Damage = fn(&Path);
    let cuts: [(&str, Damage); 5] = [
        ("emptied", |path| fs::write(path, "").unwrap()),
        ("cut to 100 bytes", |path| {
            File::options().write(true).open(path).unwrap().set_len(100).unwrap();
        }),
        ("zeroed", |path| fs::write(path, vec![0; 8192]).unwrap()),
        ("zeroed, one block", |path| fs::write(path, vec![0; 4096]).unwrap()),
        ("a text", |path| fs::write(path, "a text").unwrap()),
    ];
    for (what, damage) in cuts {
        let log = of_two_segments();
        damage(&segment(&log, 2));
        refused(&log, 2, what);
    }
    let log = of_two_segments();
    fs::remove_file(segment(&log, 2)).unwrap();
    fs::create_dir(segment(&log, 2)).unwrap();
    refused(&log, 2, "a directory");
}

/// A segment behind a link was not seen: "an empty log", and the next record got LSN 1.
#[test]
fn f5_segments_behind_links_are_followed_and_links_that_lead_nowhere_are_named() {
    for id in [1, 2] {
        let log = of_two_segments();
        let elsewhere = log.dir.with_extension("elsewhere");
        fs::rename(segment(&log, id), &elsewhere).unwrap();
        symlink("../log.elsewhere", segment(&log, id)).unwrap();
        let text = log.run("verify", &[]).exits(0).text();
        assert_eq!(text, "clean: 2 segments, LSN 1 to 6\n", "{id}");
        assert_eq!(log.run("replay", &[]).exits(0).lines(), ["1", "2", "3", "4", "5", "6"]);
        fs::rename(&elsewhere, log.dir.with_extension("gone")).unwrap();
        // An open reads the newest and goes on where an older one cannot be read; so it can be pruned.
        if id == 2 {
            refused(&log, id, "a link that leads nowhere");
        }
        let text = log.run("verify", &[]).exits(4).text();
        assert!(text.contains(&format!("segment={id} ")), "{text}");
        assert!(segment(&log, id).symlink_metadata().unwrap().is_symlink());
        fs::rename(log.dir.with_extension("gone"), &elsewhere).unwrap();
        assert_eq!(log.append(&["--ack"], b"7\n").exits(0).text(), "7\n");
        assert_eq!(log.run("replay", &[]).exits(0).lines().len(), 7);
    }
}

/// The files of pruned segments are used again, and a snapshot that links them had other records.
#[test]
fn f6_a_hard_linked_snapshot_is_left_alone() {
    let log = Log::new();
    let mut config = Config::default();
    config.segment_size = 16 * 1024;
    config.recycling = Some(Recycling::Keep(2));
    let (writer, _) = Wal::builder(&log.dir).config(config).open().unwrap();
    let fill = |records| {
        for _ in 0..records {
            writer.append_durable(vec![b'x'; 1000]).unwrap();
        }
    };
    fill(100);
    let snapshot = log.dir.with_extension("snapshot");
    fs::create_dir(&snapshot).unwrap();
    let sealed = log.segments();
    let sealed = &sealed[..sealed.len() - 1];
    assert!(sealed.len() >= 6);
    for path in sealed {
        fs::hard_link(path, snapshot.join(path.file_name().unwrap())).unwrap();
    }
    let contents = || {
        let mut files: Vec<_> =
            fs::read_dir(&snapshot).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>()
    };
    let before = contents();
    for _ in 0..4 {
        writer.prune_before(Lsn::new(writer.last_lsn().get() - 20)).unwrap();
        fill(60);
    }
    writer.close().unwrap();
    assert!(contents() == before, "the snapshot has other bytes");
    log.run("verify", &[]).exits(0);
}

/// `N.old` is what a careful person calls a file put aside.
#[test]
fn f8_a_file_put_aside_stays() {
    let log = Log::of(b"1\n2\n3\n");
    let aside: Vec<_> = ["old", "new", "bak"]
        .map(|kind| log.dir.join(format!("{:020}.{kind}", 1)))
        .into_iter()
        .chain([log.dir.join("1.wal"), log.dir.join("spare-1.tmp")])
        .collect();
    for path in &aside {
        fs::copy(segment(&log, 1), path).unwrap();
    }
    log.append(&[], b"").exits(0);
    log.append(&[], &numbered(3000)).exits(0);
    log.run("prune", &["--keep-segments", "1"]).exits(0);
    for path in &aside {
        assert!(path.is_file(), "{}", path.display());
    }
}

/// One segment that could not be removed kept all behind it, and each open said that it had dropped them.
#[test]
fn f10_what_cannot_be_deleted_does_not_keep_the_rest() {
    let log = Log::new();
    log.append(&["--strategy", "os", "--segment-size", "16k"], &numbered(3000)).exits(0);
    let all = log.segments();
    let aside = log.dir.with_extension("aside");
    fs::create_dir(&aside).unwrap();
    for path in &all[..5] {
        fs::copy(path, aside.join(path.file_name().unwrap())).unwrap();
    }
    log.run("prune", &["--keep-segments", "2"]).exits(0);
    for path in &all[..5] {
        fs::copy(aside.join(path.file_name().unwrap()), path).unwrap();
    }
    let lock =
        |how: &str| Command::new("chattr").arg(how).arg(&all[0]).stderr(Stdio::null()).status();
    if !lock("+i").is_ok_and(|status| status.success()) {
        return not_run(
            "f10_what_cannot_be_deleted_does_not_keep_the_rest",
            "chattr +i does not work",
        );
    }
    let ran = log.append(&[], b"more\n");
    let left = log.segments();
    let again = log.append(&[], b"");
    lock("-i").unwrap();
    let ran = ran.exits(0);
    assert!(
        left.contains(&all[0]) && all[1..5].iter().all(|path| !left.contains(path)),
        "{left:?}"
    );
    // What it says that it did, it did.
    for said in [&ran.stderr, &again.stderr] {
        assert!(!said.contains("dropped 5"), "{said}");
    }
    log.append(&[], b"").exits(0);
    assert!(!log.segments().contains(&all[0]));
    log.run("verify", &[]).exits(0);
}

fn not_run(test: &str, why: &str) {
    // Not `eprintln`, which the test harness swallows where a test passes.
    std::io::stderr().write_all(format!("NOT RUN: {test}: {why}\n").as_bytes()).unwrap();
    assert!(std::env::var_os("CI").is_none(), "in CI every test must run");
}

/// How often the log is pruned beside one look: less often than a look begins again, so however slow the
/// one is beside the other, it comes to its end. (On a machine with much other work a copy found the log
/// pruned at each of its beginnings.)
const PRUNED: u32 = 8;

/// Listing, replaying and copying ended with 1, "No such file or directory", beside a writer that prunes.
#[test]
fn f11_every_look_beside_a_writer_that_prunes_looks_again() {
    let log = Log::new();
    let mut config = Config::default();
    config.segment_size = 16 * 1024;
    config.recycling = Some(Recycling::Keep(2));
    let (writer, _) = Wal::builder(&log.dir).config(config).open().unwrap();
    writer.append_durable("first").unwrap();
    let root = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let (looks, begun) = std::sync::mpsc::sync_channel::<()>(0);
        let writer = &writer;
        scope.spawn(move || {
            for () in begun {
                (0..PRUNED).for_each(|_| append_and_prune(writer));
            }
        });
        for round in 0..12 {
            for verb in ["segments", "replay", "stat", "dump", "verify", "backup"] {
                let copy = root.path().join(format!("copy-{round}"));
                let args = if verb == "backup" { vec![copy.to_str().unwrap()] } else { vec![] };
                // Waits until what belongs to the last look is done.
                looks.send(()).unwrap();
                let ran = log.run(verb, &args);
                // A write under way may look torn.
                let fine = ran.code == 0 || verb == "verify" && ran.code == 3;
                assert!(fine, "{verb}: {} {} {}", ran.code, ran.text(), ran.stderr);
            }
        }
    });
    writer.close().unwrap();
    log.run("verify", &[]).exits(0);
}

fn append_and_prune(writer: &Wal) {
    for _ in 0..20 {
        writer.append(vec![b'x'; 1000]).unwrap();
    }
    writer.sync().unwrap();
    writer.prune_before(Lsn::new(writer.last_lsn().get().saturating_sub(60).max(1))).unwrap();
}

/// LSNs saturated: four records of one number, "appended", and a corrupt segment; with `--ack` a hang. No
/// log comes there by counting, so a header that is near the last number makes no sense.
#[test]
fn f12_the_last_lsn_is_the_end_and_said_before_anything_is_acknowledged() {
    let crafted = |first| {
        let log = Log::of(b"1\n");
        with_first_lsn(&log, first);
        log
    };
    for args in [[].as_slice(), &["--ack"]] {
        let log = crafted(Lsn::new(u64::MAX - 4));
        let ran = log.append(args, b"a\nb\nc\nd\ne\nf\ng\nh\n").exits(4);
        assert_eq!(ran.stdout, b"");
        log.run("verify", &[]).exits(4);

        let log = crafted(Lsn::new(Lsn::LAST.get() - 4));
        let ran = log.append(args, b"a\nb\nc\nd\ne\nf\ng\nh\n").exits(1);
        assert_eq!(ran.stdout, b"");
        assert!(ran.stderr.contains("the LSNs are used up"), "{}", ran.stderr);
        let told = log.run("stat", &["--json"]).exits(0).json();
        assert!(told[0]["last_lsn"].as_u64().unwrap() <= Lsn::LAST.get());
        log.run("verify", &[]).exits(0);
    }
}

/// The first segment, empty, with this as the first record of the log.
fn with_first_lsn(log: &Log, first: Lsn) {
    let path = segment(log, 1);
    let mut header = SegmentHeader::decode(&fs::read(&path).unwrap()[..4096]).unwrap();
    header.first_lsn = first;
    header.start.lsn = header.first_lsn;
    header.space = 0;
    fs::write(&path, [header.encode(), vec![0; 12288]].concat()).unwrap();
    fs::remove_file(log.dir.join("ANCHOR")).ok();
}

/// A directory that is a link which leads nowhere was "File exists".
#[test]
fn f15_a_dangling_link_as_the_directory_is_called_that() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("log");
    symlink("nowhere", &dir).unwrap();
    let ran = Ran::of(wal(["append"]).arg(&dir).stdin(Stdio::null()).output().unwrap()).exits(1);
    assert!(ran.stderr.contains("it is a link to nowhere, which is not there"), "{}", ran.stderr);
    assert!(ran.stderr.contains(dir.to_str().unwrap()), "{}", ran.stderr);
    assert!(!ran.stderr.contains("File exists"), "{}", ran.stderr);
    // What makes no directory said only that there is no such file.
    for verb in ["verify", "stat", "replay", "segments", "dump"] {
        let ran = Ran::of(wal([verb]).arg(&dir).output().unwrap()).exits(1);
        for part in ["it is a link to nowhere, which is not there", dir.to_str().unwrap()] {
            assert!(ran.stderr.contains(part), "{verb}: {}", ran.stderr);
        }
    }
}

/// In a container every log is held by process 1, since a number of seconds.
#[test]
fn f15_the_lock_file_says_where_and_since_when() {
    let log = Log::new();
    let mut writer = Writer::start(&log, &[]);
    writer.commit("one");
    let text = fs::read_to_string(log.dir.join("LOCK")).unwrap();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    assert!(text.starts_with(&format!("process {} of ", writer.child.id())), "{text}");
    assert!(text.contains(host.trim()), "{text}");
    let since = text.lines().next().unwrap().split(" since ").nth(1).unwrap();
    assert!(since.len() == 20 && since.ends_with('Z') && since.contains('T'), "{text}");
    assert!(text.contains("Do not delete"), "{text}");
}
