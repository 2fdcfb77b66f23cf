//! The kills of the demo.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use wal::Wal;

use super::audit::{Audit, Wrong};
use super::chance::Chance;
use super::{KILLS, WRITERS};
use crate::out::Out;

/// How the kills went.
#[derive(Debug)]
pub(super) struct Found {
    /// Orders that were acknowledged.
    pub(super) acknowledged: usize,
    /// What was wrong, if anything was.
    pub(super) wrong: Option<Wrong>,
}

/// Lets children write the log in `dir`, kills each one, recovers, and compares.
pub(super) fn rounds(out: &mut Out, dir: &Path, seed: u64) -> anyhow::Result<Found> {
    let mut audit = Audit::new(seed);
    for round in 0..KILLS {
        let mut child = start(dir, seed, round)?;
        let killed = kill(&mut child, &mut audit, &mut Chance::new(seed, &[round.into()]));
        // Also where something went wrong: it must not go on.
        child.kill().ok();
        let status = child.wait().context("waiting for the writers failed")?;
        let (after, wrong) = killed.with_context(|| format!("the writers ended with {status}"))?;
        let wrong = match wrong {
            Some(wrong) => Some(wrong),
            None => recover(out, dir, &mut audit, round, after)?,
        };
        if wrong.is_some() {
            return Ok(Found { acknowledged: audit.acknowledged(), wrong });
        }
    }
    Ok(Found { acknowledged: audit.acknowledged(), wrong: None })
}

fn start(dir: &Path, seed: u64, round: u32) -> anyhow::Result<Child> {
    let this = env::current_exe().context("finding this program failed")?;
    Command::new(this)
        .arg("demo-writers")
        .arg(dir)
        .args(["--seed", &seed.to_string(), "--round", &round.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting the writers failed")
}

/// Kills the child some time after its first acknowledgement, and takes all it made.
fn kill(
    child: &mut Child,
    audit: &mut Audit,
    chance: &mut Chance,
) -> anyhow::Result<(Duration, Option<Wrong>)> {
    let after = Duration::from_micros(chance.between(200_000, 1_000_000));
    let Some(stdout) = child.stdout.take() else { bail!("the writers have no stdout") };
    let mut reports = BufReader::new(stdout);
    let mut first = String::new();
    reports.read_line(&mut first).context("reading the acknowledgements failed")?;
    let began = Instant::now();
    let reader = thread::spawn(move || {
        let mut rest = first;
        reports.read_to_string(&mut rest).map(|_| rest)
    });
    thread::sleep(after);
    // `SIGKILL` on Unix.
    child.kill().context("killing the writers failed")?;
    let after = began.elapsed();
    let Ok(reports) = reader.join() else { bail!("reading the acknowledgements panicked") };
    let reports = reports.context("reading the acknowledgements failed")?;
    if reports.is_empty() {
        bail!("the writers ended before they acknowledged anything");
    }
    let wrong = reports.lines().find_map(|line| audit.acknowledge(line).err());
    Ok((after, wrong))
}

fn recover(
    out: &mut Out,
    dir: &Path,
    audit: &mut Audit,
    round: u32,
    after: Duration,
) -> anyhow::Result<Option<Wrong>> {
    let (wal, recovery) = Wal::builder(dir).open()?;
    let compared = audit.compare(&wal, round + 1)?;
    let verdict = match &compared {
        Ok(_) => "all there",
        Err(wrong) => wrong.as_str(),
    };
    out.text(format_args!(
        "kill {} of {KILLS}, SIGKILL after {} ms: {} orders acknowledged so far, {} recovered in \
         {:.1} ms",
        round + 1,
        after.as_millis(),
        audit.acknowledged(),
        recovery.valid_records,
        (recovery.scan + recovery.repair).as_secs_f64() * 1e3,
    ))?;
    out.text(format_args!(
        "  torn tail {} bytes, {} records in doubt carried over; compared: {verdict}",
        recovery.bytes_truncated, recovery.records_carried,
    ))?;
    out.flush()?;
    wal.close()?;
    // Each writer waits for its order before it sends the next.
    let unasked = recovery.valid_records.saturating_sub(audit.acknowledged() as u64);
    if compared.is_ok() && unasked > u64::from(WRITERS * (round + 1)) {
        return Ok(Some(format!("{unasked} orders more than were acknowledged or under way")));
    }
    Ok(compared.err())
}
