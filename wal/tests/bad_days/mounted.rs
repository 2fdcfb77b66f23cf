//! File systems that are mounted where only one process sees them, and are gone with it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::child;

/// A file system to try a log on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    /// In memory, of 512 KiB.
    Tmpfs,
    /// In memory, without an end, without `O_DIRECT` and without `fallocate`.
    Ramfs,
    /// A real one of 2 MiB, on a loop device.
    Ext4,
    /// The same of 16 MiB, on a device that takes some of them only: a write that the file system
    /// accepts finds no room when it is synced.
    Thin,
}

/// A mounted file system.
#[derive(Debug)]
pub(crate) struct Mounted {
    /// Where the log is to be.
    pub(crate) log: PathBuf,
    /// A file that takes room from the log, and can be removed.
    pub(crate) ballast: PathBuf,
    root: PathBuf,
    disk: Disk,
}

impl Mounted {
    /// Mounts the disk in `root`, which from then on is hidden.
    fn new(disk: Disk, root: &Path) -> Self {
        assert!(runs(&mut mount(&["sh"], disk, root)), "cannot mount here, though it went before");
        let (log, ballast) = match disk {
            Disk::Tmpfs | Disk::Ramfs => ("log", "ballast"),
            Disk::Ext4 => ("disk/log", "disk/ballast"),
            Disk::Thin => ("disk/log", "ballast"),
        };
        Self { log: root.join(log), ballast: root.join(ballast), root: root.into(), disk }
    }

    /// Takes room from the log, as much as the ballast is to give back.
    pub(crate) fn take_room(&self) {
        let bytes = if self.disk == Disk::Tmpfs { 256 << 10 } else { 1 << 20 };
        fs::write(&self.ballast, vec![1; bytes]).unwrap();
        fs::File::open(&self.ballast).unwrap().sync_all().unwrap();
    }

    /// Takes the disk out and puts it in again: what was in memory only is gone.
    pub(crate) fn mount_again(&self) {
        assert!(matches!(self.disk, Disk::Ext4 | Disk::Thin), "in memory all is gone");
        let script = r#"umount "$0/disk" && mount -o loop "$0/image" "$0/disk""#;
        assert!(runs(Command::new("sh").args(["-c", script]).arg(&self.root)));
    }
}

/// Runs `body` on an empty disk; `test` is the calling test's own name. The test starts itself again
/// in a mount namespace of its own, so that nothing stays mounted however it ends.
///
/// That takes `unshare` and `mount`, and root or user namespaces; for the disks on a loop device
/// root, `mkfs.ext4` and a kernel that has such devices. What is missing is told on standard error,
/// and fails if `CI` is set, unless it is the kernel's devices.
pub(crate) fn on(test: &str, disk: Disk, body: impl FnOnce(&Mounted)) {
    if let Some(root) = child::dir() {
        return body(&Mounted::new(disk, &root));
    }
    let root = tempfile::tempdir().unwrap();
    let alone: [&[&str]; 2] = [&["unshare", "--mount"], &["unshare", "--mount", "--map-root-user"]];
    let Some(alone) = alone.iter().find(|alone| {
        let launcher = [alone, &["sh"][..]].concat();
        runs(mount(&launcher, disk, root.path()).stderr(Stdio::null()))
    }) else {
        let in_memory = matches!(disk, Disk::Tmpfs | Disk::Ramfs);
        let possible = in_memory
            || rustix::process::geteuid().is_root() && Path::new("/dev/loop-control").exists();
        let why = format!("cannot mount {disk:?} in a namespace");
        return if possible { child::not_run(test, &why) } else { child::told(test, &why) };
    };
    let mut launcher = Command::new(alone[0]);
    let this = env::current_exe().unwrap();
    child::passes(child::again(launcher.args(&alone[1..]), &this, test, root.path()));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "it ran outside of its file system");
}

/// The command that mounts the disk in `root`, by way of this shell.
fn mount(shell: &[&str], disk: Disk, root: &Path) -> Command {
    // The beginning of the image is there, so that the file system's own tables find room.
    let image = |room: &str, taken: &str, size: &str| {
        format!(
            r#"mount -t tmpfs -o size={room} tmpfs "$0" && head -c {taken} /dev/zero > "$0/image" \
            && truncate -s {size} "$0/image" && mkdir "$0/disk" && mkfs.ext4 -q -F -m 0 -N 1024 \
            -b 4096 -O ^has_journal,^resize_inode -E nodiscard,lazy_itable_init=0 "$0/image" \
            && mount -o loop "$0/image" "$0/disk""#
        )
    };
    let script = match disk {
        Disk::Tmpfs => r#"mount -t tmpfs -o size=512k tmpfs "$0""#.to_owned(),
        Disk::Ramfs => r#"mount -t ramfs ramfs "$0""#.to_owned(),
        Disk::Ext4 => image("8m", "2m", "2m"),
        Disk::Thin => image("2m", "512k", "16m"),
    };
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).args(["-c", &script]).arg(root);
    command
}

fn runs(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
