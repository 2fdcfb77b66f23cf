//! [`drive`]: one workload on one log, once.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use tokio::runtime::Builder;
use tokio::task::{spawn_blocking, yield_now};

use super::Workload;
use crate::Subject;

/// The most that a pipelined run appends: what fits all logs without a new file in between.
const PIPELINED_BYTES: usize = 64 << 20;

/// Workers of the tasks' runtime.
const WORKERS: usize = 2;

/// For how long a workload runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Before anything is measured: files are made and threads are started in it.
    pub(super) warm_up: Duration,
    /// What is measured.
    pub(super) measured: Duration,
}

/// What one run gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// Records acknowledged.
    pub(super) records: u64,
    /// The time in which they were.
    pub(super) took: Duration,
    /// From each append to its acknowledgement, ascending; empty where none was waited for alone.
    pub(super) latencies: Vec<Duration>,
    /// Syncs meanwhile, where they can be counted.
    pub(super) syncs: Option<u64>,
    /// Whether threads were given to a log that cannot be awaited.
    pub(super) threads_for_tasks: bool,
}

/// Runs a workload on a log that is open.
pub(super) fn drive(
    subject: &Arc<dyn Subject>,
    workload: Workload,
    times: Times,
) -> Result<Sample> {
    let record = vec![0x57; workload.record_len()];
    match workload {
        Workload::Durable(threads) => durable(&**subject, threads, &record, times),
        Workload::Tasks(tasks) => self::tasks(subject, tasks, &Arc::from(record), times),
        Workload::Pipelined(_) => pipelined(&**subject, &record, times),
    }
}

/// Two moments, the same for all writers; between them is measured. Nobody stops at the first one: a log
/// that everybody comes to at once is another workload.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from: Instant,
    until: Instant,
}

impl Stretch {
    fn beginning_now(times: Times) -> Self {
        let from = Instant::now() + times.warm_up;
        Self { from, until: from + times.measured }
    }

    /// The syncs of the measured time, where they can be counted; returns at its end.
    fn syncs(self, subject: &dyn Subject) -> Option<u64> {
        thread::sleep(self.from.saturating_duration_since(Instant::now()));
        let before = subject.syncs();
        thread::sleep(self.until.saturating_duration_since(Instant::now()));
        since(before, subject.syncs())
    }
}

/// What one writer did in the measured time.
#[derive(Debug)]
struct Latencies {
    stretch: Stretch,
    measured: Vec<Duration>,
}

impl Latencies {
    fn of(stretch: Stretch) -> Self {
        Self { stretch, measured: Vec::new() }
    }

    /// Notes a record, and says whether there is time for another one.
    fn note(&mut self, asked: Instant, acknowledged: Instant) -> bool {
        let Stretch { from, until } = self.stretch;
        if (from..until).contains(&acknowledged) {
            self.measured.push(acknowledged - asked);
        }
        acknowledged < until
    }
}

impl Sample {
    fn of(times: Times, latencies: Vec<Vec<Duration>>, syncs: Option<u64>) -> Self {
        let mut latencies: Vec<_> = latencies.into_iter().flatten().collect();
        latencies.sort_unstable();
        let (records, took) = (latencies.len() as u64, times.measured);
        Self { records, took, latencies, syncs, threads_for_tasks: false }
    }

    /// The latency that this share of the records, between 0 and 1, stayed within.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a length is a place in it"
    )]
    pub(super) fn latency(&self, share: f64) -> Option<Duration> {
        let at = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(at.min(self.latencies.len().saturating_sub(1))).copied()
    }
}

fn durable(subject: &dyn Subject, threads: usize, record: &[u8], times: Times) -> Result<Sample> {
    let stretch = Stretch::beginning_now(times);
    let writer = || {
        let (mut latencies, mut asked) = (Latencies::of(stretch), Instant::now());
        loop {
            subject.append_durable(record)?;
            let acknowledged = Instant::now();
            if !latencies.note(asked, acknowledged) {
                return Ok(latencies.measured);
            }
            asked = acknowledged;
        }
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..threads).map(|_| scope.spawn(writer)).collect();
        let syncs = stretch.syncs(subject);
        let joined = writers.into_iter().map(thread::ScopedJoinHandle::join);
        let latencies: Result<Vec<_>> =
            joined.map(|measured| measured.map_err(|_| anyhow!("a writer panicked"))?).collect();
        Ok(Sample::of(times, latencies?, syncs))
    })
}

fn tasks(
    subject: &Arc<dyn Subject>,
    tasks: usize,
    record: &Arc<[u8]>,
    times: Times,
) -> Result<Sample> {
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).build()?;
    let stretch = Stretch::beginning_now(times);
    let writer = || task(Arc::clone(subject), Arc::clone(record), stretch);
    let writers: Vec<_> = (0..tasks).map(|_| runtime.spawn(writer())).collect();
    let syncs = stretch.syncs(&**subject);
    let mut latencies = Vec::new();
    for writer in writers {
        latencies.push(runtime.block_on(writer).map_err(|_| anyhow!("a task panicked"))??);
    }
    let threads_for_tasks = subject.append_awaited(record).is_none();
    Ok(Sample { threads_for_tasks, ..Sample::of(times, latencies, syncs) })
}

/// A writer in a task.
async fn task(
    subject: Arc<dyn Subject>,
    record: Arc<[u8]>,
    stretch: Stretch,
) -> Result<Vec<Duration>> {
    let mut latencies = Latencies::of(stretch);
    loop {
        let asked = Instant::now();
        if let Some(appended) = subject.append_awaited(&record) {
            appended.await?;
        } else {
            let (subject, record) = (Arc::clone(&subject), Arc::clone(&record));
            spawn_blocking(move || subject.append_durable(&record)).await??;
        }
        if !latencies.note(asked, Instant::now()) {
            return Ok(latencies.measured);
        }
        // A log that answers at once would leave a worker to one task for good.
        yield_now().await;
    }
}

fn pipelined(subject: &dyn Subject, record: &[u8], times: Times) -> Result<Sample> {
    stream(subject, record, times.warm_up, PIPELINED_BYTES / 16)?;
    let before = subject.syncs();
    let (records, took) = stream(subject, record, times.measured, PIPELINED_BYTES)?;
    let syncs = since(before, subject.syncs());
    Ok(Sample { records, took, syncs, ..Sample::default() })
}

/// How many records went in within this time, or until these bytes, and how long it took until all
/// were acknowledged.
fn stream(
    subject: &dyn Subject,
    record: &[u8],
    time: Duration,
    bytes: usize,
) -> Result<(u64, Duration)> {
    let most = (bytes / record.len()) as u64;
    let (mut records, mut over) = (0, false);
    let began = Instant::now();
    subject.pipelined(record, &mut || {
        // Asking for the time costs as much as an append.
        over = over || records == most || (records % 64 == 0 && began.elapsed() >= time);
        records += u64::from(!over);
        !over
    })?;
    Ok((records, began.elapsed()))
}

fn since(before: Option<u64>, after: Option<u64>) -> Option<u64> {
    before.zip(after).map(|(before, after)| after - before)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::Appended;

    /// Acknowledges at once, and counts a sync for each wait.
    #[derive(Default)]
    struct Void {
        records: AtomicU64,
        syncs: AtomicU64,
    }

    impl Subject for Void {
        fn append_durable(&self, _record: &[u8]) -> Result<()> {
            self.records.fetch_add(1, Ordering::Relaxed);
            self.syncs.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn append_awaited(&self, _record: &[u8]) -> Option<Appended> {
            None
        }

        fn pipelined(&self, _record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()> {
            while more() {
                self.records.fetch_add(1, Ordering::Relaxed);
            }
            assert!(!more(), "no more means no more");
            self.syncs.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn read(&self, _each: &mut dyn FnMut(&[u8])) -> Result<()> {
            Ok(())
        }

        fn syncs(&self) -> Option<u64> {
            Some(self.syncs.load(Ordering::Relaxed))
        }
    }

    fn briefly(workload: Workload) -> Sample {
        let subject: Arc<dyn Subject> = Arc::new(Void::default());
        let time = Duration::from_millis(2);
        drive(&subject, workload, Times { warm_up: time, measured: time }).unwrap()
    }

    #[test]
    fn every_record_of_the_measured_time_is_counted_with_its_latency() {
        for workload in [Workload::Durable(1), Workload::Durable(3), Workload::Tasks(5)] {
            let sample = briefly(workload);
            assert!(sample.records > 0, "{workload:?}");
            assert_eq!(sample.latencies.len() as u64, sample.records, "{workload:?}");
            assert!(sample.syncs.is_some_and(|syncs| syncs > 0), "{workload:?}");
            assert!(sample.latencies.is_sorted());
            assert_eq!(sample.threads_for_tasks, matches!(workload, Workload::Tasks(_)));
        }
    }

    #[test]
    fn a_pipelined_run_ends_with_one_wait_and_knows_no_latency() {
        let sample = briefly(Workload::Pipelined(1024));
        assert!(sample.records > 0 && sample.records <= (PIPELINED_BYTES / 1024) as u64);
        assert_eq!((sample.syncs, sample.latency(0.5)), (Some(1), None));
    }
}
