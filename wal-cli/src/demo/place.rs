//! [`Place`]: where the demo runs.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

/// A directory for the demo alone, removed when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    dir: TempDir,
    file_system: Option<String>,
}

impl Place {
    /// A new directory in `parent`, which is made if it is missing.
    pub(super) fn new(parent: Option<&Path>) -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("wal-demo-");
        let dir = match parent {
            None => builder.tempdir(),
            Some(parent) => {
                fs::create_dir_all(parent)
                    .with_context(|| format!("making {} failed", parent.display()))?;
                builder.tempdir_in(parent)
            }
        };
        let dir = dir.context("making a directory for the demo failed; name another with --dir")?;
        let file_system = file_system(dir.path());
        Ok(Self { dir, file_system })
    }

    /// A path in the directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dir.path().display())?;
        match self.file_system.as_deref() {
            None => Ok(()),
            Some(memory @ ("tmpfs" | "ramfs")) => {
                write!(f, " ({memory}: in memory, where a sync costs nothing; try --dir)")
            }
            Some(name) => write!(f, " ({name})"),
        }
    }
}

/// The name of the file system that `dir` is on, where the system tells.
fn file_system(dir: &Path) -> Option<String> {
    let dir = dir.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mounted = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let (point, name) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        dir.starts_with(&point).then_some((point.len(), name))
    };
    // Of two mounted on the same point the later one covers the other.
    mounts.lines().filter_map(mounted).max_by_key(|&(len, _)| len).map(|(_, name)| name)
}
