//! Damage to what a log has written.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::record;

/// Where the bytes of a record are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) file: PathBuf,
    pub(super) offset: u64,
}

/// How far into the record the damage is.
const INTO: u64 = 128;

impl Found {
    /// The first place in the files of a directory that holds this record.
    pub(super) fn record(dir: &Path, number: u32) -> Result<Self> {
        let bytes = record(number);
        for file in files(dir)? {
            if let Some(offset) = position(&file, &bytes)? {
                return Ok(Self { file, offset });
            }
        }
        anyhow::bail!("no file has the bytes of record {number}")
    }

    /// Flips one bit in its middle.
    pub(super) fn flip(&self) -> Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(&self.file)?;
        let mut byte = [0];
        file.read_exact_at(&mut byte, self.offset + INTO)?;
        Ok(file.write_all_at(&[byte[0] ^ 1], self.offset + INTO)?)
    }

    /// Ends the file in its middle.
    pub(super) fn cut(&self) -> Result<()> {
        Ok(OpenOptions::new().write(true).open(&self.file)?.set_len(self.offset + INTO)?)
    }

    /// How long its file is; none where there is none any more.
    pub(super) fn len(&self) -> Option<u64> {
        fs::metadata(&self.file).ok().map(|metadata| metadata.len())
    }
}

/// All files below a directory, by name.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("listing {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Where these bytes are in a file, which may have a gigabyte of holes.
fn position(path: &Path, bytes: &[u8]) -> Result<Option<u64>> {
    const PIECE: usize = 1 << 20;
    let mut file = File::open(path)?;
    let (mut window, mut before) = (Vec::new(), 0);
    loop {
        let kept = window.len().min(bytes.len() - 1);
        before += (window.len() - kept) as u64;
        window.drain(..window.len() - kept);
        let read = file.by_ref().take(PIECE as u64).read_to_end(&mut window)?;
        if read == 0 {
            return Ok(None);
        }
        let zeros = window.iter().all(|&byte| byte == 0);
        let found = window.windows(bytes.len()).position(|window| window == bytes);
        if let Some(at) = found.filter(|_| !zeros) {
            return Ok(Some(before + at as u64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_across_pieces_and_damaged_in_its_middle() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        let (path, offset) = (dir.path().join("a/log"), (1 << 20) - 100);
        let file = File::create(&path).unwrap();
        file.write_all_at(&record(6), offset).unwrap();
        file.write_all_at(&record(12), offset + 300).unwrap();
        let found = Found::record(dir.path(), 6).unwrap();
        assert_eq!(found, Found { file: path.clone(), offset });
        found.flip().unwrap();
        assert!(Found::record(dir.path(), 6).is_err());
        assert_eq!(found.len(), Some(offset + 556));
        Found::record(dir.path(), 12).unwrap().cut().unwrap();
        assert_eq!(found.len(), Some(offset + 300 + INTO));
    }
}
