//! Records that are durable when their only writer goes on.

use std::time::Instant;

use anyhow::{Result, bail};
use wal::{Config, Strategy, Wal};

use crate::{Budget, Effort, Fill, RawFile, Row, Scratch, float, interleaved};

/// Bytes of a record.
pub const RECORD_LEN: usize = 100;

/// Bytes of a segment, and of the raw file beside it.
pub(crate) const SEGMENT_SIZE: u64 = 64 << 20;

/// The most that a durable append may cost, as a multiple of its write and sync.
const BUDGET: f64 = 1.5;

/// A log whose writers wait for every append.
#[derive(Debug)]
pub struct Committer {
    pub(crate) wal: Wal,
}

impl Committer {
    /// A log in files, under this strategy.
    pub fn new(scratch: &Scratch, strategy: Strategy, fill: Fill) -> Result<Self> {
        let mut config = Config::default();
        config.strategy = strategy;
        config.preparation = Some(fill.as_preparation());
        config.segment_size = SEGMENT_SIZE;
        let (wal, _) = Wal::builder(scratch.path()).config(config).open()?;
        let committer = Self { wal };
        // The first record makes the first segment.
        committer.commit()?;
        Ok(committer)
    }

    /// Appends a record and waits for it.
    pub fn commit(&self) -> Result<()> {
        let lsn = self.wal.append([7; RECORD_LEN])?;
        Ok(self.wal.wait_for_lsn(lsn).wait()?)
    }

    /// Appends this many records as one batch, and waits for it.
    pub fn commit_batch(&self, records: usize) -> Result<()> {
        let lsns = self.wal.append_batch((0..records).map(|_| [7; RECORD_LEN]))?;
        match lsns.last() {
            Some(&last) => Ok(self.wal.wait_for_lsn(last).wait()?),
            None => Ok(()),
        }
    }

    /// How many bytes the log grows by when `commit` runs, framing included.
    pub fn growth(&self, commit: impl Fn() -> Result<()>) -> Result<usize> {
        let before = self.wal.current_segment();
        commit()?;
        match (before, self.wal.current_segment()) {
            (Some((id, before)), Some((now, after))) if id == now => {
                Ok(usize::try_from(after - before)?)
            }
            _ => bail!("a segment ended within a commit"),
        }
    }
}

/// One writer against the raw write and sync.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (fill, name) in [(Fill::Allocated, "allocated"), (Fill::Zeros, "zero-filled")] {
        rows.push(one_writer(scratch, effort, fill, name)?);
    }
    rows.push(batch(scratch, effort)?);
    Ok(rows)
}

fn one_writer(scratch: &Scratch, effort: Effort, fill: Fill, name: &str) -> Result<Row> {
    let ours = Committer::new(scratch, Strategy::GroupCommit, fill)?;
    let bytes = vec![7; ours.growth(|| ours.commit())?];
    let mut raw = RawFile::new(scratch.path(), fill, SEGMENT_SIZE)?;
    let commits = effort.size(200);
    let [floor, ours] = interleaved(
        effort.rounds(41),
        &mut [&mut || each(commits, || raw.commit(&bytes)), &mut || {
            each(commits, || ours.commit())
        }],
    )?;
    Ok(Row::new(
        format!("one writer, each 100 B durable, {name}"),
        "us",
        ("pwrite + fdatasync of as many bytes", &floor),
        &ours,
        Budget::RatioAtMost(BUDGET),
    ))
}

fn batch(scratch: &Scratch, effort: Effort) -> Result<Row> {
    let ours = Committer::new(scratch, Strategy::GroupCommit, Fill::Allocated)?;
    let bytes = vec![7; ours.growth(|| ours.commit_batch(100))?];
    let mut raw = RawFile::new(scratch.path(), Fill::Allocated, SEGMENT_SIZE)?;
    let commits = effort.size(100);
    let [floor, ours] = interleaved(
        effort.rounds(31),
        &mut [&mut || each(commits, || raw.commit(&bytes)), &mut || {
            each(commits, || ours.commit_batch(100))
        }],
    )?;
    Ok(Row::new(
        "one writer, batches of 100 x 100 B durable",
        "us",
        ("pwrite + fdatasync of as many bytes", &floor),
        &ours,
        Budget::RatioAtMost(BUDGET),
    ))
}

/// Microseconds a call.
fn each(calls: u64, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..calls {
        call()?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / float(calls))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The floor writes what the log writes: a frame header of 48 bytes, a length byte, the record,
    /// and padding to eight.
    #[test]
    fn a_commit_of_100_bytes_grows_the_log_by_152() {
        let base = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(base.path()).unwrap();
        let log = Committer::new(&scratch, Strategy::GroupCommit, Fill::Allocated).unwrap();
        assert_eq!(log.growth(|| log.commit()).unwrap(), 152);
        assert_eq!(log.growth(|| log.commit_batch(100)).unwrap(), 48 + 100 * 101 + 4);
    }
}
