//! This log and its peers under the same work, side by side in one run.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::{Scratch, load};
use clap::Parser;
use peers::measure::{Outcome, Plan, WORKLOADS, Workload, chart, run, table};
use peers::{Entrant, entrants};

/// Measures this log, its peers, and the floor under the same work.
///
/// Files lie beside the program, or in the directory that `WAL_BENCH_DIR` names. The run takes less
/// than ten minutes: no round begins that would not end in time.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these logs; a name ending in `/` takes all that begin with it.
    #[arg(long, value_delimiter = ',')]
    subjects: Vec<String>,
    /// Only these workloads, such as `durable-64`, `tasks-1024` and `pipelined-100`, or others with
    /// another number.
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<String>,
    /// How often every log runs every workload.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// For how long each time.
    #[arg(long, default_value_t = 0.5, value_parser = seconds)]
    seconds: f64,
    /// One round of 50 ms each: shows that everything runs, and no number means anything.
    #[arg(long)]
    quick: bool,
    /// Only ours, on a store whose syncs take this much longer, such as `10ms`.
    #[arg(long, value_parser = milliseconds, default_value = "0ms")]
    sync_delay: Duration,
    /// Writes the rows there.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Draws the rows there, as SVG.
    #[arg(long)]
    chart: Option<PathBuf>,
    /// The directory that the first process of the run made.
    #[arg(long, hide = true)]
    inside: Option<PathBuf>,
}

/// Leaves half a minute of ten for making the last files and writing the table.
const LIMIT: Duration = Duration::from_secs(570);

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match &arguments.inside {
        Some(dir) => measure(&arguments, dir),
        None => again_inside(),
    }
}

/// Starts this program again with a directory, and with the settings that a peer takes from the
/// environment only.
fn again_inside() -> Result<ExitCode> {
    let program = env::current_exe()?;
    let beside = program.parent().context("the program is in no directory")?;
    let scratch = Scratch::new(beside.join("scratch"))?;
    let dir = scratch.path();
    fs::create_dir(&dir)?;
    let mut command = Command::new(&program);
    command.args(env::args_os().skip(1)).args([OsString::from("--inside"), dir.clone().into()]);
    #[cfg(feature = "walrus")]
    command.env(peers::WALRUS_DATA_DIR, &dir).env("WALRUS_QUIET", "1");
    println!("{scratch}");
    let status = command.status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(arguments: &Arguments, dir: &Path) -> Result<ExitCode> {
    let plan = plan(arguments)?;
    println!("{} at the beginning", load());
    let began = Instant::now();
    let outcome = run(&plan, dir, |what| {
        // Progress is for people only; whether it arrives is no matter.
        let _ = write!(io::stderr(), "\r{what:70}");
    });
    let _ = write!(io::stderr(), "\r{:70}\r", "");
    println!(
        "{} at the end, {:.0} s later; {} rounds of {:?} each",
        load(),
        began.elapsed().as_secs_f64(),
        outcome.rounds,
        plan.measured
    );
    if !plan.sync_delay.is_zero() {
        println!("every sync takes {:?} longer", plan.sync_delay);
    }
    println!("medians over the rounds\n\n{}", table(&outcome.rows, &plan.workloads));
    for entrant in plan.entrants.iter().filter(|entrant| measured(&outcome, entrant)) {
        println!("- {}: {}", entrant.name, entrant.settings);
    }
    if arguments.quick {
        println!("\nA quick run: these numbers mean nothing.");
    }
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&outcome.rows)? + "\n";
        fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
    }
    if let Some(path) = &arguments.chart {
        let svg = chart(&outcome.rows, &plan.workloads, &plan.entrants);
        fs::write(path, svg).with_context(|| format!("writing {}", path.display()))?;
    }
    for failure in &outcome.failures {
        println!("FAILED: {failure}");
    }
    Ok(if outcome.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether a log has a row.
fn measured(outcome: &Outcome, entrant: &Entrant) -> bool {
    outcome.rows.iter().any(|row| row.subject == entrant.name)
}

fn plan(arguments: &Arguments) -> Result<Plan> {
    let mut entrants = entrants();
    let wanted = |name: &str| {
        let takes = |wanted: &String| {
            wanted == name || (wanted.ends_with('/') && name.starts_with(wanted.as_str()))
        };
        arguments.subjects.is_empty() || arguments.subjects.iter().any(takes)
    };
    entrants.retain(|entrant| wanted(entrant.name));
    ensure!(!entrants.is_empty(), "no log is called that");
    let workloads = match arguments.workloads.as_slice() {
        [] => WORKLOADS.to_vec(),
        names => names.iter().map(|name| workload(name)).collect::<Result<_>>()?,
    };
    Ok(Plan {
        entrants,
        workloads,
        rounds: if arguments.quick { 1 } else { arguments.rounds.max(1) },
        measured: Duration::from_secs_f64(if arguments.quick { 0.05 } else { arguments.seconds }),
        limit: LIMIT,
        sync_delay: arguments.sync_delay,
    })
}

fn workload(name: &str) -> Result<Workload> {
    Workload::of(name).with_context(|| {
        let usual = WORKLOADS.map(Workload::name).join(", ");
        format!("{name} is no workload; these are {usual}, and any other number in them")
    })
}

fn seconds(text: &str) -> Result<f64> {
    let seconds: f64 = text.parse()?;
    ensure!((0.001..=60.0).contains(&seconds), "between 0.001 and 60");
    Ok(seconds)
}

fn milliseconds(text: &str) -> Result<Duration> {
    let digits = text.strip_suffix("ms").context("a number followed by ms")?;
    Ok(Duration::from_millis(digits.parse()?))
}
