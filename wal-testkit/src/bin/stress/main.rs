//! `stress`: logs on a real file system, with real threads and random settings, for as long as one
//! likes.

mod args;
mod beside;
mod chance;
mod ledger;
mod life;
mod lives;
mod open;
mod payload;
mod producer;
mod settings;
mod told;
mod wait;
mod watch;

use std::env;
use std::io::{self, Write};
use std::process::{self, ExitCode};
use std::time::Instant;

use args::{Args, End, USAGE};
use lives::Lives;
use told::Told;

fn main() -> ExitCode {
    let args = match Args::parse(env::args().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            // The reader may be gone before the end.
            writeln!(io::stdout(), "{USAGE}").ok();
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Some(life) = args.life {
        watch::start(|_| {
            Told::Output.wrong("nothing has gone on for minutes");
            process::exit(4);
        });
        let Args { seed, first, dir, verbose, planted, .. } = args;
        let lives = Lives { seed, log: first, dir, verbose, planted };
        lives.run_child(life);
        return ExitCode::SUCCESS;
    }
    run(&args)
}

/// One log after the other, until the end or the first that fails.
fn run(args: &Args) -> ExitCode {
    let began = Instant::now();
    let dir = args.dir.join(format!("wal-stress-{}", process::id()));
    println!("seed {}, in {}", args.seed, dir.display());
    watch::start(|now| {
        eprintln!("nothing has gone on for minutes in {now}");
        process::exit(1);
    });
    let mut log = args.first;
    loop {
        let over = match args.end {
            End::Logs(logs) => log - args.first >= logs,
            End::Time(time) => began.elapsed() >= time,
        };
        if over {
            break;
        }
        let Args { seed, verbose, planted, .. } = *args;
        let lives = Lives { seed, log, dir: dir.clone(), verbose, planted };
        watch::now(format!("{lives:?}"));
        if let Err(what) = lives.run() {
            eprintln!("{what}");
            return ExitCode::FAILURE;
        }
        log += 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{} logs in {seconds:.1} s: nothing was lost", log - args.first);
    ExitCode::SUCCESS
}
