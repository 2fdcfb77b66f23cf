//! [`Feed`]: stdin on its way into the log, on a thread of its own.

use std::fs;
use std::io::{self, BufReader, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use wal::{Config, Lsn, Wal};

use crate::failure::tell;
use crate::input::{End, lines};
use crate::stop::Stop;

/// How far the thread that reads stdin has got. It never waits for a sync, except that the log makes
/// it write once more than the log's buffer is staged; so memory stays bounded however fast the
/// input is.
#[derive(Debug)]
pub(super) struct Feed {
    before: Lsn,
    /// `Release` here and `Acquire` in [`appended`](Self::appended): who sees an LSN may wait for it.
    appended: AtomicU64,
    bytes: AtomicU64,
    ended: AtomicBool,
    listener: Thread,
}

/// What there is of the input at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// There may be more.
    Open,
    /// That was all.
    Ended,
}

impl Feed {
    /// The feed of a log that ends with `last`, for the calling thread to follow.
    pub(super) fn new(last: Lsn) -> Arc<Self> {
        Arc::new(Self {
            before: last,
            appended: AtomicU64::new(last.get()),
            bytes: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            listener: thread::current(),
        })
    }

    /// The last record before this run.
    pub(super) fn before(&self) -> Lsn {
        self.before
    }

    /// The last record appended, and whether more may come.
    pub(super) fn appended(&self) -> (Lsn, Input) {
        // In this order: after the end nothing is appended.
        let ended = self.ended.load(Ordering::Acquire);
        let appended = Lsn::new(self.appended.load(Ordering::Acquire));
        (appended, if ended { Input::Ended } else { Input::Open })
    }

    /// Bytes of the records appended.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn note(&self, lsn: Lsn, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.appended.store(lsn.get(), Ordering::Release);
        self.listener.unpark();
    }
}

/// The thread that reads stdin.
#[derive(Debug)]
pub(super) struct Reading {
    thread: JoinHandle<anyhow::Result<End>>,
    progress: Option<ProgressBar>,
}

/// Starts to append stdin to `wal`, until a signal ends it. With `ack` the acknowledgements go to stdout,
/// and where that is a terminal there is no progress bar between them.
pub(super) fn start(
    feed: &Arc<Feed>,
    wal: &Wal,
    stop: &Stop,
    ack: bool,
) -> anyhow::Result<Reading> {
    let progress = progress(ack);
    let (feed, wal, bar) = (Arc::clone(feed), wal.clone(), progress.clone());
    let input = stop.input().context("taking stdin failed")?;
    let read = move || {
        let _ended = Ended(&feed);
        let input = BufReader::with_capacity(256 * 1024, input);
        let ended = lines(input, Config::default().record_limit, |line| {
            let lsn = wal.append(line)?;
            feed.note(lsn, line.len() as u64);
            if let Some(bar) = &bar {
                bar.inc(line.len() as u64 + 1);
            }
            Ok(())
        })?;
        if let End::Stopped { .. } = ended {
            tell("stopping: what was read is made durable; a second signal ends this at once");
        }
        Ok(ended)
    };
    let thread = thread::Builder::new().name("wal-append-stdin".into()).spawn(read);
    Ok(Reading { thread: thread.context("starting the thread that reads stdin failed")?, progress })
}

impl Reading {
    /// Waits for the end of stdin, and says how it ended.
    pub(super) fn finish(self) -> anyhow::Result<End> {
        let read = self.thread.join();
        if let Some(bar) = self.progress {
            bar.finish_and_clear();
        }
        read.unwrap_or_else(|_| Err(anyhow!("the thread that reads stdin panicked")))
    }
}

/// Says that the input has ended, also where the reading panicked.
struct Ended<'a>(&'a Feed);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.listener.unpark();
    }
}

/// A progress bar, if somebody is there to look at it; with an end where stdin is a file.
fn progress(ack: bool) -> Option<ProgressBar> {
    let shared = io::stdin().is_terminal() || (ack && io::stdout().is_terminal());
    if shared || !io::stderr().is_terminal() {
        return None;
    }
    let file = fs::metadata("/dev/stdin").ok().filter(fs::Metadata::is_file);
    let (bar, template) = match file {
        Some(file) => {
            (ProgressBar::new(file.len()), "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    Some(bar)
}
