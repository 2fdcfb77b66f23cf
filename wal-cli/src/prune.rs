//! `wal prune`: the oldest segments of a log go.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use wal::{Examine, Lsn, Retained, Retention, Wal};

use crate::age::age;
use crate::failure::tell;
use crate::log::Log;
use crate::out::Out;
use crate::size;

/// Delete the oldest segments of a log, as far as a limit asks for it
///
/// Only whole segments go; the newest one stays. The strictest limit decides. The log's new beginning
/// is durable before anything is deleted, and nothing deleted comes back. An empty segment of 12 KiB
/// records it, since nothing is written behind the end of a log that was closed.
///
/// Damaged segments go like others, each with a warning as far as it is looked at: the headers, or
/// everything with --examine. One whose header cannot be read is no part of the log any more, and its file
/// stays until it can be, with a warning, too. What is not this log's stays, and is named: exit code 4, and
/// no warnings then. Of what has to go before the log can be opened on a full disk the headers alone are
/// looked at.
///
/// Needs the log for itself: it is opened for writing, and recovered where a crash left it. Where the
/// disk has no room for that, it is pruned first.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's directory
    dir: PathBuf,
    #[command(flatten)]
    limits: Limits,
    /// The latest so many records stay, whatever the limits ask
    #[arg(long, value_name = "RECORDS", default_value_t = 0, hide_default_value = true)]
    keep_records: u64,
    /// Read every byte of what goes, and warn of the damage in it. Takes as long as reading does, with the
    /// log locked
    #[arg(long)]
    examine: bool,
    /// One JSON object: `segments` and `bytes` that went, the new `first_lsn`, `dated_ahead`, the
    /// segments that stay because they are dated later than now, and `damaged`, the numbers of the
    /// segments that were damaged, or could not be read and are still there
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Limits {
    /// What is before this record goes
    #[arg(long, value_name = "LSN")]
    before: Option<u64>,
    /// What ended this long ago goes: 90s, 15m, 12h or 7d. A segment dated later than now, by a clock
    /// that was ahead, counts as old as the next one that is not
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// The segments that stay take up no more than this, but for the one that the prune may make; k, m
    /// and g are powers of 1024
    #[arg(long, value_name = "BYTES", value_parser = size::bytes)]
    keep_bytes: Option<u64>,
    /// No more segments than this stay of those that were there; the one that the prune may make to
    /// record the new beginning comes on top
    #[arg(long, value_name = "SEGMENTS")]
    keep_segments: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Told {
    segments: u64,
    bytes: u64,
    first_lsn: u64,
    dated_ahead: u64,
    damaged: Vec<u64>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    // Not made by this where there is none.
    Log::open(&args.dir)?;
    let retention = args.limits.retention().at_least_records(args.keep_records);
    let retention =
        retention.examining(if args.examine { Examine::Bytes } else { Examine::Headers });
    // A log that has filled its disk has no room to be opened before something went.
    let (wal, recovery) = Wal::builder(&args.dir).prune_if_full(retention.clone()).open()?;
    let done = wal.retain(&retention);
    let closed = wal.close();
    let mut done = done.and_then(|done| closed.map(|()| done))?;
    done.segments += recovery.segments_pruned;
    done.bytes += recovery.bytes_pruned;
    // Not among what a script reads or throws away.
    let mut warnings = recovery.pruned_damaged;
    warnings.append(&mut done.damaged);
    for warning in &warnings {
        tell(format_args!("warning: {warning}"));
    }
    let Retained { segments, bytes, first_lsn, dated_ahead, .. } = done;
    let mut out = Out::new();
    if args.json {
        let first_lsn = first_lsn.get();
        let mut damaged: Vec<_> = warnings.iter().map(|warning| warning.id.get()).collect();
        damaged.dedup();
        out.json(&Told { segments, bytes, first_lsn, dated_ahead, damaged })?;
    } else {
        out.text(format_args!("{done}"))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

impl Limits {
    fn retention(&self) -> Retention {
        let mut retention = Retention::all();
        retention.from = self.before.map(Lsn::new);
        retention.max_age = self.older_than;
        retention.max_bytes = self.keep_bytes;
        retention.max_segments = self.keep_segments;
        retention
    }
}
