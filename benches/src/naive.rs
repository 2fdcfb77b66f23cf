//! A thousand durable records the naive way, one sync each, and in batches under group commit.
//!
//! In these rows the naive way stands where the floor stands in others: it is what ours is to be
//! better than, and a ratio below one is how much.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use wal::parts::segment::FileStore;
use wal::{Strategy, Wal};
use wal_testkit::{Counting, Throttled};

use crate::durable::Committer;
use crate::{Budget, Effort, Row, Samples, Scratch, interleaved};

/// Records of one run.
pub const RECORDS: usize = 1000;

/// Records of a batch.
pub const BATCH: usize = 100;

/// How long a sync takes on the slow disk: as long as where the naive way was first measured.
const SLOW_SYNC: Duration = Duration::from_millis(4);

/// A fifth: the naive way on the slow disk is four seconds a run else.
const SLOW_RECORDS: usize = RECORDS / 5;

/// The most that batches may cost of the naive way's time on the slow disk.
const TIME_BUDGET: f64 = 1.0 / 50.0;

/// The most storage calls of a run in batches.
const CALLS_BUDGET: f64 = 30.0;

/// A log in files whose storage calls are counted.
#[derive(Debug)]
pub struct Counted {
    log: Committer,
    store: Counting,
}

/// What a run cost.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Cost {
    /// From the first append to the last acknowledgement.
    pub took: Duration,
    /// Syncs of records.
    pub syncs: u64,
    /// Calls of the store: appends to a segment and syncs, and whatever else there was.
    pub calls: u64,
}

impl Counted {
    /// A log under this strategy, on a disk whose syncs take this much longer than they do. Its
    /// first segment is made, so that no run makes it.
    pub fn new(scratch: &Scratch, strategy: Strategy, longer: Duration) -> Result<Self> {
        let files = Arc::new(FileStore::open(scratch.path())?);
        let store = Counting::new(match longer {
            Duration::ZERO => files,
            longer => Arc::new(Throttled::new(files, longer)),
        });
        let (wal, _) = Wal::with_store(Arc::new(store.clone())).strategy(strategy).open()?;
        let log = Committer { wal };
        log.commit()?;
        Ok(Self { log, store })
    }

    /// Appends this many records of 100 bytes, waiting for each.
    pub fn one_by_one(&self, records: usize) -> Result<Cost> {
        self.run(|log| (0..records).try_for_each(|_| log.commit()))
    }

    /// Appends this many in batches of [`BATCH`], waiting for each batch.
    pub fn in_batches(&self, records: usize) -> Result<Cost> {
        self.run(|log| (0..records / BATCH).try_for_each(|_| log.commit_batch(BATCH)))
    }

    fn run(&self, run: impl Fn(&Committer) -> Result<()>) -> Result<Cost> {
        let (calls, syncs) = (self.calls(), self.log.wal.syncs());
        let began = Instant::now();
        run(&self.log)?;
        let took = began.elapsed();
        Ok(Cost { took, syncs: self.log.wal.syncs() - syncs, calls: self.calls() - calls })
    }

    fn calls(&self) -> u64 {
        let counts = self.store.counts();
        let makes = counts.creates + counts.trims + counts.removes + counts.opens;
        counts.appends + counts.syncs + makes
    }
}

/// A run's time on this disk and on a slow one, its syncs and its storage calls.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let naive = Counted::new(scratch, Strategy::Sync, Duration::ZERO)?;
    let batched = Counted::new(scratch, Strategy::GroupCommit, Duration::ZERO)?;
    let (slow_naive, slow_batched) = (
        Counted::new(scratch, Strategy::Sync, SLOW_SYNC)?,
        Counted::new(scratch, Strategy::GroupCommit, SLOW_SYNC)?,
    );
    let ms = |cost: Cost| cost.took.as_secs_f64() * 1e3;
    let is = "naive: each by itself, strategy sync";
    let [naive_took, took] = interleaved(
        effort.rounds(11),
        &mut [&mut || naive.one_by_one(RECORDS).map(ms), &mut || {
            batched.in_batches(RECORDS).map(ms)
        }],
    )?;
    let [slow_naive_took, slow_took] = interleaved(
        effort.rounds(3),
        &mut [&mut || slow_naive.one_by_one(SLOW_RECORDS).map(ms), &mut || {
            slow_batched.in_batches(SLOW_RECORDS).map(ms)
        }],
    )?;
    let (naive, batched) = (naive.one_by_one(RECORDS)?, batched.in_batches(RECORDS)?);
    let exactly = Samples::exact;
    Ok(vec![
        Row::new(
            format!("{RECORDS} x 100 B durable, batches of {BATCH}"),
            "ms",
            (is, &naive_took),
            &took,
            Budget::Open,
        ),
        Row::new(
            format!("{SLOW_RECORDS} x 100 B durable, batches of {BATCH}, a sync 4 ms slower"),
            "ms",
            (is, &slow_naive_took),
            &slow_took,
            Budget::RatioAtMost(TIME_BUDGET),
        ),
        Row::new(
            format!("{RECORDS} x 100 B durable, batches of {BATCH}: syncs"),
            "",
            (is, &exactly(naive.syncs)),
            &exactly(batched.syncs),
            Budget::AtMost(10.0),
        ),
        Row::new(
            format!("{RECORDS} x 100 B durable, batches of {BATCH}: storage calls"),
            "",
            (is, &exactly(naive.calls)),
            &exactly(batched.calls),
            Budget::AtMost(CALLS_BUDGET),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_write_and_sync_once_a_commit() {
        let base = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(base.path()).unwrap();
        let naive = Counted::new(&scratch, Strategy::Sync, Duration::ZERO).unwrap();
        let naive = naive.one_by_one(20).unwrap();
        assert_eq!((naive.syncs, naive.calls), (20, 40));
        let batched = Counted::new(&scratch, Strategy::GroupCommit, Duration::ZERO).unwrap();
        let batched = batched.in_batches(2 * BATCH).unwrap();
        assert_eq!((batched.syncs, batched.calls), (2, 4));
    }
}
