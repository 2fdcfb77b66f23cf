//! [`Lab`]: starts children, with or without a fault.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use super::child::Script;
use super::preload::Preload;
use super::told::{Ended, Told};
use super::trace::{Place, SYNCS, Trace, WRITES};

/// After so long without an end a child hangs. The slowest of them, traced, takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts children; their output and their traces are files in a directory.
#[derive(Clone, Debug)]
pub(super) struct Lab {
    program: PathBuf,
    dir: PathBuf,
}

impl Lab {
    pub(super) fn new(program: PathBuf, dir: PathBuf) -> Self {
        Self { program, dir }
    }

    /// Runs a child.
    pub(super) fn run(&self, script: &Script) -> Result<Told> {
        self.finish(self.child(Command::new(&self.program), script))
    }

    /// Runs a child under strace, and makes a call fail in this way.
    pub(super) fn traced(
        &self,
        script: &Script,
        fault: Option<(&Place, &str)>,
    ) -> Result<(Told, Trace)> {
        let file = self.dir.join("trace");
        let mut command = Command::new("strace");
        let calls = [&SYNCS[..], &WRITES[..], &["openat"]].concat().join(",");
        command.args(["-f", "-qq", "-s", "65536", "-e", "signal=none", "-e"]);
        command.arg(format!("trace={calls}"));
        if let Some((Place { call, nth }, how)) = fault {
            command.arg("-e").arg(format!("inject={call}:{how}:when={nth}"));
        }
        command.arg("-o").arg(&file).arg(&self.program);
        let told = self.finish(self.child(command, script))?;
        // What the log writes need not be text.
        let text = fs::read(&file).context("strace left no trace")?;
        Ok((told, Trace::parse(&String::from_utf8_lossy(&text))))
    }

    /// Runs a child whose first write of this record is short; and whether there was such a write.
    pub(super) fn with_short_write(
        &self,
        script: &Script,
        preload: &Preload,
        record: u32,
    ) -> Result<(Told, bool)> {
        let happened = self.dir.join("short");
        let mut command = Command::new(&self.program);
        preload.put_before(&mut command, &script.dir, record, &happened);
        let told = self.finish(self.child(command, script))?;
        let short = happened.exists();
        if short {
            fs::remove_file(happened)?;
        }
        Ok((told, short))
    }

    /// Runs a child while another one, started with `holder`, has the log open.
    pub(super) fn beside(&self, holder: &Script, script: &Script) -> Result<Told> {
        let output = self.dir.join("held");
        let mut command = self.child(Command::new(&self.program), holder);
        command.stdout(File::create(&output)?);
        let mut holder = command.spawn()?;
        let began = Instant::now();
        while !fs::read_to_string(&output)?.contains("held\n") {
            if holder.try_wait()?.is_some() || began.elapsed() > PATIENCE {
                end(&mut holder)?;
                bail!("the first process does not get as far as holding the log");
            }
            thread::sleep(Duration::from_millis(5));
        }
        let told = self.run(script);
        end(&mut holder)?;
        told
    }

    /// The command, up to the script, and then the script.
    #[cfg_attr(not(feature = "walrus"), expect(clippy::unused_self, reason = "walrus needs it"))]
    fn child(&self, mut command: Command, script: &Script) -> Command {
        command.args(["child", "--subject", &script.subject, "--dir"]).arg(&script.dir);
        if script.read {
            command.arg("--read");
        }
        if let Some(records) = &script.append {
            command.arg("--append").arg(format!("{}-{}", records.start(), records.end()));
        }
        if script.hold {
            command.arg("--hold");
        }
        #[cfg(feature = "walrus")]
        command.env(crate::WALRUS_DATA_DIR, &self.dir).env("WALRUS_QUIET", "1");
        // A group of its own, so that strace and what it traces end together.
        command.process_group(0).stdin(Stdio::null());
        command.env("RUST_BACKTRACE", "0");
        command
    }

    fn finish(&self, mut command: Command) -> Result<Told> {
        let (output, errors) = (self.dir.join("stdout"), self.dir.join("stderr"));
        command.stdout(File::create(&output)?).stderr(File::create(&errors)?);
        let mut child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let ended = wait(&mut child)?;
        let lines = fs::read_to_string(&output)?;
        let ended = match ended {
            None => Ended::Hung,
            Some(status) if by_kill(status) && lines.ends_with("end\n") => Ended::Done,
            Some(_) => Ended::Died(last_words(&errors)?),
        };
        Ok(Told::parse(&lines, ended))
    }
}

/// The way out of every script; strace dies as what it traced did.
fn by_kill(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::KILL.as_raw())
}

/// None where it hung, and has been killed.
fn wait(child: &mut Child) -> Result<Option<ExitStatus>> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(5));
    }
    end(child)?;
    Ok(None)
}

fn end(child: &mut Child) -> Result<()> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It may have ended meanwhile.
    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
    child.wait()?;
    Ok(())
}

/// What a process said before it died: the message of a panic is on the line after its place.
fn last_words(errors: &Path) -> Result<String> {
    let text = String::from_utf8_lossy(&fs::read(errors)?).into_owned();
    let lines: Vec<_> = text.lines().collect();
    let panic = lines.iter().position(|line| line.contains("panicked at"));
    let words = panic.map_or(lines.last(), |at| lines.get(at + 1));
    Ok(words.copied().unwrap_or("no word").into())
}
