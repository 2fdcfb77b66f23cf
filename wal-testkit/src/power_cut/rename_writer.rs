//! [`RenameWriter`]: a log that recycles its segments by renaming them, well or badly.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::subject::{Session, Subject};

/// Room for a record and its header, in bytes.
const SLOT: usize = 8192;
/// Records to a segment.
const SLOTS: u64 = 16;
/// Segments made in advance.
const SPARES: u64 = 140;

/// A log in files that are made in advance, durably, and renamed into place when their turn comes:
/// the next record is then an overwrite, and `fdatasync` of it has no reason to take the rename
/// along. It exists to prove that the rig sees what its [`Rename`] loses.
#[derive(Clone, Copy, Debug)]
pub struct RenameWriter(pub Rename);

/// What follows a rename.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rename {
    /// A sync of the directory. Such a log loses nothing.
    Synced,
    /// Nothing. A power cut takes the name away, and all that was acknowledged in the file.
    Unsynced,
}

impl Subject for RenameWriter {
    fn open(&self, dir: &Path, _: u64) -> io::Result<Box<dyn Session>> {
        if !dir.exists() {
            prepare(dir)?;
        }
        let written = self.read(dir)?.len() as u64;
        Ok(Box::new(Renaming {
            rename: self.0,
            dir: dir.to_path_buf(),
            segment: None,
            staged: Vec::new(),
            written,
        }))
    }

    fn read(&self, dir: &Path) -> io::Result<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        for segment in 0.. {
            let bytes = match fs::read(path(dir, "segment", segment)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                bytes => bytes?,
            };
            for slot in bytes.chunks(SLOT) {
                match unpack(slot) {
                    Some(record) => records.push(record.to_vec()),
                    None => return Ok(records),
                }
            }
        }
        Ok(records)
    }

    /// There is nothing that reading does not see.
    fn verify(&self, dir: &Path) -> io::Result<()> {
        self.read(dir).map(drop)
    }
}

fn prepare(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir)?;
    let zeros = vec![0; SLOT * usize::try_from(SLOTS).unwrap_or(0)];
    for spare in 0..SPARES {
        fs::write(path(dir, "spare", spare), &zeros)?;
    }
    for spare in 0..SPARES {
        File::open(path(dir, "spare", spare))?.sync_all()?;
    }
    File::open(dir)?.sync_all()?;
    dir.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())
}

fn path(dir: &Path, kind: &str, number: u64) -> PathBuf {
    dir.join(format!("{kind}-{number}"))
}

struct Renaming {
    rename: Rename,
    dir: PathBuf,
    segment: Option<(u64, File)>,
    staged: Vec<Vec<u8>>,
    /// Records that are written.
    written: u64,
}

impl Renaming {
    fn flush(&mut self) -> io::Result<()> {
        for record in std::mem::take(&mut self.staged) {
            let (segment, slot) = (self.written / SLOTS, self.written % SLOTS);
            if self.segment.as_ref().is_none_or(|(number, _)| *number != segment) {
                self.rotate(segment)?;
            }
            if let Some((_, file)) = &self.segment {
                file.write_all_at(&pack(&record), slot * SLOT as u64)?;
            }
            self.written += 1;
        }
        self.sync()
    }

    fn rotate(&mut self, segment: u64) -> io::Result<()> {
        self.sync()?;
        let name = path(&self.dir, "segment", segment);
        if !name.exists() {
            fs::rename(path(&self.dir, "spare", segment), &name)?;
            match self.rename {
                Rename::Synced => File::open(&self.dir)?.sync_all()?,
                Rename::Unsynced => {}
            }
        }
        self.segment = Some((segment, OpenOptions::new().write(true).open(name)?));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.segment.as_ref().map_or(Ok(()), |(_, file)| file.sync_data())
    }
}

impl Session for Renaming {
    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        self.staged.push(record.to_vec());
        Ok(())
    }

    fn acknowledged(&mut self) -> io::Result<u64> {
        self.flush()?;
        Ok(self.written)
    }

    fn close(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }

    fn kill(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

/// A slot's bytes: the record's length, a sum over the record, the record.
fn pack(record: &[u8]) -> Vec<u8> {
    let len = u64::try_from(record.len()).unwrap_or(u64::MAX);
    [&len.to_le_bytes(), &sum(record).to_le_bytes(), record].concat()
}

fn unpack(slot: &[u8]) -> Option<&[u8]> {
    let (len, rest) = slot.split_first_chunk::<8>()?;
    let (expected, rest) = rest.split_first_chunk::<8>()?;
    let record = rest.get(..usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
    (!record.is_empty() && sum(record) == u64::from_le_bytes(*expected)).then_some(record)
}

/// FNV-1a.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::{Rename, RenameWriter, Subject};

    #[test]
    fn without_a_power_cut_both_keep_their_word() {
        for rename in [Rename::Synced, Rename::Unsynced] {
            let root = tempfile::tempdir().unwrap();
            let (dir, log) = (root.path().join("log"), RenameWriter(rename));
            let records: Vec<_> = (1..=20_u8).map(|n| vec![n; 300 * usize::from(n)]).collect();
            for half in records.chunks(10) {
                let mut session = log.open(&dir, 0).unwrap();
                for record in half {
                    session.append(record).unwrap();
                }
                session.acknowledged().unwrap();
                session.kill().unwrap();
            }
            assert_eq!(log.read(&dir).unwrap(), records);
        }
    }

    #[test]
    fn a_damaged_record_ends_the_log() {
        let root = tempfile::tempdir().unwrap();
        let (dir, log) = (root.path().join("log"), RenameWriter(Rename::Synced));
        let mut session = log.open(&dir, 0).unwrap();
        session.append(b"one").unwrap();
        session.append(b"two").unwrap();
        session.close().unwrap();
        let path = dir.join("segment-0");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[super::SLOT + 16] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(log.read(&dir).unwrap(), [b"one"]);
    }
}
