//! A real file system that is full, or turns read-only: a small tmpfs, mounted where only the test
//! sees it.
//!
//! Each test starts itself again in a mount namespace of its own, so that nothing stays mounted
//! however it ends. That takes root or unprivileged user namespaces, and `unshare` and `mount`.
//! Where they are missing the tests say so on standard error, and fail if `CI` is set.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod common;

use std::env;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use wal_core::{SegmentId, SegmentStore};
use wal_segment::{FileStore, Preparation};

use common::{held, made};

const DIR: &str = "WAL_SEGMENT_SMALL_DISK_TEST_DIR";
const ROOM: u64 = 256 * 1024;
const ONE: SegmentId = SegmentId::FIRST;
const TWO: SegmentId = ONE.next();

/// Runs `body` in an empty file system with [`ROOM`] bytes for segments; `test` is the calling test's own name.
fn on_a_small_disk(test: &str, body: fn(&Path)) {
    if let Some(dir) = env::var_os(DIR) {
        let dir = Path::new(&dir);
        assert!(mount(&mut Command::new("mount"), dir), "cannot mount here, though it went before");
        return body(dir);
    }
    let dir = tempfile::tempdir().unwrap();
    let namespaces = ["--mount", "--map-root-user"];
    let Some(namespace) = (1..=namespaces.len()).map(|count| &namespaces[..count]).find(|args| {
        mount(Command::new("unshare").args(*args).arg("mount").stderr(Stdio::null()), dir.path())
    }) else {
        // Not `eprintln`, which the test harness swallows where a test passes.
        let mut stderr = io::stderr();
        writeln!(stderr, "NOT RUN: {test}: cannot mount a tmpfs in a namespace").unwrap();
        assert!(env::var_os("CI").is_none(), "in CI every test must run");
        return;
    };
    let output = Command::new("unshare")
        .args(namespace)
        .arg(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIR, dir.path())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "it ran outside of its file system");
}

fn mount(command: &mut Command, dir: &Path) -> bool {
    // The file LOCK takes a page.
    let options = format!("size={}", ROOM + 4096);
    let status = command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir).status();
    status.is_ok_and(|status| status.success())
}

fn fill(fill: u8, len: u64) -> Vec<u8> {
    vec![fill; usize::try_from(len).unwrap()]
}

#[test]
fn create_finds_the_disk_full_and_gives_back_what_it_took() {
    on_a_small_disk("create_finds_the_disk_full_and_gives_back_what_it_took", |dir| {
        for preparation in [Preparation::Whole, Preparation::ZeroFill] {
            let store = held(FileStore::open(dir).unwrap().preparation(preparation));
            let mut writer = made(&*store, ONE, ROOM / 2);
            let error = store.create(TWO, ROOM * 3 / 4).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{preparation:?}: {error}");
            assert_eq!(store.list().unwrap(), [ONE], "{preparation:?}");

            // What is prepared is there to be written, also once the rest of the disk is full.
            made(&*store, TWO, ROOM / 2);
            writer.append(&fill(1, ROOM / 2)).unwrap();
            writer.syncer().sync().unwrap();
            assert_eq!(writer.append(b"x").unwrap_err().kind(), ErrorKind::StorageFull);
            store.remove(&[ONE, TWO]).unwrap();
        }
    });
}

/// The last page before the disk is full takes a part of the append: a real short write, then a
/// real `ENOSPC`.
#[test]
fn an_append_finds_the_disk_full_and_goes_on_once_there_is_room() {
    on_a_small_disk("an_append_finds_the_disk_full_and_goes_on_once_there_is_room", |dir| {
        for preparation in [Preparation::None, Preparation::Chunks(80 * 1024)] {
            const PIECE: u64 = 5000;
            let store = held(FileStore::open(dir).unwrap().preparation(preparation));
            made(&*store, ONE, 0).append(&fill(9, ROOM / 4)).unwrap();
            let mut writer = made(&*store, TWO, ROOM);
            let mut appended = Vec::new();
            let error = loop {
                let bytes = fill(u8::try_from(appended.len() / 5000 + 1).unwrap(), PIECE);
                match writer.append(&bytes) {
                    Ok(()) => appended.extend(bytes),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{preparation:?}: {error}");
            assert_eq!(writer.end(), appended.len() as u64, "{preparation:?}");
            // A step that does not fit as a whole must not waste the room there is.
            assert!(writer.end() + PIECE > ROOM * 3 / 4 - 4096, "{preparation:?}");
            writer.syncer().sync().unwrap();

            store.remove(&[ONE]).unwrap();
            writer.append(&fill(0xFE, PIECE)).unwrap();
            appended.extend(fill(0xFE, PIECE));
            writer.syncer().sync().unwrap();
            let mut read = fill(0, appended.len() as u64);
            store.open(TWO).unwrap().read_at(0, &mut read).unwrap();
            assert_eq!(read, appended, "{preparation:?}");
            store.remove(&[TWO]).unwrap();
        }
    });
}

/// Whoever wants to free space in a full log must be able to lock it.
#[test]
fn a_full_disk_does_not_keep_the_lock_from_being_taken() {
    on_a_small_disk("a_full_disk_does_not_keep_the_lock_from_being_taken", |dir| {
        made(&*held(FileStore::open(dir).unwrap()), ONE, ROOM);
        let store = held(FileStore::open(dir).unwrap());
        assert_eq!(store.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
        store.remove(&[ONE]).unwrap();
        made(&*store, TWO, ROOM / 2);
    });
}

#[test]
fn a_read_only_file_system_can_be_read_and_says_what_it_is() {
    on_a_small_disk("a_read_only_file_system_can_be_read_and_says_what_it_is", |dir| {
        let log = dir.join("log");
        made(&*held(FileStore::open(&log).unwrap()), ONE, 9000).append(b"kept").unwrap();
        let remount =
            Command::new("mount").args(["-o", "remount,bind,ro"]).arg(dir).status().unwrap();
        assert!(remount.success());

        let store = FileStore::open(&log).unwrap();
        for error in [store.lock().unwrap_err(), FileStore::open(dir.join("other")).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem, "{error}");
            assert!(error.to_string().contains(dir.to_str().unwrap()), "{error}");
        }
        for store in [store, FileStore::open_read_only(&log).unwrap()] {
            assert_eq!(store.list().unwrap(), [ONE]);
            let mut read = [0; 4];
            store.open(ONE).unwrap().read_at(0, &mut read).unwrap();
            assert_eq!(&read, b"kept");
        }
    });
}
