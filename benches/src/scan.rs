//! Reading a log from its first record to its last, out of the page cache.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};
use wal::{Lsn, Reader, Reading, Strategy, Wal};

use crate::{Budget, Effort, Row, Scratch, float, interleaved};

/// The least that a scan must give, in millions of records of 100 bytes a second.
const BUDGET: f64 = 5.0;

/// Bytes read at a time where the floor reads.
const CHUNK: usize = 1 << 20;

/// A log that is closed, and the same bytes outside it.
#[derive(Debug)]
pub struct Recorded {
    dir: PathBuf,
    records: u64,
    record_len: usize,
    /// Where the segments' bytes lie.
    files: Vec<PathBuf>,
    /// The segments' bytes, as they lie there.
    segments: Vec<Vec<u8>>,
}

impl Recorded {
    /// A log of this many records of this many bytes, in frames of the default size.
    pub fn new(scratch: &Scratch, records: u64, record_len: usize) -> Result<Self> {
        let dir = scratch.path();
        let (wal, _) = Wal::builder(&dir).strategy(Strategy::GroupCommit).open()?;
        let record = vec![7; record_len];
        for _ in 0..records {
            wal.append(&record)?;
        }
        wal.close()?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&dir)? {
            files.push(entry?.path());
        }
        files.retain(|path| path.extension().is_some_and(|extension| extension == "wal"));
        files.sort();
        let segments = files.iter().map(fs::read).collect::<Result<_, _>>()?;
        Ok(Self { dir, records, record_len, files, segments })
    }

    /// Reads every record through a cursor, which verifies every frame, and says how many bytes
    /// the records have.
    pub fn scan(&self) -> Result<u64> {
        self.scan_by(Reading::default())
    }

    /// The same, read in this way.
    pub fn scan_by(&self, reading: Reading) -> Result<u64> {
        let (mut records, mut bytes) = (0, 0);
        for entry in Reader::open_with(&self.dir, reading)?.read_from(Lsn::FIRST)? {
            records += 1;
            bytes += black_box(entry?.payload).len() as u64;
        }
        ensure!(records == self.records, "{records} of {} records came back", self.records);
        ensure!(bytes == records * self.record_len as u64, "{bytes} bytes came back");
        Ok(bytes)
    }

    /// The floor: a checksum over the same bytes, which are in memory.
    pub fn checksum(&self) -> u32 {
        self.segments.iter().fold(0, |crc, bytes| crc32c::crc32c_append(crc, bytes))
    }

    /// The same with the bytes read from the page cache, a megabyte at a time.
    pub fn read_and_checksum(&self) -> Result<u32> {
        let mut chunk = vec![0; CHUNK];
        let mut crc = 0;
        for path in &self.files {
            let mut file = File::open(path)?;
            loop {
                let read = file.read(&mut chunk)?;
                if read == 0 {
                    break;
                }
                crc = crc32c::crc32c_append(crc, &chunk[..read]);
            }
        }
        Ok(crc)
    }

    /// Where the log is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The files of the segments, oldest first.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// How many bytes they have.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|bytes| bytes.len() as u64).sum()
    }

    /// How many records the log has.
    pub fn records(&self) -> u64 {
        self.records
    }
}

/// Millions of records a second, against a bare checksum of the same bytes in memory, and against
/// one with the bytes read from the page cache.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (records, record_len, name, budget) in
        [(1_000_000, 100, "100 B", Budget::AtLeast(BUDGET)), (100_000, 1024, "1 KiB", Budget::Open)]
    {
        let log = Recorded::new(scratch, effort.size(records), record_len)?;
        let rate = |began: Instant| float(log.records()) / began.elapsed().as_secs_f64() / 1e6;
        let [bare, read, ours] = interleaved(
            effort.rounds(11),
            &mut [
                &mut || {
                    let began = Instant::now();
                    black_box(log.checksum());
                    Ok(rate(began))
                },
                &mut || {
                    let began = Instant::now();
                    black_box(log.read_and_checksum()?);
                    Ok(rate(began))
                },
                &mut || {
                    let began = Instant::now();
                    log.scan()?;
                    Ok(rate(began))
                },
            ],
        )?;
        let what = format!("scan {name}, from page cache");
        rows.push(Row::new(&what, "M/s", ("CRC32C, bytes in memory", &bare), &ours, budget));
        let floor = ("pread of 1 MiB each + CRC32C", &read);
        rows.push(Row::new(what, "M/s", floor, &ours, Budget::Open));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_floors_see_the_bytes_of_the_log() {
        let base = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(base.path()).unwrap();
        let log = Recorded::new(&scratch, 1000, 100).unwrap();
        assert_eq!(log.scan().unwrap(), 100_000);
        assert_eq!(log.checksum(), log.read_and_checksum().unwrap());
        assert!(log.segments.iter().map(Vec::len).sum::<usize>() > 100_000);
    }
}
