//! Opening a log of many sealed segments.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use wal::Wal;
use wal::parts::core::SegmentStore;
use wal::parts::segment::FileStore;
use wal_testkit::{Counting, StoreCounts};

use crate::{Budget, Effort, Row, Samples, Scratch, interleaved};

/// How many segments the logs have.
pub const SEGMENTS: [u64; 3] = [1, 16, 256];

/// The least a segment can be: opening is not about its size.
const SEGMENT_SIZE: u64 = 16 << 10;

/// How much longer opening the longest log may take than opening the shortest. What grows is the
/// listing of the directory, which no log can do without.
const BUDGET: f64 = 1.5;

/// A log of sealed segments, closed.
#[derive(Debug)]
pub struct Sealed {
    dir: PathBuf,
    segments: u64,
}

impl Sealed {
    /// A log of this many segments.
    pub fn new(scratch: &Scratch, segments: u64) -> Result<Self> {
        let dir = scratch.path();
        let store = Arc::new(FileStore::open(&dir)?);
        fill(store, segments)?;
        Ok(Self { dir, segments })
    }

    /// Opens the log and gives it back; it is closed when that is dropped.
    pub fn open(&self) -> Result<Wal> {
        let (wal, recovery) = Wal::builder(&self.dir).segment_size(SEGMENT_SIZE).open()?;
        ensure!(recovery.segments == self.segments, "a segment is missing");
        Ok(wal)
    }

    /// The floor: the directory read and synced, and of its newest file the first and the last
    /// block read.
    pub fn look(&self) -> Result<()> {
        let mut newest = PathBuf::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "wal") {
                newest = newest.max(path);
            }
        }
        File::open(&self.dir)?.sync_all()?;
        let mut file = File::open(newest)?;
        let mut block = [0; 4096];
        file.read_exact(&mut block)?;
        black_box(&block);
        file.seek(SeekFrom::End(-4096))?;
        file.read_exact(&mut block)?;
        black_box(&block);
        Ok(())
    }

    /// What opening the log reads.
    pub fn reads(&self) -> Result<StoreCounts> {
        reads(Arc::new(FileStore::open(&self.dir)?))
    }
}

fn fill(store: Arc<dyn SegmentStore>, segments: u64) -> Result<()> {
    let (wal, _) = Wal::with_store(store).segment_size(SEGMENT_SIZE).open()?;
    // One more than half a segment each, so that each segment takes one.
    let record = vec![7; usize::try_from(SEGMENT_SIZE / 2)?];
    for _ in 0..segments {
        wal.append(&record)?;
        wal.sync()?;
    }
    Ok(wal.close()?)
}

fn reads(store: Arc<dyn SegmentStore>) -> Result<StoreCounts> {
    let counting = Counting::new(store);
    let store = Arc::new(counting.clone());
    let (wal, _) = Wal::with_store(store).segment_size(SEGMENT_SIZE).open()?;
    let counts = counting.counts();
    wal.close()?;
    Ok(counts)
}

/// Microseconds to open, against the least that must be read; and what the longest log costs more
/// than the shortest.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let [one, some, many] = SEGMENTS;
    let [first, second, third] =
        [Sealed::new(scratch, one)?, Sealed::new(scratch, some)?, Sealed::new(scratch, many)?];
    let open = |log: &Sealed| {
        let began = Instant::now();
        let wal = log.open()?;
        let took = began.elapsed();
        wal.close()?;
        Ok(took.as_secs_f64() * 1e6)
    };
    let look = |log: &Sealed| {
        let began = Instant::now();
        log.look()?;
        Ok(began.elapsed().as_secs_f64() * 1e6)
    };
    let [few_looked, many_looked, few, middle, most] = interleaved(
        effort.rounds(41),
        &mut [
            &mut || look(&first),
            &mut || look(&third),
            &mut || open(&first),
            &mut || open(&second),
            &mut || open(&third),
        ],
    )?;
    let name = |segments: u64| format!("open, sealed segments: {segments}");
    let floor = "readdir + fsync + last file's ends";
    let shortest = "ours with 1 segment";
    let some_read = "ours with 16 segments";
    let (least, largest) = (second.reads()?, third.reads()?);
    let exact = Samples::exact;
    Ok(vec![
        Row::new(name(one), "us", (floor, &few_looked), &few, Budget::Open),
        Row::new(name(many), "us", (floor, &many_looked), &most, Budget::Open),
        Row::new(name(some), "us", (shortest, &few), &middle, Budget::RatioAtMost(BUDGET)),
        Row::new(name(many), "us", (shortest, &few), &most, Budget::RatioAtMost(BUDGET)),
        Row::new(
            format!("open, {many} segments: segments opened"),
            "",
            (some_read, &exact(least.opens)),
            &exact(largest.opens),
            Budget::AtMost(2.0),
        ),
        Row::new(
            format!("open, {many} segments: bytes read"),
            "B",
            (some_read, &exact(least.read_bytes)),
            &exact(largest.read_bytes),
            Budget::RatioAtMost(1.0),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use wal::parts::core::format::HEADER_LEN;
    use wal::parts::segment::MemoryStore;

    /// A log grows for months, and the process that opens it after a restart is waited for: all but
    /// the newest segment is vouched for by its successor. Of the one before it the header is read,
    /// so that the two are known to belong together; the others are not even opened.
    #[test]
    fn opening_reads_no_more_of_a_long_log_than_of_a_short_one() {
        let counts = SEGMENTS.map(|segments| {
            let store = MemoryStore::new();
            fill(Arc::new(store.clone()), segments).unwrap();
            assert_eq!(store.list().unwrap().len() as u64, segments);
            reads(Arc::new(store)).unwrap()
        });
        let opens = counts.map(|counts| counts.opens);
        assert_eq!(opens, [1, 2, 2]);
        let bytes = counts.map(|counts| counts.read_bytes);
        assert!(bytes[0] > 0);
        assert_eq!(bytes, [bytes[0], bytes[0] + HEADER_LEN as u64, bytes[0] + HEADER_LEN as u64]);
        assert_eq!(counts.map(|counts| counts.lists), [1; 3]);
    }
}
