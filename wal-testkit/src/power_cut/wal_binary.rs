//! [`WalBinary`]: the `wal` tool, as it ships.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::subject::{Session, Subject};

/// A command that takes longer hangs, and is killed: on its own it is done in milliseconds.
const LIMIT: Duration = Duration::from_secs(180);

/// Appends with `wal append DIR --ack`, reads with `wal replay DIR`, checks with `wal verify DIR`.
#[derive(Clone, Debug)]
pub struct WalBinary {
    program: PathBuf,
    segment_size: u64,
    strategies: Vec<String>,
}

impl WalBinary {
    /// The binary at this path, with segments of so many bytes. Each session takes one of
    /// `strategies`, words of `wal append --strategy`.
    pub fn new(program: impl Into<PathBuf>, segment_size: u64, strategies: &[&str]) -> Self {
        let strategies = strategies.iter().map(ToString::to_string).collect();
        Self { program: program.into(), segment_size, strategies }
    }

    /// Runs a command to its end.
    fn output(&self, verb: &str, dir: &Path) -> io::Result<Output> {
        let mut command = self.command(verb, dir);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn()?;
        let _watch = Watch::over(&child)?;
        child.wait_with_output()
    }

    fn command(&self, verb: &str, dir: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(verb).arg(dir);
        command
    }
}

impl Subject for WalBinary {
    fn open(&self, dir: &Path, variant: u64) -> io::Result<Box<dyn Session>> {
        let mut command = self.command("append", dir);
        command.arg("--ack").arg("--segment-size").arg(self.segment_size.to_string());
        let choices = self.strategies.len().max(1) as u64;
        let choice = usize::try_from(variant % choices).unwrap_or(0);
        if let Some(strategy) = self.strategies.get(choice) {
            command.arg("--strategy").arg(strategy);
        }
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the child has no pipes"));
        };
        let watch = Watch::over(&child)?;
        Ok(Box::new(Appending {
            _watch: watch,
            child: Writer(child),
            input,
            output: BufReader::new(output),
        }))
    }

    fn read(&self, dir: &Path) -> io::Result<Vec<Vec<u8>>> {
        let files = match std::fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files?,
        };
        if files.count() == 0 {
            return Ok(Vec::new());
        }
        let output = self.output("replay", dir)?;
        if !output.status.success() {
            return Err(said("wal replay", output.status, &output.stderr));
        }
        let records = output.stdout.strip_suffix(b"\n").map(|all| all.split(|byte| *byte == b'\n'));
        Ok(records.into_iter().flatten().map(<[u8]>::to_vec).collect())
    }

    fn verify(&self, dir: &Path) -> io::Result<()> {
        let output = self.output("verify", dir)?;
        if output.status.success() {
            return Ok(());
        }
        Err(said("wal verify", output.status, &output.stdout))
    }
}

fn said(command: &str, status: ExitStatus, words: &[u8]) -> io::Error {
    let words = String::from_utf8_lossy(words);
    let hung = match status.signal() {
        Some(signal) if signal == Signal::KILL.as_raw() => ", as one that hangs",
        _ => "",
    };
    io::Error::other(format!("{command}: {status}{hung}: {}", words.trim()))
}

struct Appending {
    _watch: Watch,
    child: Writer,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Appending {
    /// What the child said when it should not have ended.
    fn ended(&mut self) -> io::Error {
        let mut words = Vec::new();
        if let Some(mut stderr) = self.child.0.stderr.take() {
            stderr.read_to_end(&mut words).ok();
        }
        match self.child.0.wait() {
            Ok(status) => said("wal append", status, &words),
            Err(error) => error,
        }
    }
}

impl Session for Appending {
    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        let line = [record, b"\n"].concat();
        self.input.write_all(&line).map_err(|_| self.ended())
    }

    fn acknowledged(&mut self) -> io::Result<u64> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(self.ended());
        }
        let lsn = line.trim_end().parse();
        lsn.map_err(|_| io::Error::other(format!("wal append --ack printed {line:?}")))
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        let Self { _watch, mut child, input, mut output } = *self;
        drop(input);
        output.read_to_end(&mut Vec::new())?;
        let mut words = Vec::new();
        if let Some(mut stderr) = child.0.stderr.take() {
            stderr.read_to_end(&mut words)?;
        }
        let status = child.0.wait()?;
        if status.success() { Ok(()) } else { Err(said("wal append", status, &words)) }
    }

    fn kill(mut self: Box<Self>) -> io::Result<()> {
        self.child.0.kill()?;
        self.child.0.wait().map(drop)
    }
}

/// A child that lived on would keep the file system from being unmounted.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Kills a child that hangs; does nothing once dropped.
struct Watch {
    _ends: mpsc::Sender<()>,
}

impl Watch {
    fn over(child: &Child) -> io::Result<Self> {
        // Names this child also after its number was given to another process.
        let child = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
        let (ends, ended) = mpsc::channel();
        thread::Builder::new().name("power-cut-watch".into()).spawn(move || {
            if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                pidfd_send_signal(&child, Signal::KILL).ok();
            }
        })?;
        Ok(Self { _ends: ends })
    }
}
