//! [`Scratch`]: where the files of a benchmark lie.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Names the directory to put files in.
const VARIABLE: &str = "WAL_BENCH_DIR";

/// A directory for the files of one run, gone when this is dropped.
///
/// On a file system in memory a sync costs nothing, and every number about durability is void;
/// so this is not the system's temporary directory, and says which file system it is on.
#[derive(Debug)]
pub struct Scratch {
    dir: TempDir,
    next: AtomicU64,
}

impl Scratch {
    /// In the directory that the variable `WAL_BENCH_DIR` names, or else in `target`, cargo's
    /// directory for the files of benchmarks.
    pub fn new(target: impl AsRef<Path>) -> Result<Self> {
        let base = env::var_os(VARIABLE).map_or_else(|| target.as_ref().into(), PathBuf::from);
        fs::create_dir_all(&base).with_context(|| format!("making {}", base.display()))?;
        let base = fs::canonicalize(base)?;
        let dir = tempfile::Builder::new().prefix("bench-").tempdir_in(&base);
        let dir = dir.with_context(|| format!("making a directory in {}", base.display()))?;
        Ok(Self { dir, next: AtomicU64::new(0) })
    }

    /// A path in the directory that nobody else gets.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// The file system that the directory is on, and its mount options, where the system tells.
    pub fn file_system(&self) -> String {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        file_system(&mounts, self.dir.path()).unwrap_or_else(|| "unknown file system".into())
    }
}

impl fmt::Display for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files on {}", self.file_system())
    }
}

/// The innermost mount that holds `dir`, out of lines of "device directory type options …".
fn file_system(mounts: &str, dir: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    let holding = mounts.filter(|(mount, ..)| dir.starts_with(mount));
    // The last of equals: it was mounted over the others.
    let (_, name, options) = holding.max_by_key(|(mount, ..)| mount.len())?;
    Some(format!("{name} ({options})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_is_the_file_system() {
        let mounts =
            "/dev/a / ext4 rw,relatime 0 0\nnone /tmp tmpfs rw 0 0\n/dev/b /tmp/x xfs ro 0 0\n";
        let on = |dir: &str| file_system(mounts, Path::new(dir)).unwrap();
        assert_eq!(on("/tmp/x/y"), "xfs (ro)");
        assert_eq!(on("/tmp/xy"), "tmpfs (rw)");
        assert_eq!(on("/var/tmp"), "ext4 (rw,relatime)");
        assert_eq!(file_system("", Path::new("/")), None);
    }

    #[test]
    fn paths_are_never_given_twice_and_go_with_the_scratch() {
        let base = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(base.path()).unwrap();
        let (one, other) = (scratch.path(), scratch.path());
        assert_ne!(one, other);
        fs::write(&one, "x").unwrap();
        drop(scratch);
        assert!(!one.exists());
    }
}
