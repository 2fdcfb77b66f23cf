//! Every workload against its floor, briefly, as one table.
//!
//! `cargo bench -p benches --bench report [-- [WORKLOAD]... [--json PATH]]`

use std::env;
use std::path::{self, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use benches::{Effort, Scratch, Table, WORKLOADS, load};

fn main() -> Result<()> {
    let options = Options::parse(env::args().skip(1))?;
    let effort = Effort::of_this_run();
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{scratch}; {} at the beginning", load());
    let began = Instant::now();
    let mut table = Table::default();
    for (name, rows) in WORKLOADS {
        if options.workloads.is_empty() || options.workloads.iter().any(|wanted| wanted == name) {
            let rows = rows(&scratch, effort).with_context(|| format!("workload {name}"))?;
            table.rows.extend(rows);
        }
    }
    println!("{} at the end, {:.0} s later", load(), began.elapsed().as_secs_f64());
    println!("medians (lower to upper quartile); a ratio is taken within a round\n\n{table}");
    if effort == Effort::Smoke {
        println!("\nNot under `cargo bench`: these numbers mean nothing.");
    }
    if let Some(path) = options.json {
        table.write_json(&path)?;
        // Cargo runs benchmarks in the directory of their package.
        println!("\nrows are in {}", path::absolute(&path)?.display());
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Options {
    workloads: Vec<String>,
    json: Option<PathBuf>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--bench" => {}
                "--json" => {
                    let path = arguments.next().context("--json needs a path")?;
                    options.json = Some(path.into());
                }
                name if WORKLOADS.iter().any(|(known, _)| *known == name) => {
                    options.workloads.push(argument);
                }
                other => {
                    let known = WORKLOADS.map(|(name, _)| name).join(", ");
                    bail!("{other}: neither --json PATH nor a workload; these are {known}");
                }
            }
        }
        Ok(options)
    }
}
