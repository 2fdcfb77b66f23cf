//! The command line.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Logs on a real file system, with real threads and random settings, each for several lives: closed,
dropped, dropped late, poisoned, fought for, killed. After each life what was acknowledged is compared
record by record.

    stress [--minutes N] [--logs N] [--first N] [--seed S] [--dir DIR] [--verbose]

    --minutes N     for so long, 0.5 for half a minute; 1 without --logs
    --logs N        so many logs, however long it takes
    --first N       begins with this log: with --logs 1 the one that failed
    --seed S        the same seed draws the same settings; 0
    --dir DIR       a directory on the file system that is meant; the system's for temporary files
    --verbose       prints the settings of each life
    --planted       keeps segments in a store that makes them as this kit's once did, with the race
                    that lost acknowledged records: to see that it is found

Exits with 0 where nothing was found, with 1 where something was: seed, log, life and settings are
printed, and the directory is left as it is. With 2 where the command line makes no sense.";

/// What to do.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) end: End,
    pub(crate) first: u64,
    pub(crate) seed: u64,
    pub(crate) dir: PathBuf,
    pub(crate) verbose: bool,
    /// A bug that is put into the log, to see that it is found.
    pub(crate) planted: bool,
    /// One life of one log, which is told on standard output: how the program starts itself.
    pub(crate) life: Option<u32>,
}

/// When it ends by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Time(Duration),
    Logs(u64),
}

impl Args {
    /// Reads the words behind the program's name; `None` is a call for help.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut args = Self {
            end: End::Time(Duration::from_secs(60)),
            first: 0,
            seed: 0,
            dir: env::temp_dir(),
            verbose: false,
            planted: false,
            life: None,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            match word.as_str() {
                "--minutes" => {
                    let minutes = number::<f64>(&value()?)?;
                    let time = Duration::try_from_secs_f64(minutes * 60.0)
                        .map_err(|_| format!("{minutes} minutes are none"))?;
                    args.end = End::Time(time);
                }
                "--logs" => args.end = End::Logs(number(&value()?)?),
                "--first" => args.first = number(&value()?)?,
                "--seed" => args.seed = number(&value()?)?,
                "--dir" => args.dir = value()?.into(),
                "--verbose" => args.verbose = true,
                "--planted" => args.planted = true,
                "--life" => args.life = Some(number(&value()?)?),
                "--help" | "-h" => return Ok(None),
                other => return Err(format!("{other} is not known")),
            }
        }
        Ok(Some(args))
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number that fits"))
}
