//! Disks that are small, and full: a real ext4 in a loop file, mounted where only the test sees it.
//!
//! Each test starts itself again in a mount namespace of its own, so that nothing stays mounted however it
//! ends. That takes root, `unshare`, `mkfs.ext4` and loop devices; without them the tests say so on standard
//! error, and fail if `CI` is set, unless it is the kernel's devices that are missing.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::fixture::{Log, Ran, numbered, wal};

const DISK: &str = "WAL_SMALL_DISK";

/// Runs `body` in an ext4 of so many MiB; `test` is the calling test's own name.
fn on_ext4(test: &str, mib: u64, body: fn(&Path)) {
    if let Some(disk) = env::var_os(DISK) {
        return body(Path::new(&disk));
    }
    let root = tempfile::tempdir().unwrap();
    let script = format!(
        r#"cd "$0" && truncate -s {mib}M image && mkfs.ext4 -q -F image && mkdir -p disk \
           && mount -o loop image disk && exec "$@""#
    );
    let mounted = |program: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]).arg(root.path()).args(program);
        command.env(DISK, root.path().join("disk"));
        command
    };
    if !mounted(&["true"]).stderr(Stdio::null()).status().is_ok_and(|ran| ran.success()) {
        // Not `eprintln`, which the test harness swallows where a test passes.
        let why = "cannot mount an ext4 in a namespace";
        std::io::stderr().write_all(format!("NOT RUN: {test}: {why}\n").as_bytes()).unwrap();
        let possible = Path::new("/dev/loop-control").exists();
        assert!(!possible || env::var_os("CI").is_none(), "in CI every test must run");
        return;
    }
    let this = env::current_exe().unwrap();
    let ran = mounted(&[this.to_str().unwrap(), "--exact", test, "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(fs::read_dir(root.path().join("disk")).unwrap().count(), 0, "it ran elsewhere");
}

/// `wal VERB DIR ARGS` with this input.
fn run(verb: &str, dir: &Path, args: &[&str], input: &[u8]) -> Ran {
    let file = tempfile::tempfile().unwrap();
    (&file).write_all(input).unwrap();
    std::io::Seek::rewind(&mut &file).unwrap();
    Ran::of(wal([verb]).arg(dir).args(args).stdin(file).output().unwrap())
}

/// So many lines of 300 bytes.
fn lines(count: usize) -> Vec<u8> {
    (1..=count).flat_map(|n| format!("{n:0299}\n").into_bytes()).collect()
}

/// Takes all the space there is but for so many bytes, and says where.
fn fill_up(disk: &Path, but_for: u64) -> PathBuf {
    let path = disk.join("ballast");
    let mut file = File::create(&path).unwrap();
    let mut block = 1 << 20;
    while block >= 512 {
        if file.write_all(&vec![1; block]).is_err() {
            block /= 2;
        }
    }
    let len = file.metadata().unwrap().len();
    file.set_len(len.saturating_sub(but_for)).unwrap();
    file.sync_all().unwrap();
    path
}

fn records(dir: &Path) -> Vec<String> {
    run("replay", dir, &[], b"").exits(0).lines()
}

/// It could neither be opened nor pruned, against what was written: recovery wanted to copy what was in doubt
/// first.
#[test]
fn b2_a_log_that_filled_its_disk_is_pruned_and_opened() {
    let test = "small_disk::b2_a_log_that_filled_its_disk_is_pruned_and_opened";
    on_ext4(test, 48, |disk| {
        let log = disk.join("l");
        let input = lines(200_000);
        let told = run("append", &log, &["--segment-size", "4m"], &input).exits(1).stderr;
        assert!(told.contains("No space left"), "{told}");
        for way_out in ["wal prune", "wal backup"] {
            assert!(told.contains(way_out), "{way_out}: {told}");
        }
        // To the last block, too.
        fill_up(disk, 0);
        let before = records(&log);
        let expected: Vec<_> = (1..=before.len()).map(|n| format!("{n:0299}")).collect();
        assert!(before == expected && before.len() > 50_000, "{} records", before.len());

        let other = tempfile::tempdir().unwrap();
        let copy = other.path().join("copy");
        run("backup", &log, &[copy.to_str().unwrap()], b"").exits(0);
        assert!(records(&copy) == before);

        run("prune", &log, &["--keep-segments", "3"], b"").exits(0);
        let after = records(&log);
        assert!(after.len() < before.len() && after[..] == before[before.len() - after.len()..]);
        run("verify", &log, &[], b"").exits(0);
        run("append", &log, &[], &lines(100)).exits(0);
        assert_eq!(records(&log).len(), after.len() + 100);
        run("verify", &log, &[], b"").exits(0);
    });
}

/// 292 KiB did not go onto 82 MB, in whatever way: each took a whole default segment, 128 MiB.
#[test]
fn f9_a_small_log_goes_onto_a_small_disk() {
    on_ext4("small_disk::f9_a_small_log_goes_onto_a_small_disk", 82, |disk| {
        let log = Log::of(&numbered(3000));
        let all = log.run("replay", &[]).exits(0).stdout;
        for (verb, args) in [("backup", [].as_slice()), ("compact", &["--key-bytes", "99"])] {
            let copy = disk.join(verb);
            let args = [&[copy.to_str().unwrap()], args].concat();
            log.run(verb, &args).exits(0);
            assert!(run("replay", &copy, &[], b"").exits(0).stdout == all, "{verb}");
            run("verify", &copy, &[], b"").exits(0);
        }
        // With the settings that nobody has made.
        let fresh = disk.join("fresh");
        run("append", &fresh, &[], &numbered(3000)).exits(0);
        assert!(run("replay", &fresh, &[], b"").exits(0).stdout == all);

        let ballast = fill_up(disk, 0);
        let told = run("append", &fresh, &[], b"one\n").exits(1).stderr;
        assert!(told.contains("No space left"), "{told}");
        for part in ["no room for a segment of", "segment_size", fresh.to_str().unwrap()] {
            assert_eq!(told.matches(part).count(), 1, "{part}: {told}");
        }
        assert!(!told.contains('{'), "a Debug: {told}");
        fs::remove_file(ballast).unwrap();
        run("append", &fresh, &[], b"more\n").exits(0);
    });
}

/// A copy that found no space left a directory that verified as "clean: an empty log".
#[test]
fn a9_a_copy_without_space_leaves_nothing_that_passes_for_a_log() {
    let test = "small_disk::a9_a_copy_without_space_leaves_nothing_that_passes_for_a_log";
    on_ext4(test, 16, |disk| {
        let log = Log::of(&numbered(30_000));
        let copy = disk.join("copy");
        let (mut nothing, mut part) = (0, 0);
        for kib in [0, 4, 8, 12, 16, 20, 24, 32, 48, 64, 256, 900] {
            let ballast = fill_up(disk, kib * 1024);
            let ran = log.run("backup", &[copy.to_str().unwrap()]);
            let context = format!("{kib} KiB: {ran:?}");
            assert_eq!(ran.code, 1, "{context}");
            let told = ran.stderr.contains("not finished");
            if copy.exists() {
                let found = run("verify", &copy, &[], b"");
                assert_eq!((found.code, told), (4, true), "{context}: {found:?}");
                assert!(found.text().contains("an unfinished copy of log"), "{context}: {found:?}");
                part += 1;
            } else {
                assert!(!told, "{context}");
                nothing += 1;
            }
            fs::remove_file(ballast).unwrap();
        }
        assert!(nothing > 0 && part > 0, "{nothing} without a trace, {part} unfinished");
        log.run("backup", &[copy.to_str().unwrap()]).exits(0);
        run("verify", &copy, &[], b"").exits(0);
    });
}
