//! [`run`]: all rounds.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::drive::{Sample, Times, drive};
use super::{Row, Workload};
use crate::{Entrant, Opening, Side};

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The logs.
    pub entrants: Vec<Entrant>,
    /// The workloads.
    pub workloads: Vec<Workload>,
    /// How often each log runs each workload.
    pub rounds: usize,
    /// For how long each time; a pipelined run ends earlier where its bytes are written.
    pub measured: Duration,
    /// No round begins that would not end within this; the first one always does.
    pub limit: Duration,
    /// Every sync of ours takes this much longer; no other log takes part then.
    pub sync_delay: Duration,
}

/// What was measured.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// By workload, and there by rate, the best first.
    pub rows: Vec<Row>,
    /// What did not run to its end, and why.
    pub failures: Vec<String>,
    /// Rounds that were run.
    pub rounds: usize,
}

/// Everything about one log under one workload.
struct Cell {
    entrant: Entrant,
    workload: Workload,
    samples: Vec<Sample>,
    failure: Option<String>,
}

/// Runs the plan in this directory. Each round runs all workloads on all logs, each round beginning
/// with another log, every time in a fresh directory; so what else the machine does hits all alike.
pub fn run(plan: &Plan, dir: &Path, mut progress: impl FnMut(&str)) -> Outcome {
    let slow = !plan.sync_delay.is_zero();
    let takes_part = |entrant: &Entrant| match entrant.side {
        Side::Ours => true,
        Side::Preset => slow,
        Side::Floor | Side::Peer => !slow,
    };
    let cell = |workload, entrant| Cell { entrant, workload, samples: Vec::new(), failure: None };
    let mut cells: Vec<Vec<Cell>> = Vec::new();
    for &workload in &plan.workloads {
        let of = plan.entrants.iter().copied().filter(takes_part);
        // Nobody awaits a bare file.
        let tasks = matches!(workload, Workload::Tasks(_));
        let of = of.filter(|entrant| !(tasks && entrant.side == Side::Floor));
        cells.push(of.map(|entrant| cell(workload, entrant)).collect());
    }
    let (began, mut rounds, mut longest) = (Instant::now(), 0, Duration::ZERO);
    while rounds < plan.rounds && (rounds == 0 || began.elapsed() + longest < plan.limit) {
        let round_began = Instant::now();
        for cells in &mut cells {
            for turn in 0..cells.len() {
                let number = (rounds + turn) % cells.len();
                let cell = &mut cells[number];
                let (entrant, workload) = (cell.entrant.name, cell.workload.name());
                progress(&format!("round {} of {}: {workload} {entrant}", rounds + 1, plan.rounds));
                cell.measure(plan, dir);
            }
        }
        rounds += 1;
        longest = longest.max(round_began.elapsed());
    }
    let mut outcome = Outcome { rows: Vec::new(), failures: Vec::new(), rounds };
    for cells in cells {
        let (measured, failed): (Vec<_>, Vec<_>) =
            cells.into_iter().partition(|cell| cell.failure.is_none());
        outcome.failures.extend(failed.into_iter().filter_map(|cell| cell.failure));
        let row =
            |cell: &Cell| Row::new(&cell.entrant, cell.workload, &cell.samples, plan.sync_delay);
        let mut rows: Vec<_> = measured.iter().map(row).collect();
        rows.sort_by(|one, other| other.records_per_second.total_cmp(&one.records_per_second));
        outcome.rows.extend(rows);
    }
    outcome
}

impl Cell {
    /// Adds a sample; the first failure is the last try.
    fn measure(&mut self, plan: &Plan, dir: &Path) {
        if self.failure.is_some() {
            return;
        }
        match self.sample(plan, dir) {
            Ok(sample) => self.samples.push(sample),
            Err(error) => {
                let (name, workload) = (self.entrant.name, self.workload.name());
                self.failure = Some(format!("{name}, {workload}: {error:#}"));
            }
        }
    }

    fn sample(&self, plan: &Plan, dir: &Path) -> Result<Sample> {
        let mut opening = Opening::new(dir.join("log"));
        opening.writers = self.workload.writers();
        opening.sync_delay = plan.sync_delay;
        let times = Times { warm_up: plan.measured / 10, measured: plan.measured };
        let subject = (self.entrant.open)(&opening).context("opening it")?;
        let sample = drive(&subject, self.workload, times);
        drop(subject);
        // Some make no directory of their own name.
        if opening.dir.exists() {
            fs::remove_dir_all(&opening.dir)?;
        }
        sample
    }
}
