//! [`Preload`]: a library in front of the C library, for the one fault that strace cannot make.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::mark;

/// A library whose first write of a given record is short: half of the bytes are written, and so it
/// says. strace could only say so without writing them.
#[derive(Clone, Debug)]
pub(super) struct Preload {
    library: PathBuf,
}

const SOURCE: &str = include_str!("short_write.c");

impl Preload {
    /// Compiles it into this directory.
    pub(super) fn compile(dir: &Path) -> Result<Self> {
        let (source, library) = (dir.join("short_write.c"), dir.join("short_write.so"));
        std::fs::write(&source, SOURCE)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]);
        let output = compiler.arg(&library).arg(&source).arg("-ldl").output();
        let output = output.context("a short write needs a C compiler, `cc`")?;
        ensure!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { library })
    }

    /// Puts it in front of a command that keeps its files in `dir`; makes the file `told` when it
    /// has done its work.
    pub(super) fn put_before(&self, command: &mut Command, dir: &Path, record: u32, told: &Path) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("SHORT_WRITE_IN", dir)
            .env("SHORT_WRITE_OF", mark(record))
            .env("SHORT_WRITE_TOLD", told);
    }
}
