//! [`Machine`]: a disk of ours, a loop device on it, and a file system of the kernel on that.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use fuser::BackgroundSession;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

use super::disk::{CTL, DISK, Disk, Superblock};
use super::file_system::{FileSystem, run};
use super::image::Image;
use super::trace::Trace;

/// A machine whose power can be cut. Needs root, `/dev/fuse`, `/dev/loop-control`, `losetup` of
/// util-linux and the mkfs program of the file system.
///
/// Dropping it takes everything away again. A process that is killed leaves a loop device behind:
/// `losetup -a` shows it, `losetup -d` takes it away.
#[derive(Debug)]
pub struct Machine {
    // Dropped from the top down: who stands on another goes first.
    device: LoopDevice,
    _server: Server,
    disk: Disk,
    ctl: PathBuf,
    mount_point: PathBuf,
    file_system: FileSystem,
    options: CString,
    empty: Image,
    _scratch: TempDir,
}

/// A file system that did not mount: says nothing about the log on it.
#[derive(Debug)]
pub struct MountFailed(pub io::Error);

impl Machine {
    /// A machine with an empty file system, not mounted. `options` are mount options, separated by
    /// commas.
    pub fn new(file_system: FileSystem, options: &str) -> io::Result<Self> {
        check_available()?;
        let scratch = tempfile::Builder::new().prefix("power-cut-").tempdir()?;
        let [serving, mount_point] = ["disk", "mnt"].map(|name| scratch.path().join(name));
        fs::create_dir(&serving)?;
        fs::create_dir(&mount_point)?;
        let empty = file_system.make(scratch.path())?;
        let disk = Disk::new(empty.clone());
        let server = Server(Some(disk.serve(&serving)?));
        let device = LoopDevice::attach(&serving.join(DISK))?;
        let options = [file_system.mount_options(), options].map(str::to_owned);
        let options = options.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        Ok(Self {
            device,
            _server: server,
            disk,
            ctl: serving.join(CTL),
            mount_point,
            file_system,
            options: CString::new(options.join(","))?,
            empty,
            _scratch: scratch,
        })
    }

    /// The file system on the disk.
    pub fn file_system(&self) -> FileSystem {
        self.file_system
    }

    /// The file that acknowledgements are written into, a number and a newline each. A write that
    /// has returned stands before everything that reaches the disk after it.
    pub fn acknowledgements(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(&self.ctl)
    }

    /// The disk with nothing but an empty file system.
    pub fn empty(&self) -> Image {
        self.empty.clone()
    }

    /// Switches the machine on with this on its platter, and lets the kernel mount it.
    pub fn switch_on(&self, image: Image) -> io::Result<Result<Running<'_>, MountFailed>> {
        self.disk.switch(image);
        let options = self.options.as_c_str();
        let name = self.file_system.name();
        let flags = MountFlags::NOATIME;
        let mounted = mount(&self.device.path, &self.mount_point, name, flags, Some(options));
        let running = match mounted {
            Ok(()) => Running { machine: self, ended: false },
            Err(cause) => return Ok(Err(MountFailed(cause.into()))),
        };
        if self.disk.superblock() == Superblock::Unread {
            let device = self.device.path.display();
            return Err(io::Error::other(format!(
                "the kernel mounted {device} without reading it, from a cache of what was there \
                 before: another process, perhaps udev, holds the device open"
            )));
        }
        Ok(Ok(running))
    }
}

/// A machine with its file system mounted.
#[derive(Debug)]
pub struct Running<'a> {
    machine: &'a Machine,
    ended: bool,
}

impl Running<'_> {
    /// The root of the file system.
    pub fn root(&self) -> &Path {
        &self.machine.mount_point
    }

    /// Notes an acknowledgement, before everything that reaches the disk from now on.
    pub fn acknowledge(&self, ctl: &mut File, lsn: u64) -> io::Result<()> {
        ctl.write_all(format!("{lsn}\n").as_bytes())
    }

    /// Ends the work, and gives all that has reached the disk. What the kernel still writes when it
    /// unmounts is not in it.
    pub fn end(mut self) -> io::Result<Trace> {
        let trace = self.machine.disk.trace();
        self.unmount()?;
        Ok(trace)
    }

    fn unmount(&mut self) -> io::Result<()> {
        self.ended = true;
        // A process that was killed a moment ago may still be giving its files back.
        for _ in 0..100 {
            match unmount(&self.machine.mount_point, UnmountFlags::empty()) {
                Err(rustix::io::Errno::BUSY) => thread::sleep(Duration::from_millis(10)),
                ended => return ended.map_err(|cause| cannot("unmount", cause)),
            }
        }
        unmount(&self.machine.mount_point, UnmountFlags::DETACH)
            .map_err(|cause| cannot("unmount", cause))?;
        Err(io::Error::other("the file system is still in use, and was detached"))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.unmount().ok();
        }
    }
}

/// A block device of sectors of 512 bytes over a file.
#[derive(Debug)]
struct LoopDevice {
    path: PathBuf,
}

impl LoopDevice {
    fn attach(file: &Path) -> io::Result<Self> {
        let arguments = ["--find", "--show", "--sector-size", "512"];
        let path = run(Command::new("losetup").args(arguments).arg(file))?;
        Ok(Self { path: path.into() })
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        run(Command::new("losetup").arg("--detach").arg(&self.path)).ok();
    }
}

/// The thread that serves the disk.
struct Server(Option<BackgroundSession>);

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.umount_and_join().ok();
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

fn check_available() -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(io::Error::other("mounting needs root"));
    }
    for device in ["/dev/fuse", "/dev/loop-control"] {
        let opened = OpenOptions::new().read(true).write(true).open(device);
        opened.map_err(|cause| io::Error::new(cause.kind(), format!("{device}: {cause}")))?;
    }
    Ok(())
}

fn cannot(what: &str, cause: rustix::io::Errno) -> io::Error {
    let cause = io::Error::from(cause);
    io::Error::new(cause.kind(), format!("cannot {what}: {cause}"))
}
