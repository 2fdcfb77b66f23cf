//! [`Killed`]: a log with many records behind its last sync.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wal::{Config, Preparation, Reader, Strategy, Wal};

use crate::memory::at_most;
use crate::{Fill, RawFile, Scratch, float};

/// Bytes of a record.
const RECORD: usize = 8;

/// Bytes that a record's frame has, at the most.
const FRAME: u64 = 80;

/// Bytes that the floor reads and writes at a time.
const CHUNK: usize = 1 << 20;

/// What the logs are opened with; the fresh segment takes what it needs, where that is more.
const SEGMENT_SIZE: u64 = 1 << 20;

/// A log as a kill leaves it: written, and never synced behind its header.
#[derive(Debug)]
pub struct Killed {
    dir: PathBuf,
    records: u64,
}

impl Killed {
    /// A log of this many records that nothing vouches for, written under `os` or an interval.
    pub fn new(scratch: &Scratch, records: u64, strategy: Strategy) -> Result<Self> {
        let (live, dir) = (scratch.path(), scratch.path());
        let mut config = Config::default();
        config.strategy = strategy;
        // The end of a segment is a sync, and all that is before it no longer in doubt.
        config.segment_size = (records * FRAME).next_multiple_of(1 << 20) + (1 << 20);
        config.preparation = Some(Preparation::None);
        let (wal, _) = Wal::builder(&live).config(config).open()?;
        for _ in 0..records {
            // Acknowledged is what is written.
            wal.wait_for_lsn(wal.append([7; RECORD])?).wait()?;
        }
        // The log is not closed, so nothing of this is synced by it; the copy is what a kill leaves.
        copy(&live, &dir)?;
        wal.close()?;
        fs::remove_dir_all(live)?;
        let survey = Reader::open(&dir)?.survey()?.context("a log was copied")?;
        let doubtful = survey.tail.last_lsn.since(survey.tail.doubt_lsn);
        ensure!(doubtful == records, "{doubtful} of {records} records are in doubt");
        Ok(Self { dir, records })
    }

    /// Opens a copy of the log under this strategy: nanoseconds for each record, and the most bytes
    /// of memory that the process had.
    pub fn open(&self, scratch: &Scratch, strategy: Strategy) -> Result<(f64, Option<u64>)> {
        let dir = scratch.path();
        copy(&self.dir, &dir)?;
        let builder = Wal::builder(&dir).segment_size(SEGMENT_SIZE).strategy(strategy);
        let ((wal, took), most) = at_most(|| {
            let began = Instant::now();
            let (wal, recovery) = builder.open()?;
            let took = began.elapsed();
            ensure!(recovery.records_carried == self.records, "records are missing: {recovery:?}");
            Ok((wal, took))
        })?;
        wal.close()?;
        drop(wal);
        fs::remove_dir_all(dir)?;
        Ok((self.each(took), most))
    }

    /// The floor: nanoseconds a record to read the same bytes once, with a checksum over them, and
    /// to write them once more, with one sync at the end.
    pub fn carry(&self, scratch: &Scratch) -> Result<f64> {
        let files = segments(&self.dir)?;
        let bytes =
            files.iter().try_fold(0, |sum, path| Ok::<_, anyhow::Error>(sum + size(path)?))?;
        let dir = scratch.path();
        let mut raw = RawFile::new(dir.clone(), Fill::Allocated, bytes)?;
        let (mut chunk, mut crc) = (vec![0; CHUNK], 0);
        let began = Instant::now();
        for path in files {
            let mut file = File::open(path)?;
            loop {
                let read = file.read(&mut chunk)?;
                if read == 0 {
                    break;
                }
                crc = crc32c::crc32c_append(crc, &chunk[..read]);
                raw.write(&chunk[..read])?;
            }
        }
        raw.sync()?;
        let took = began.elapsed();
        black_box(crc);
        drop(raw);
        fs::remove_dir_all(dir)?;
        Ok(self.each(took))
    }

    fn each(&self, took: Duration) -> f64 {
        took.as_secs_f64() * 1e9 / float(self.records)
    }
}

/// Copies the files of a directory, and makes them durable: what was written long before a kill is
/// on the disk, and its way there is no part of an opening.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let copy = to.join(path.file_name().context("an entry has a name")?);
        fs::copy(&path, &copy)?;
        File::open(copy)?.sync_all()?;
    }
    Ok(File::open(to)?.sync_all()?)
}

fn segments(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter(|path| path.extension().is_some_and(|e| e == "wal")).collect())
}

fn size(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path)?.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doubt::STRATEGIES;
    use wal::parts::core::format::{FRAME_HEADER_LEN, HEADER_LEN};

    #[test]
    fn what_a_kill_leaves_is_opened_with_all_its_records_under_every_strategy() {
        let base = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(base.path()).unwrap();
        let log = Killed::new(&scratch, 300, Strategy::Os).unwrap();
        // A frame each, and the header of the segment.
        let files = segments(&log.dir).unwrap();
        let bytes: u64 = files.iter().map(|path| size(path).unwrap()).sum();
        let frames = bytes - HEADER_LEN as u64;
        assert!(frames >= 300 * FRAME_HEADER_LEN as u64, "{frames} bytes");
        assert!(frames <= 300 * FRAME, "{frames} bytes");
        for strategy in STRATEGIES {
            log.open(&scratch, strategy).unwrap();
        }
        log.carry(&scratch).unwrap();
    }
}
