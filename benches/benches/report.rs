//! Every workload against its floor, briefly, as one table.
//!
//! `cargo bench -p benches --bench report [-- [WORKLOAD]... [--json PATH]]`

use std::env;
use std::path::{self, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use benches::{Effort, LONG, Scratch, Table, WORKLOADS, load};

fn main() -> Result<()> {
    let options = Options::parse(env::args().skip(1))?;
    let effort = Effort::of_this_run();
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{scratch}; {} at the beginning", load());
    let began = Instant::now();
    let mut table = Table::default();
    for (name, rows) in WORKLOADS.into_iter().chain(LONG) {
        if options.wants(name) {
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
    fn wants(&self, workload: &str) -> bool {
        let long = LONG.iter().any(|(name, _)| *name == workload);
        let named = self.workloads.iter().any(|wanted| wanted == workload);
        named || (self.workloads.is_empty() && !long)
    }

    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--bench" => {}
                "--json" => {
                    let path = arguments.next().context("--json needs a path")?;
                    options.json = Some(path.into());
                }
                name if WORKLOADS.iter().chain(&LONG).any(|(known, _)| *known == name) => {
                    options.workloads.push(argument);
                }
                other => {
                    let known = WORKLOADS.map(|(name, _)| name).join(", ");
                    let long = LONG.map(|(name, _)| name).join(", ");
                    bail!(
                        "{other}: neither --json PATH nor a workload; these are {known}, and {long}, \
                         which is run only where it is named"
                    );
                }
            }
        }
        Ok(options)
    }
}
