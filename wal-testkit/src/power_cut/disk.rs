//! [`Disk`]: the volatile write cache and the platter, served as a file through FUSE.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};

use super::image::Image;
use super::trace::{Event, Trace};

/// The file that is the disk.
pub(super) const DISK: &str = "disk";
/// The file that acknowledgements are written into.
pub(super) const CTL: &str = "ctl";

/// A disk with a volatile write cache. Everything that reaches it, and every acknowledgement, is
/// kept in one total order until the power is switched.
#[derive(Clone)]
pub struct Disk(Arc<Mutex<State>>);

struct State {
    trace: Trace,
    cache: Image,
    superblock: Superblock,
}

/// Whether the start of the disk has been read since the power came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Superblock {
    /// So the kernel looks at this disk.
    Read,
    /// A file system mounted in this state came out of a cache of the kernel.
    Unread,
}

/// Where every file system here keeps its superblock, in bytes.
const SUPERBLOCK: u64 = 128 * 1024;

impl Disk {
    /// A disk with these bytes, switched on.
    pub fn new(image: Image) -> Self {
        let cache = image.clone();
        let trace = Trace { base: image, events: Vec::new() };
        Self(Arc::new(Mutex::new(State { trace, cache, superblock: Superblock::Unread })))
    }

    /// Takes what has happened so far, and goes on with another platter and an empty cache.
    pub fn switch(&self, image: Image) -> Trace {
        let mut state = self.state();
        state.cache = image.clone();
        state.superblock = Superblock::Unread;
        std::mem::replace(&mut state.trace, Trace { base: image, events: Vec::new() })
    }

    /// What has happened so far.
    pub fn trace(&self) -> Trace {
        self.state().trace.clone()
    }

    pub(super) fn superblock(&self) -> Superblock {
        self.state().superblock
    }

    /// Serves the disk in this directory, until the returned value is dropped.
    pub(super) fn serve(&self, dir: &Path) -> io::Result<BackgroundSession> {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("power-cut".into())];
        fuser::spawn_mount(Server(self.clone()), dir, &config)
    }

    fn read(&self, offset: u64, len: u32) -> Vec<u8> {
        let mut state = self.state();
        if offset < SUPERBLOCK {
            state.superblock = Superblock::Read;
        }
        state.cache.read(offset, len as usize)
    }

    fn write(&self, offset: u64, bytes: &[u8]) {
        let mut state = self.state();
        state.cache.write(offset, bytes);
        state.trace.events.push(Event::Write { offset, bytes: bytes.into() });
    }

    fn clear(&self, offset: u64, len: u64) {
        let mut state = self.state();
        state.cache.clear(offset, len);
        state.trace.events.push(Event::Clear { offset, len });
    }

    fn mark(&self, event: Event) {
        self.state().trace.events.push(event);
    }

    fn len(&self) -> u64 {
        self.state().cache.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Disk")
            .field("cache", &state.cache)
            .field("events", &state.trace.events.len())
            .finish_non_exhaustive()
    }
}

/// The LSNs in a text of lines, each an LSN with or without the word `ack` before it.
fn acknowledged(text: &[u8]) -> Option<Vec<u64>> {
    let text = str::from_utf8(text).ok()?;
    text.lines().map(|line| line.trim_start_matches("ack ").trim().parse().ok()).collect()
}

/// One thread serves all requests, and that makes the order total.
struct Server(Disk);

const DISK_NODE: INodeNo = INodeNo(2);
const CTL_NODE: INodeNo = INodeNo(3);
const FOREVER: Duration = Duration::from_secs(3600);
/// `FALLOC_FL_KEEP_SIZE` alone takes space and changes no bytes; with another flag bytes go.
const KEEP_SIZE: i32 = 1;

impl Server {
    fn attributes(&self, node: INodeNo) -> Option<FileAttr> {
        let (kind, perm, size) = match node {
            INodeNo::ROOT => (FileType::Directory, 0o700, 0),
            DISK_NODE => (FileType::RegularFile, 0o600, self.0.len()),
            CTL_NODE => (FileType::RegularFile, 0o600, 0),
            _ => return None,
        };
        Some(FileAttr {
            ino: node,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let node = match name.to_str() {
            Some(DISK) if parent == INodeNo::ROOT => DISK_NODE,
            Some(CTL) if parent == INodeNo::ROOT => CTL_NODE,
            _ => return reply.error(Errno::ENOENT),
        };
        match self.attributes(node) {
            Some(attributes) => reply.entry(&FOREVER, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(node) {
            Some(attributes) => reply.attr(&FOREVER, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    /// Nothing is cached by the kernel on this side of the loop device.
    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match node {
            DISK_NODE => reply.data(&self.0.read(offset, size)),
            _ => reply.data(&[]),
        }
    }

    fn write(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        // What one request may carry is far below 4 GiB.
        let Ok(len) = u32::try_from(data.len()) else { return reply.error(Errno::EFBIG) };
        if node == DISK_NODE {
            self.0.write(offset, data);
            return reply.written(len);
        }
        match acknowledged(data) {
            Some(lsns) => {
                for lsn in lsns {
                    self.0.mark(Event::Acknowledged(lsn));
                }
                reply.written(len);
            }
            None => reply.error(Errno::EINVAL),
        }
    }

    fn fsync(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        if node == DISK_NODE {
            self.0.mark(Event::Flush);
        }
        reply.ok();
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fallocate(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if node == DISK_NODE && mode & !KEEP_SIZE != 0 {
            self.0.clear(offset, length);
        }
        reply.ok();
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let entries = [
            (INodeNo::ROOT, FileType::Directory, "."),
            (INodeNo::ROOT, FileType::Directory, ".."),
            (DISK_NODE, FileType::RegularFile, DISK),
            (CTL_NODE, FileType::RegularFile, CTL),
        ];
        for (next, (node, kind, name)) in (1..).zip(entries) {
            if next > offset && reply.add(node, next, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::{Disk, Event, Image, acknowledged};

    #[test]
    fn acknowledgements_are_lines_of_numbers() {
        assert_eq!(acknowledged(b"12\nack 13\n"), Some(vec![12, 13]));
        assert_eq!(acknowledged(b"twelve\n"), None);
    }

    #[test]
    fn a_switched_disk_starts_over_with_what_it_is_given() {
        let disk = Disk::new(Image::zeros(4096));
        disk.write(0, b"cache");
        disk.mark(Event::Flush);
        let trace = disk.switch(Image::zeros(8192));
        assert_eq!(trace.events.len(), 2);
        assert_eq!(
            trace.base.read(0, 5),
            [0; 5],
            "the platter is as it was when the power came on"
        );
        assert_eq!((disk.len(), disk.read(0, 5)), (8192, vec![0; 5]));
        assert!(disk.trace().events.is_empty());
    }
}
