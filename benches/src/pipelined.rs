//! Appending without waiting, and making all of it durable at the end.

use std::time::Instant;

use anyhow::Result;
use wal::{Strategy, Wal};

use crate::{Budget, Effort, Fill, RawFile, Row, Scratch, float, interleaved};

/// Bytes of records appended before the sync.
const BYTES: u64 = 32 << 20;

/// Bytes of one write of the floor.
const WRITE: usize = 1 << 20;

const SEGMENT_SIZE: u64 = 128 << 20;

/// A log that is appended to as fast as one thread can.
#[derive(Debug)]
pub struct Stream {
    wal: Wal,
    record: Vec<u8>,
}

impl Stream {
    /// A log of records of this many bytes, with the default settings.
    pub fn new(scratch: &Scratch, record_len: usize) -> Result<Self> {
        let (wal, _) = Wal::builder(scratch.path()).strategy(Strategy::GroupCommit).open()?;
        Ok(Self { wal, record: vec![7; record_len] })
    }

    /// Appends records of `bytes` in all, and syncs them; megabytes of records a second.
    pub fn run(&self, bytes: u64) -> Result<f64> {
        let records = bytes / self.record.len() as u64;
        let began = Instant::now();
        for _ in 0..records {
            self.wal.append(&self.record)?;
        }
        self.wal.sync()?;
        let took = began.elapsed();
        self.wal.prune_before(self.wal.durable_lsn())?;
        Ok(float(records * self.record.len() as u64) / took.as_secs_f64() / 1e6)
    }
}

/// Megabytes a second, against large raw writes that are durable each.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let bytes = effort.size(BYTES);
    let mut rows = Vec::new();
    for (record_len, name) in [(100, "100 B"), (1024, "1 KiB")] {
        let stream = Stream::new(scratch, record_len)?;
        let mut raw = RawFile::new(scratch.path(), Fill::Allocated, SEGMENT_SIZE)?;
        let block = vec![7; WRITE];
        let [floor, ours] = interleaved(
            effort.rounds(9),
            &mut [
                &mut || {
                    let writes = bytes.div_ceil(WRITE as u64);
                    let began = Instant::now();
                    for _ in 0..writes {
                        raw.commit(&block)?;
                    }
                    Ok(float(writes * WRITE as u64) / began.elapsed().as_secs_f64() / 1e6)
                },
                &mut || stream.run(bytes),
            ],
        )?;
        rows.push(Row::new(
            format!("pipelined {name}, one sync at the end"),
            "MB/s",
            ("pwrite + fdatasync of 1 MiB each", &floor),
            &ours,
            Budget::Open,
        ));
    }
    Ok(rows)
}
