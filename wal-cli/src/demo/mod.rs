//! `wal demo`: writers killed in the middle, and every acknowledged record back.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::value_parser;
use wal::SystemEnv;
use wal::parts::core::Env;

use crate::out::Out;

mod audit;
mod chance;
mod crash;
mod floor;
mod order;
mod place;
mod table;
mod writers;

pub(crate) use writers::{WritersArgs, run as run_writers};

/// Threads that commit orders, each waiting for its own before it sends the next.
const WRITERS: u32 = 64;
/// How often the writers are killed.
const KILLS: u32 = 3;

/// Kill a process that commits orders, and get every acknowledged one back
///
/// A child process commits orders from 64 threads and reports each one once it is durable. It is
/// killed with SIGKILL at a random moment, the log is recovered, replayed and compared with what was
/// reported; three times over. Then a table shows what one sync per append costs, and what group
/// commit makes of it, beside a plain write and sync of the same size. Ends with PASS, exit code 0,
/// or FAIL, exit code 1.
///
/// Killing a process proves nothing about a power cut: for that a simulated disk is cut off in the
/// tests.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long each line of the table is measured
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Where the demo makes a directory of its own, and removes it in the end; by default the
    /// system's directory for temporary files
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Take the moments of the kills and what is in the orders from this seed, which an earlier run
    /// printed
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let seed = args.seed.unwrap_or_else(|| SystemEnv.random());
    let place = place::Place::new(args.dir.as_deref())?;
    let mut out = Out::new();
    out.text(format_args!("{WRITERS} writers, {place}, seed {seed}\n"))?;
    out.flush()?;

    let found = crash::rounds(&mut out, &place.path("orders.wal"), seed)?;
    out.text(format_args!(""))?;
    table::print(&mut out, &place, Duration::from_secs(args.seconds), seed)?;

    let code = match found.wrong {
        None => {
            out.text(format_args!(
                "\nPASS: all {} orders acknowledged before {KILLS} kills came back, in order and \
                 byte for byte.",
                found.acknowledged
            ))?;
            ExitCode::SUCCESS
        }
        Some(wrong) => {
            out.text(format_args!("\nFAIL: {wrong} (seed {seed})"))?;
            ExitCode::FAILURE
        }
    };
    out.flush()?;
    Ok(code)
}
