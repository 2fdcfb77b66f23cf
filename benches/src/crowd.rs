//! Records that are durable when their writer goes on, with many writers at once.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use wal::Strategy;

use crate::durable::Committer;
use crate::{Budget, Effort, Fill, Row, Samples, Scratch, float, interleaved};

/// Threads of the crowd.
pub const WRITERS: usize = 64;

/// The most syncs a commit that 64 writers may need.
const SYNCS_BUDGET: f64 = 0.1;

/// What a crowd of writers got done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Crowd {
    /// From the first append to the last acknowledgement.
    pub took: Duration,
    /// Records committed.
    pub commits: u64,
    /// Syncs they cost.
    pub syncs: u64,
    /// How long each commit took, ascending.
    pub latencies: Vec<Duration>,
}

impl Committer {
    /// Has this many threads commit this many records each.
    pub fn crowd(&self, writers: usize, each: u64) -> Result<Crowd> {
        let syncs = self.wal.syncs();
        let barrier = Barrier::new(writers);
        let writer = || {
            let mut latencies = Vec::new();
            barrier.wait();
            let began = Instant::now();
            for _ in 0..each {
                let began = Instant::now();
                self.commit()?;
                latencies.push(began.elapsed());
            }
            Ok::<_, anyhow::Error>((began, Instant::now(), latencies))
        };
        let runs: Result<Vec<_>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..writers).map(|_| scope.spawn(writer)).collect();
            let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
            joined.map(|run| run.map_err(|_| anyhow!("a writer panicked"))?).collect()
        });
        let runs = runs?;
        let began = runs.iter().map(|(began, ..)| *began).min();
        let ended = runs.iter().map(|(_, ended, _)| *ended).max();
        let took = began.zip(ended).map_or(Duration::ZERO, |(began, ended)| ended - began);
        let mut latencies: Vec<_> =
            runs.into_iter().flat_map(|(.., latencies)| latencies).collect();
        latencies.sort_unstable();
        let commits = latencies.len() as u64;
        Ok(Crowd { took, commits, syncs: self.wal.syncs() - syncs, latencies })
    }
}

impl Crowd {
    /// The latency that this share of the commits, between 0 and 1, stayed within.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is a place in it"
    )]
    pub fn latency(&self, share: f64) -> Duration {
        let at = (float(self.commits) * share.clamp(0.0, 1.0)) as usize;
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(at.min(last)).copied().unwrap_or_default()
    }
}

/// 64 writers against the same with one sync an append.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let naive = Committer::new(scratch, Strategy::Sync, Fill::Allocated)?;
    let ours = Committer::new(scratch, Strategy::GroupCommit, Fill::Allocated)?;
    let (mut naive_runs, mut our_runs) = (Vec::new(), Vec::new());
    let run = |log: &Committer, each: u64, runs: &mut Vec<Crowd>| {
        let crowd = log.crowd(WRITERS, effort.size(each))?;
        runs.push(crowd);
        Ok(0.0)
    };
    // Several samples come out of each run, below; here it is the order of the runs that counts.
    interleaved(
        effort.rounds(11),
        &mut [&mut || run(&naive, 20, &mut naive_runs), &mut || run(&ours, 400, &mut our_runs)],
    )?;
    let samples = |of: fn(&Crowd) -> f64| {
        let of = |runs: &[Crowd]| Samples::from(runs[1..].iter().map(of).collect::<Vec<_>>());
        (of(&naive_runs), of(&our_runs))
    };
    let row = |what: &str, unit, of, budget| {
        let (floor, ours) = samples(of);
        Row::new(
            format!("{WRITERS} writers, {what}"),
            unit,
            ("one sync an append", &floor),
            &ours,
            budget,
        )
    };
    Ok(vec![
        row(
            "syncs per commit",
            "",
            |crowd| float(crowd.syncs) / float(crowd.commits),
            Budget::AtMost(SYNCS_BUDGET),
        ),
        row(
            "commits",
            "k/s",
            |crowd| float(crowd.commits) / crowd.took.as_secs_f64() / 1e3,
            Budget::Open,
        ),
        row(
            "99 of 100 commits within",
            "us",
            |crowd| crowd.latency(0.99).as_secs_f64() * 1e6,
            Budget::Open,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_counts_what_it_commits_and_the_naive_one_syncs_for_each() {
        let base = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(base.path()).unwrap();
        let naive = Committer::new(&scratch, Strategy::Sync, Fill::Allocated).unwrap();
        let crowd = naive.crowd(4, 5).unwrap();
        assert_eq!((crowd.commits, crowd.syncs, crowd.latencies.len()), (20, 20, 20));
        assert!(crowd.latencies.is_sorted());
        assert_eq!(crowd.latency(1.0), *crowd.latencies.last().unwrap());
        assert_eq!(crowd.latency(0.0), crowd.latencies[0]);
    }
}
