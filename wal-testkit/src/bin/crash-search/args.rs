//! The command line.

use std::num::NonZero;
use std::thread;
use std::time::Duration;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Searches for a crash that the log does not survive: histories on a simulated disk, power cuts at
any operation, also of a recovery, and a model that says what may be found.

    crash-search [--minutes N] [--seed S] [--exhaustive] [--longest N] [--threads N] [--world NAME]
    crash-search --replay 'CASE'

    --minutes N     random histories for so long, 0.5 for half a minute; 1 without --exhaustive
    --seed S        the same seed runs the same histories; 0
    --exhaustive    first every workload of up to so many operations as --longest says, crashed at
                    every operation; of all but the longest, their recoveries, too
    --longest N     3; of two, some ten thousand workloads, an hour or more, and 13 times as many of
                    every one more
    --threads N     as many as there are processors
    --world NAME    one world only: a store, a strategy and a kind of disk
    --replay CASE   runs one case and prints what happens

Exits with 0 where nothing was found, with 1 and the shrunk case where something was, with 2 where
the command line makes no sense.";

/// What to do.
#[derive(Debug)]
pub(crate) struct Args {
    /// How long to run random histories.
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    pub(crate) exhaustive: Exhaustive,
    /// Operations of the longest workloads of the exhaustive search.
    pub(crate) longest: u32,
    pub(crate) threads: usize,
    pub(crate) world: Option<String>,
    pub(crate) replay: Option<String>,
}

/// Whether all short workloads are run first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhaustive {
    No,
    Yes,
}

impl Args {
    /// Reads the words behind the program's name; `None` is a call for help.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut args = Self {
            time: Duration::ZERO,
            seed: 0,
            exhaustive: Exhaustive::No,
            longest: 3,
            threads: thread::available_parallelism().map_or(1, NonZero::get),
            world: None,
            replay: None,
        };
        let mut minutes = None;
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            match word.as_str() {
                "--minutes" => minutes = Some(number::<f64>(&value()?)?),
                "--seed" => args.seed = number(&value()?)?,
                "--threads" => args.threads = number::<usize>(&value()?)?.max(1),
                "--world" => args.world = Some(value()?),
                "--replay" => args.replay = Some(value()?),
                "--longest" => args.longest = number(&value()?)?,
                "--exhaustive" => args.exhaustive = Exhaustive::Yes,
                "--help" | "-h" => return Ok(None),
                other => return Err(format!("{other} is not known")),
            }
        }
        let minutes = minutes.unwrap_or(match args.exhaustive {
            Exhaustive::Yes => 0.0,
            Exhaustive::No => 1.0,
        });
        args.time = Duration::try_from_secs_f64(minutes * 60.0)
            .map_err(|_| format!("{minutes} minutes are none"))?;
        Ok(Some(args))
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number that fits"))
}
