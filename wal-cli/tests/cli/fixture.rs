//! Running the tool, and logs to run it on.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The tool with these arguments, all three streams piped.
pub(crate) fn wal<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wal"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a run of the tool left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let Output { status, stdout, stderr } = output;
        let stderr = String::from_utf8(stderr).unwrap();
        let code = status.code().unwrap_or_else(|| panic!("{status}: {stderr}"));
        Self { code, stdout, stderr }
    }

    /// The exit code was this one.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.text(), self.stderr);
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// Each line of stdout, as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A directory with a log in it.
#[derive(Debug)]
pub(crate) struct Log {
    _root: TempDir,
    pub(crate) dir: PathBuf,
}

impl Log {
    /// A place where there is no log yet.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("log");
        Self { _root: root, dir }
    }

    /// A log of these records, each in a frame of its own, closed as it should be.
    pub(crate) fn of(input: &[u8]) -> Self {
        let log = Self::new();
        log.append(&["--strategy", "os", "--segment-size", "16k"], input).exits(0);
        log
    }

    /// `wal VERB DIR ARGS`.
    pub(crate) fn run(&self, verb: &str, args: &[&str]) -> Ran {
        Ran::of(self.command(verb, args).stdin(Stdio::null()).output().unwrap())
    }

    pub(crate) fn append(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child = self.command("append", args).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input).ok());
            child.wait_with_output().unwrap()
        });
        Ran::of(output)
    }

    pub(crate) fn command(&self, verb: &str, args: &[&str]) -> Command {
        let mut command = wal([verb]);
        command.arg(&self.dir).args(args);
        command
    }

    /// The segment files, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(&self.dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wal"))
            .collect();
        files.sort();
        files
    }

    /// Every file of the directory with its bytes.
    pub(crate) fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let paths = fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        files.sort();
        files
    }

    /// The records frames as `dump` tells them.
    pub(crate) fn frames(&self) -> Vec<Value> {
        let dumped = self.run("dump", &["--json"]).json();
        dumped.into_iter().filter(|line| line["kind"] == "records").collect()
    }
}

/// `wal append --ack` as somebody else's process, holding the log open.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) child: Child,
    pub(crate) stdin: ChildStdin,
    pub(crate) acks: BufReader<ChildStdout>,
}

impl Writer {
    pub(crate) fn start(log: &Log, args: &[&str]) -> Self {
        let args: Vec<_> = ["--ack"].iter().chain(args).copied().collect();
        let mut child = log.command("append", &args).stderr(Stdio::null()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let acks = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, acks }
    }

    /// Sends a record and waits for its acknowledgement.
    pub(crate) fn commit(&mut self, record: &str) -> u64 {
        writeln!(self.stdin, "{record}").unwrap();
        let mut line = String::new();
        self.acks.read_line(&mut line).unwrap();
        line.trim_end().parse().unwrap()
    }

    /// Kills the process with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Where a test has failed before it came to an end.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A log of these records, each in a frame of its own, whose writer was killed.
pub(crate) fn killed(records: &[&str]) -> Log {
    let log = Log::new();
    let mut writer = Writer::start(&log, &["--segment-size", "64k"]);
    for record in records {
        writer.commit(record);
    }
    writer.kill();
    log
}

/// Changes one byte of a file.
pub(crate) fn flip(path: &Path, offset: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[usize::try_from(offset).unwrap()] ^= 0x40;
    fs::write(path, bytes).unwrap();
}

/// Numbered lines, `count` of them.
pub(crate) fn numbered(count: u64) -> Vec<u8> {
    (1..=count).flat_map(|n| format!("record number {n} of many\n").into_bytes()).collect()
}
