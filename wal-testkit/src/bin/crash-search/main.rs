//! `crash-search`: looks for a crash that the log does not survive, for as long as one likes.

mod args;
mod full;
mod pace;
#[path = "../../../../wal/tests/common/prepared_ahead.rs"]
mod prepared_ahead;
mod product;
mod search;
mod transforms;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use args::{Args, Exhaustive, USAGE};
use search::{End, Outcome, Search, a_minute};
use wal_testkit::History;
use wal_testkit::model::{Case, Failure, Recoveries, Workloads, World, random, replay, shrink};

fn main() -> ExitCode {
    let args = match Args::parse(env::args().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            // Nobody may be left to read it to the end.
            writeln!(io::stdout(), "{USAGE}").ok();
            return ExitCode::SUCCESS;
        }
        Err(wrong) => return usage(&wrong),
    };
    let mut worlds = product::worlds();
    if let Some(name) = &args.world {
        worlds.retain(|world| world.name() == name);
    }
    if worlds.is_empty() {
        return usage("there is no world of that name");
    }
    // A panic of the log is a finding, reported with its case.
    std::panic::set_hook(Box::new(|_| {}));
    match &args.replay {
        Some(case) => again(&worlds, case),
        None => search(&args, &worlds),
    }
}

fn usage(wrong: &str) -> ExitCode {
    eprintln!("crash-search: {wrong}\n\n{USAGE}");
    ExitCode::from(2)
}

fn again(worlds: &[World], text: &str) -> ExitCode {
    let case: Case = match text.parse() {
        Ok(case) => case,
        Err(wrong) => return usage(&format!("{wrong}")),
    };
    let Some(world) = worlds.iter().find(|world| world.name() == case.world) else {
        return usage(&format!("there is no world {:?}", case.world));
    };
    let told = History::new();
    let outcome = replay(world, &case, &told);
    told.lines().iter().for_each(|line| println!("{line}"));
    match outcome {
        Ok(images) => {
            println!("nothing was broken; {images} images");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{}", failure.violation);
            ExitCode::FAILURE
        }
    }
}

fn search(args: &Args, worlds: &[World]) -> ExitCode {
    let names: Vec<_> = worlds.iter().map(World::name).collect();
    eprintln!("seed {}, {} threads, worlds {}", args.seed, args.threads, names.join(" "));
    let count = worlds.len() as u64;
    let world = |number: u64| &worlds[usize::try_from(number % count).unwrap_or(0)];
    if args.exhaustive == Exhaustive::Yes {
        for length in 0..=args.longest {
            let recoveries =
                if length < args.longest { Recoveries::Interrupted } else { Recoveries::Whole };
            let workloads = Workloads::new(length, recoveries);
            let what = format!("workloads of {length}");
            let end = End::Jobs(workloads.count() * count);
            let outcome = Search::run(&what, args.threads, end, |number| {
                workloads.run(world(number), number / count)
            });
            if !report(&what, &outcome, &world) {
                return ExitCode::FAILURE;
            }
        }
    }
    if args.time.is_zero() {
        return ExitCode::SUCCESS;
    }
    let outcome = Search::run("histories", args.threads, End::Time(args.time), |number| {
        random(world(number), scramble(args.seed, number))
    });
    let what = format!("histories of seed {}", args.seed);
    if report(&what, &outcome, &world) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints what came of it; says whether all held.
fn report<'w>(what: &str, outcome: &Outcome, world: &dyn Fn(u64) -> &'w World) -> bool {
    let Outcome { jobs, images, took, found } = outcome;
    let (seconds, rate) = (took.as_secs_f64(), a_minute(*images, *took));
    println!("{what}: {jobs} in {seconds:.1} s, {images} images, {rate} a minute");
    let Some((number, failure)) = found else { return true };
    let Failure { violation, case, .. } = &**failure;
    println!("\n{violation}\n  {case}\nshrinking ...");
    let small = shrink(world(*number), failure);
    println!("\n{}\nrun it again with\n  --replay '{}'", small.violation, small.case);
    if replay(world(*number), &small.case, &History::new()).is_ok() {
        println!("which does NOT fail alone: something else than the case decides; job {number}");
    }
    false
}

/// The seed of history `number`.
fn scramble(seed: u64, number: u64) -> u64 {
    (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}
