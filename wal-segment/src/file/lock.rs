//! [`FileLock`]: one writer a directory.

use std::io;
use std::process;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::transfer::{read_full, write_all};
use super::{Access, Files, OpenFile};

/// The file that is locked. It stays when the lock goes: to remove it would let two writers lock
/// two files of the same name.
const NAME: &str = "LOCK";

/// The operating system's lock on the file `LOCK`. The system frees it when the process ends,
/// however it ends.
///
/// The file says who holds it, for people. Nothing is decided by that: it may be stale.
#[derive(Debug)]
pub(super) struct FileLock {
    file: Arc<dyn OpenFile>,
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Where it fails, the lock goes with the file.
        self.file.unlock().ok();
    }
}

impl FileLock {
    /// Takes the lock; [`io::ErrorKind::WouldBlock`] where another holds it.
    pub(super) fn take(files: &dyn Files) -> io::Result<Self> {
        let file = match files.create_new(NAME) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                files.open(NAME, Access::Write)?
            }
            made => made?,
        };
        match file.try_lock() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(held(&*file, &error)),
            Err(error) => Err(error),
            Ok(()) => {
                sign(&*file);
                Ok(Self { file })
            }
        }
    }
}

/// Writes down who holds the lock. A full disk must not keep the lock from being taken, so failing
/// is no failure.
fn sign(file: &dyn OpenFile) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let line = format!("process {} since {since} (seconds of Unix time)\n", process::id());
    let signed = write_all(file, 0, line.as_bytes());
    signed.and_then(|()| file.set_len(line.len() as u64)).ok();
}

fn held(file: &dyn OpenFile, error: &io::Error) -> io::Error {
    let mut start = [0; 80];
    let read = read_full(file, 0, &mut start).unwrap_or(0);
    let text = String::from_utf8_lossy(&start[..read]);
    let line: String = text.chars().take_while(|char| !char.is_control()).collect();
    let holder = if line.is_empty() { "nothing about the holder" } else { &*line };
    let what = format!("{error}; another writer has the log open, and the file says: {holder}");
    io::Error::new(io::ErrorKind::WouldBlock, what)
}
