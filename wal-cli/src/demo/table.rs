//! What a commit costs: one sync each, and in groups.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use wal::parts::codec::{Binary, Operation};
use wal::parts::core::Codec;
use wal::{Strategy, Wal};

use super::WRITERS;
use super::floor::{self, micros};
use super::order::Order;
use super::place::Place;
use crate::out::Out;

/// The lines of the table take turns, this many times: a disk that others use, too, is not the same
/// from one second to the next.
const PASSES: u32 = 4;

/// A line of the table.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) commits: u64,
    pub(super) syncs: u64,
    pub(super) time: Duration,
    /// In microseconds, from the append to the acknowledgement.
    pub(super) latency: Histogram<u64>,
}

/// Measures and prints the table, each line for `time`.
pub(super) fn print(out: &mut Out, place: &Place, time: Duration, seed: u64) -> anyhow::Result<()> {
    let size = size(seed)?;
    out.text(format_args!(
        "orders of {size} bytes on average, each acknowledged once durable, {} s a line",
        time.as_secs()
    ))?;
    out.text(format_args!(
        "{:<34} {:>10} {:>13} {:>10} {:>10}",
        "", "records/s", "syncs/commit", "p50", "p99"
    ))?;
    out.flush()?;
    let [mut floor, mut naive, mut grouped] =
        [Measured::new()?, Measured::new()?, Measured::new()?];
    for pass in 0..PASSES {
        let dir = |name| place.path(&format!("{name}-{pass}"));
        let time = time / PASSES;
        floor.add(&floor::measure(&dir("floor"), size, time)?)?;
        naive.add(&measure(&dir("sync"), Strategy::Sync, time, seed)?)?;
        grouped.add(&measure(&dir("group"), Strategy::GroupCommit, time, seed)?)?;
    }
    row(out, "pwrite + fdatasync, 1 thread", &floor)?;
    row(out, &format!("sync, {WRITERS} writers"), &naive)?;
    row(out, &format!("group_commit, {WRITERS} writers"), &grouped)?;
    out.text(format_args!(
        "group_commit: {:.1} times the records of sync, with {:.1} % fewer syncs per commit",
        grouped.rate() / naive.rate(),
        (1.0 - grouped.syncs_per_commit() / naive.syncs_per_commit()) * 100.0,
    ))
}

fn row(out: &mut Out, name: &str, line: &Measured) -> anyhow::Result<()> {
    let quantile = |quantile| line.latency.value_at_quantile(quantile);
    out.text(format_args!(
        "{name:<34} {:>10.0} {:>13.4} {:>7} µs {:>7} µs",
        line.rate(),
        line.syncs_per_commit(),
        quantile(0.5),
        quantile(0.99),
    ))?;
    out.flush()
}

/// Writers that commit orders to a log of their own.
fn measure(dir: &Path, strategy: Strategy, time: Duration, seed: u64) -> anyhow::Result<Measured> {
    let codec = Codec::<Operation>::id(&Binary);
    let (wal, _) = Wal::builder(dir).strategy(strategy).codec(codec).open()?;
    // The making of the segment is no part of a commit.
    wal.append(Order { round: 1, writer: 0, number: 0 }.bytes(seed)?)?;
    wal.sync()?;
    let syncs = wal.syncs();
    let began = Instant::now();
    let commit = |writer| -> anyhow::Result<(u64, Histogram<u64>)> {
        let log = wal.typed(Binary)?;
        let mut latency = histogram()?;
        let mut commits = 0;
        for number in 0.. {
            let operation = Order { round: 0, writer, number }.operation(seed);
            let one = Instant::now();
            let lsn = log.append(&operation)?;
            log.wait_for_lsn(lsn).wait()?;
            latency.saturating_record(micros(one.elapsed()));
            commits += 1;
            if began.elapsed() >= time {
                break;
            }
        }
        Ok((commits, latency))
    };
    let done = thread::scope(|scope| {
        let commit = &commit;
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || commit(writer))).collect();
        writers.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let time = began.elapsed();
    let syncs = wal.syncs() - syncs;
    let mut line = Measured { syncs, time, ..Measured::new()? };
    for writer in done {
        let Ok(writer) = writer else { bail!("a writer panicked") };
        let (commits, latency) = writer?;
        line.commits += commits;
        line.latency.add(&latency).context("adding up latencies failed")?;
    }
    wal.close()?;
    Ok(line)
}

impl Measured {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { commits: 0, syncs: 0, time: Duration::ZERO, latency: histogram()? })
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        let Self { commits, syncs, time, latency } = other;
        self.commits += commits;
        self.syncs += syncs;
        self.time += *time;
        self.latency.add(latency).context("adding up latencies failed")
    }

    fn rate(&self) -> f64 {
        as_float(self.commits) / self.time.as_secs_f64()
    }

    fn syncs_per_commit(&self) -> f64 {
        as_float(self.syncs) / as_float(self.commits)
    }
}

/// Up to a minute, in microseconds, to three digits.
pub(super) fn histogram() -> anyhow::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000, 3).context("making a histogram failed")
}

/// How long an order is on average.
fn size(seed: u64) -> anyhow::Result<usize> {
    let mut bytes = 0;
    for number in 0..1000 {
        bytes += Order { round: 0, writer: 0, number }.bytes(seed)?.len();
    }
    Ok(bytes / 1000)
}

#[expect(clippy::cast_precision_loss, reason = "a count of seconds of work, for a table")]
fn as_float(count: u64) -> f64 {
    count as f64
}
