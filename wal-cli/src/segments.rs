//! `wal segments`: the segments of a log, one a line.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use wal::{SegmentInfo, SegmentState};

use crate::log::Log;
use crate::out::Out;
use wal::parts::core::Utc;

/// Print a log's segments, oldest first: LSN range, bytes, when it was made and how it ends
///
/// Reads headers and seals only, and proves nothing about what is between: that is what verify is
/// for. Bytes include prepared space. Times are UTC; in JSON they are nanoseconds since the Unix epoch.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's directory
    dir: PathBuf,
    /// A JSON object a line: `segment`, `first_lsn`, `last_lsn`, `bytes`, `created_ns`, `ended_ns`
    /// (null while it is open), `state` ("open", "sealed" or "cut")
    #[arg(long)]
    json: bool,
}

/// `last_lsn` is one less than `first_lsn` where there are no records.
#[derive(Debug, Serialize)]
struct Told {
    segment: u64,
    first_lsn: u64,
    last_lsn: u64,
    bytes: u64,
    created_ns: u64,
    ended_ns: Option<u64>,
    state: &'static str,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let log = Log::open(&args.dir)?;
    let mut out = Out::new();
    for info in log.reader.list_segments()? {
        let told = Told::of(&info);
        if args.json { out.json(&told) } else { told.text(&mut out) }?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

impl Told {
    fn of(info: &SegmentInfo) -> Self {
        Self {
            segment: info.id.get(),
            first_lsn: info.first_lsn.get(),
            last_lsn: info.last_lsn.get(),
            bytes: info.bytes,
            created_ns: info.created,
            ended_ns: info.ended,
            state: match info.state {
                SegmentState::Open => "open",
                SegmentState::Sealed => "sealed",
                SegmentState::Cut => "cut",
                _ => "unknown",
            },
        }
    }

    fn text(&self, out: &mut Out) -> anyhow::Result<()> {
        let Self { segment, first_lsn, last_lsn, bytes, created_ns, ended_ns: _, state } = self;
        let made = Utc(*created_ns);
        let records = if last_lsn < first_lsn {
            format!("no records, LSN {first_lsn} is next")
        } else {
            format!("LSN {first_lsn} to {last_lsn}")
        };
        out.text(format_args!("segment {segment}  {records}  {bytes} bytes  made {made}  {state}"))
    }
}
