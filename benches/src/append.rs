//! Appending records of several sizes without waiting for the disk.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use wal::Wal;

use crate::{Budget, Effort, Row, Scratch, float, interleaved};

/// Bytes of a record.
pub const RECORD_LENS: [usize; 3] = [100, 1024, 10_240];

/// Bytes of records appended before the log is drained: so few that they fit into the default
/// `buffer_size`, and that group commit's helper, which writes what nobody waits for after ten
/// milliseconds, does not come in between.
const BURST: u64 = 4 << 20;

/// A log that records of one size are appended to, with the default settings.
#[derive(Debug)]
pub struct Appending {
    wal: Wal,
    record: Vec<u8>,
}

impl Appending {
    /// A log in files, of records of this many bytes.
    pub fn new(scratch: &Scratch, record_len: usize) -> Result<Self> {
        let (wal, _) = Wal::builder(scratch.path()).open()?;
        let appending = Self { wal, record: vec![7; record_len] };
        // The first segment is made here, and both of the log's buffers grow to their size.
        appending.append(2 * burst(record_len))?;
        Ok(appending)
    }

    /// The time that appending this many records takes. Waiting for the disk, between bursts and
    /// at the end, is not in it.
    pub fn append(&self, records: u64) -> Result<Duration> {
        // Of a length that the compiler does not know, as records are.
        let record: &[u8] = black_box(&self.record);
        in_bursts(
            records,
            burst(record.len()),
            || Ok(self.wal.append(record).map(drop)?),
            || {
                self.wal.sync()?;
                self.wal.prune_before(self.wal.durable_lsn())?;
                Ok(())
            },
        )
    }
}

/// The floor: a buffer behind a mutex takes the same bytes.
#[derive(Debug)]
pub struct Extending {
    bytes: Mutex<Vec<u8>>,
    record: Vec<u8>,
}

impl Extending {
    /// A buffer that holds a whole burst of records of this many bytes without growing.
    pub fn new(record_len: usize) -> Result<Self> {
        let extending = Self { bytes: Mutex::default(), record: vec![7; record_len] };
        extending.append(burst(record_len))?;
        Ok(extending)
    }

    /// As [`Appending::append`].
    pub fn append(&self, records: u64) -> Result<Duration> {
        let record: &[u8] = black_box(&self.record);
        let lock = || self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        in_bursts(
            records,
            burst(record.len()),
            || {
                lock().extend_from_slice(record);
                Ok(())
            },
            || {
                lock().clear();
                Ok(())
            },
        )
    }
}

/// How many records of this many bytes are appended between two drains.
fn burst(record_len: usize) -> u64 {
    BURST / record_len as u64
}

/// Calls `append` so many times and `drain` after each burst; the time of the former.
fn in_bursts(
    records: u64,
    burst: u64,
    append: impl Fn() -> Result<()>,
    drain: impl Fn() -> Result<()>,
) -> Result<Duration> {
    let (mut left, mut took) = (records, Duration::ZERO);
    while left > 0 {
        let share = left.min(burst);
        let began = Instant::now();
        for _ in 0..share {
            append()?;
        }
        took += began.elapsed();
        drain()?;
        left -= share;
    }
    Ok(took)
}

/// Nanoseconds a record, by its size.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for record_len in RECORD_LENS {
        let (ours, floor) = (Appending::new(scratch, record_len)?, Extending::new(record_len)?);
        let records = effort.size(2 * burst(record_len));
        let each = |took: Duration| took.as_secs_f64() * 1e9 / float(records);
        let [floor, ours] = interleaved(
            effort.rounds(21),
            &mut [&mut || floor.append(records).map(each), &mut || ours.append(records).map(each)],
        )?;
        rows.push(Row::new(
            format!("append {record_len} B"),
            "ns",
            ("Vec::extend under a Mutex", &floor),
            &ours,
            Budget::Open,
        ));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_appended_and_what_was_appended_is_drained() {
        let base = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(base.path()).unwrap();
        let appending = Appending::new(&scratch, 10_240).unwrap();
        let before = appending.wal.last_lsn();
        let records = burst(10_240) + 1;
        appending.append(records).unwrap();
        assert_eq!(appending.wal.last_lsn().since(before), records);
        assert_eq!(appending.wal.durable_lsn(), appending.wal.last_lsn());
    }
}
