//! Staging a record without waiting for the disk.

use std::hint::black_box;
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use wal::{Config, Strategy, Wal};

use crate::{Budget, Effort, Row, Scratch, float, interleaved};

/// Bytes of a record.
pub const RECORD_LEN: usize = 100;

/// Records staged before the log is drained: so many that threads which begin and end apart do not
/// count. A burst fits into the log's buffer, so that no append waits for the disk; but it takes
/// longer than the ten milliseconds after which group commit's helper writes what nobody waits for,
/// so the helper may take turns with the producers, as it does in use.
pub const BURST: u64 = 262_144;

/// How many threads append at once.
pub const PRODUCERS: [usize; 4] = [1, 4, 16, 64];

/// The most that staging 100 bytes may cost, in nanoseconds.
const BUDGET: f64 = 150.0;

/// What [`MANY`] producers together must get staged at least, as a multiple of what one does.
const TOTAL_BUDGET: f64 = 0.8;

/// Rounds of a full run.
const ROUNDS: usize = 15;

/// How many producers are held against one.
const MANY: usize = 16;

/// A log that holds a whole burst in memory.
#[derive(Debug)]
pub struct Staging {
    wal: Wal,
}

impl Staging {
    /// A log in files, committing by groups.
    pub fn new(scratch: &Scratch) -> Result<Self> {
        let mut config = Config::default();
        config.strategy = Strategy::GroupCommit;
        config.buffer_size = 64 << 20;
        let (wal, _) = Wal::builder(scratch.path()).config(config).open()?;
        let staging = Self { wal };
        // The first segment is made and the log's buffers grow here and not in what is measured.
        for _ in 0..2 {
            staging.burst(1, BURST)?;
        }
        Ok(staging)
    }

    /// The time that appending this many records takes, from the first call to the last return.
    pub fn burst(&self, producers: usize, records: u64) -> Result<Duration> {
        // Of a length that the compiler does not know, as records are.
        let record = black_box(vec![7; RECORD_LEN]);
        let took = race(producers, records, || self.wal.append(&record))?;
        self.wal.sync()?;
        self.wal.prune_before(self.wal.durable_lsn())?;
        Ok(took)
    }
}

/// The floor: a buffer behind a mutex takes the same bytes.
#[derive(Debug)]
pub struct Buffer {
    bytes: Mutex<Vec<u8>>,
}

impl Buffer {
    /// A buffer that holds a whole burst without growing.
    pub fn new() -> Result<Self> {
        let buffer = Self { bytes: Mutex::default() };
        buffer.burst(1, BURST)?;
        Ok(buffer)
    }

    /// As [`Staging::burst`].
    pub fn burst(&self, producers: usize, records: u64) -> Result<Duration> {
        let record = black_box(vec![7; RECORD_LEN]);
        let took = race(producers, records, || {
            self.lock().extend_from_slice(&record);
            Ok::<_, anyhow::Error>(())
        })?;
        self.lock().clear();
        Ok(took)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls `append` this many times in all, from this many threads at once, one of them the caller
/// where there is only one; the time from the first call to the last return.
fn race<T, E: Into<anyhow::Error>>(
    producers: usize,
    records: u64,
    append: impl Fn() -> Result<T, E> + Sync,
) -> Result<Duration> {
    let run = |records: u64| {
        let began = Instant::now();
        for _ in 0..records {
            append().map_err(Into::into)?;
        }
        Ok::<_, anyhow::Error>((began, Instant::now()))
    };
    if producers == 1 {
        let (began, ended) = run(records)?;
        return Ok(ended - began);
    }
    let barrier = Barrier::new(producers);
    let share = records / producers as u64;
    let spans: Result<Vec<_>> = thread::scope(|scope| {
        let producer = || {
            barrier.wait();
            run(share)
        };
        let threads: Vec<_> = (0..producers).map(|_| scope.spawn(producer)).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|span| span.map_err(|_| anyhow!("a producer panicked"))?).collect()
    });
    let spans = spans?;
    let began = spans.iter().map(|(began, _)| *began).min();
    let ended = spans.iter().map(|(_, ended)| *ended).max();
    Ok(began.zip(ended).map_or(Duration::ZERO, |(began, ended)| ended - began))
}

/// Nanoseconds a record, by producers, and whether many stage as much as one.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let (staging, buffer) = (Staging::new(scratch)?, Buffer::new()?);
    let records = effort.size(BURST);
    let each = |took: Duration| took.as_secs_f64() * 1e9 / float(records);
    let mut rows = Vec::new();
    for producers in PRODUCERS {
        let [floor, ours] = interleaved(
            effort.rounds(ROUNDS),
            &mut [&mut || buffer.burst(producers, records).map(each), &mut || {
                staging.burst(producers, records).map(each)
            }],
        )?;
        rows.push(Row::new(
            format!("stage 100 B, producers: {producers}"),
            "ns",
            ("Vec::extend under a Mutex", &floor),
            &ours,
            // More threads than that are a test of the scheduler.
            if producers <= 16 { Budget::AtMost(BUDGET) } else { Budget::Open },
        ));
    }
    let total = |took: Duration| float(records) / took.as_secs_f64() / 1e6;
    let [one, many] = interleaved(
        effort.rounds(ROUNDS),
        &mut [&mut || staging.burst(1, records).map(total), &mut || {
            staging.burst(MANY, records).map(total)
        }],
    )?;
    rows.push(Row::new(
        format!("stage 100 B, {MANY} producers' total"),
        "M/s",
        ("one producer's total", &one),
        &many,
        Budget::RatioAtLeast(TOTAL_BUDGET),
    ));
    Ok(rows)
}
