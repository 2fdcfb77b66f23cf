//! A disk that changes under the page cache: what a direct read is for.
//!
//! A loop device with a file system of its own, whose backing file the test damages. It takes root,
//! `unshare`, `losetup` and `mkfs.ext4`, and runs in a mount namespace of its own, so that nothing
//! stays mounted however it ends; the device goes with its last mount. Where something is missing
//! the test says so on standard error.

#![cfg(target_os = "linux")]

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use wal_core::SegmentStore;
use wal_segment::{FileStore, Reading};

use crate::{ONE, directory, ways};

const TEST: &str = "medium::a_direct_read_sees_the_disk_and_not_the_cache";
const DIR: &str = "WAL_SEGMENT_MEDIUM_TEST_DIR";
/// Is there where the file system could not be mounted.
const CANNOT: &str = "cannot-mount";
const MARK: &[u8; 32] = b"The medium holds exactly this...";

fn ran(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Mounts a small ext4 in the file `image` on `at`. The device is freed with the mount.
fn mount(image: &Path, at: &Path) -> bool {
    File::create(image).unwrap().set_len(16 << 20).unwrap();
    ran(Command::new("mkfs.ext4").args(["-q", "-b", "4096", "-O", "^has_journal"]).arg(image))
        && ran(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(image).arg(at))
}

#[test]
fn a_direct_read_sees_the_disk_and_not_the_cache() {
    if let Some(dir) = env::var_os(DIR) {
        return damage_under_the_cache(Path::new(&dir));
    }
    let dir = directory();
    fs::create_dir(dir.path().join("mnt")).unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "--"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(DIR, dir.path())
        .output();
    let cannot = dir.path().join(CANNOT);
    if let Ok(output) = output {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        if !cannot.exists() && !said.starts_with("unshare: ") {
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
    }
    let mut stderr = io::stderr();
    writeln!(stderr, "NOT RUN: {TEST}: cannot mount a loop device in a namespace").unwrap();
}

fn damage_under_the_cache(dir: &Path) {
    let (image, at) = (dir.join("image"), dir.join("mnt"));
    if !mount(&image, &at) {
        fs::write(dir.join(CANNOT), "").unwrap();
        return;
    }
    let store = FileStore::open(&at).unwrap();
    let _lock = store.lock().unwrap();
    let mut writer = store.create(ONE, 0).unwrap();
    let block = MARK.repeat(128);
    writer.append(&block).unwrap();
    writer.append(&vec![1; 5000]).unwrap();
    writer.syncer().sync().unwrap();
    let read = |way| {
        let reader = FileStore::open_read_only(&at).unwrap().reading(way).open(ONE).unwrap();
        let mut bytes = vec![0; MARK.len()];
        assert_eq!(reader.read_at(64, &mut bytes).unwrap(), MARK.len());
        bytes
    };
    for way in ways() {
        assert_eq!(read(way), MARK, "{way:?}, before");
    }
    damage(&image, &block);
    for way in ways() {
        let sees_it = read(way) != MARK;
        assert_eq!(sees_it, way == Reading::Direct, "{way:?}, with the medium damaged");
    }
}

/// Flips the first byte of each mark of this block, wherever it lies on the medium.
fn damage(image: &Path, block: &[u8]) {
    let medium = fs::read(image).unwrap();
    let found = medium.chunks(block.len()).position(|there| there == block);
    let start = found.expect("what was synced is on the medium") * block.len();
    let image = File::options().write(true).open(image).unwrap();
    for mark in (start..start + block.len()).step_by(MARK.len()) {
        image.write_all_at(&[!MARK[0]], mark as u64).unwrap();
    }
    image.sync_all().unwrap();
}
