//! [`Script`]: what a child process does with a log, told line by line.

use std::io::{self, StdoutLock, Write};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use rustix::process::{Signal, getpid, kill_process};

use super::{RECORDS, TARGET, record};
use crate::{Entrant, Opening, entrants, stricter};

/// What a child process does with a log, in this order, before it dies by SIGKILL.
#[derive(Args, Clone, Debug)]
pub struct Script {
    /// The log's name.
    #[arg(long)]
    pub(crate) subject: String,
    /// The log's directory.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// Reads all records.
    #[arg(long)]
    pub(crate) read: bool,
    /// Appends the records of these numbers, `FIRST-LAST`.
    #[arg(long, value_parser = range)]
    pub(crate) append: Option<RangeInclusive<u32>>,
    /// Keeps the log open until it is killed.
    #[arg(long)]
    pub(crate) hold: bool,
}

/// Longer than any parent waits.
const HOLD: Duration = Duration::from_secs(60);

/// Does it. Every line is out before the next step begins, whatever happens then.
pub fn act(script: &Script) -> Result<()> {
    let mut known = entrants().into_iter().chain(stricter());
    let entrant = known.find(|entrant| entrant.name == script.subject);
    let entrant = entrant.with_context(|| format!("no log is called {}", script.subject))?;
    let mut out = io::stdout().lock();
    steps(script, &entrant, &mut out)?;
    tell(&mut out, "end")?;
    // No destructor, no clean close: what was acknowledged must do.
    kill_process(getpid(), Signal::KILL)?;
    Ok(())
}

fn steps(script: &Script, entrant: &Entrant, out: &mut StdoutLock<'_>) -> Result<()> {
    let subject = match (entrant.open)(&Opening::new(&script.dir)) {
        Ok(subject) => subject,
        Err(error) => return tell(out, &format!("refused {error:#}")),
    };
    tell(out, "opened")?;
    if script.read {
        let mut lines = Vec::new();
        let read = subject.read(&mut |bytes| {
            let number = (1..=RECORDS + TARGET).find(|&number| record(number) == bytes);
            lines.push(number.map_or("stranger".into(), |number| format!("record {number}")));
        });
        lines.iter().try_for_each(|line| tell(out, line))?;
        if let Err(error) = read {
            tell(out, &format!("unreadable {error:#}"))?;
        }
    }
    for number in script.append.clone().into_iter().flatten() {
        tell(out, &format!("begin {number}"))?;
        match subject.append_durable(&record(number)) {
            Ok(()) => tell(out, &format!("ok {number}"))?,
            Err(error) => tell(out, &format!("err {number} {error:#}"))?,
        }
    }
    if script.hold {
        tell(out, "held")?;
        thread::sleep(HOLD);
    }
    // Dropping it might wait for what never comes, or write what a killed process would not.
    std::mem::forget(subject);
    Ok(())
}

/// One system call a line, so that the line stands at its place among those of the log.
fn tell(out: &mut StdoutLock<'_>, line: &str) -> Result<()> {
    out.write_all(format!("{}\n", line.replace('\n', " ")).as_bytes())?;
    Ok(out.flush()?)
}

fn range(text: &str) -> Result<RangeInclusive<u32>> {
    let (first, last) = text.split_once('-').context("FIRST-LAST")?;
    Ok(first.parse()?..=last.parse()?)
}
