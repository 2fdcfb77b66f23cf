//! [`FileSystem`]: the file systems of the kernel that a log can be cut on.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;

use super::image::Image;

/// A file system that is made by a program of its own and mounted by the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileSystem {
    /// ext4 with a journal, ordered data.
    Ext4,
    /// XFS.
    Xfs,
    /// btrfs.
    Btrfs,
}

impl FileSystem {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// The name that mount(2) and mkfs know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// An empty file system, on a disk of the smallest comfortable size.
    pub(super) fn make(self, scratch: &Path) -> io::Result<Image> {
        let path = scratch.join("mkfs.img");
        File::create(&path)?.set_len(self.size())?;
        let program = format!("mkfs.{}", self.name());
        let mut command = Command::new(&program);
        match self {
            // What a lazy mkfs leaves to the kernel would be written under the workload.
            Self::Ext4 => {
                command.args(["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"])
            }
            Self::Xfs | Self::Btrfs => command.args(["-q", "-f"]),
        };
        run(command.arg(&path))?;
        let image = Image::load(&path)?;
        std::fs::remove_file(&path)?;
        Ok(image)
    }

    fn size(self) -> u64 {
        match self {
            Self::Ext4 => 64 << 20,
            // mkfs.xfs refuses less than 300 MiB.
            Self::Xfs => 320 << 20,
            Self::Btrfs => 128 << 20,
        }
    }

    /// Options without which the kernel would not mount the same file system again and again.
    pub(super) fn mount_options(self) -> &'static str {
        match self {
            Self::Xfs => "nouuid",
            Self::Ext4 | Self::Btrfs => "",
        }
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FileSystem {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| format!("{name} is none of ext4, xfs, btrfs"))
    }
}

/// Runs a program that must succeed, and gives what it printed.
pub(super) fn run(command: &mut Command) -> io::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|cause| {
        io::Error::new(cause.kind(), format!("{program} cannot be run, is it installed? {cause}"))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{program}: {}: {}", output.status, said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
