//! `wal verify`: every byte of a log read and judged.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use wal::parts::replay::{Ending, Finding, SegmentVerdict};
use wal::{ErrorKind, Lsn, Reading, Verdict, Verification};

use crate::failure::{CORRUPT, TORN, pipe_closed, tell};
use crate::log::Log;
use crate::out::{Out, count};

/// Read every byte of a log and say how it is; changes nothing
///
/// Exit code 0 for clean; 3 for a torn tail, where nothing that the log vouches for is hurt; 4 for
/// corruption or a missing segment. Each finding names its segment, the offset in bytes and the LSN
/// of the first record it hits, or of the last that went with a missing segment, as far as they are
/// known.
///
/// Clean says that all headers, frames and seals are as they were written, and so is what lies behind
/// them where it should be zeros. Where a segment lies in space that another one has used, nothing can be
/// said of what is behind its end: so many bytes are named as not judged.
///
/// What looks torn is looked at again, since beside a writer it may be a write under way.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's directory
    dir: PathBuf,
    /// Read past the page cache: judge what the disk holds, not what the system remembers of it.
    /// Fails where the file system cannot (Linux only)
    #[arg(long)]
    direct: bool,
    /// One JSON object: `verdict` ("clean", "torn" or "corrupt"), `first_lsn` and `last_lsn` (null where
    /// damage keeps them from being known), `segments`, `findings`, `dead_segments`, `unjudged_bytes`
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let reading = if args.direct { Reading::Direct } else { Reading::default() };
    let log = Log::open_with(&args.dir, reading)?;
    let found = look(&log)?;
    let mut out = Out::new();
    let told = if args.json { out.json(&Told::of(&found)) } else { text(&mut out, &found) };
    // The exit code says it, too: a verdict is no less true where nobody reads the words.
    match told.and_then(|()| out.flush()) {
        Err(error) if !pipe_closed(&error) => return Err(error),
        _ => {}
    }
    Ok(match found.verdict {
        Verdict::Clean => ExitCode::SUCCESS,
        Verdict::Torn => ExitCode::from(TORN),
        Verdict::Corrupt => ExitCode::from(CORRUPT),
        other => {
            tell(format_args!("error: a verdict that this tool does not know: {other:?}"));
            ExitCode::FAILURE
        }
    })
}

/// How the log is, beside a writer too: a write under way looks torn, and a pruned segment can go
/// while the log is read, or another one have its space. So such a look counts only once it is
/// confirmed by a second one, or the log was not pruned since it began.
pub(crate) fn look(log: &Log) -> wal::Result<Verification> {
    let mut before: Option<Verification> = None;
    for _ in 0..16 {
        let start = log.start();
        let found = match log.reader.verify(|_| {}) {
            Err(error) if error.kind() == ErrorKind::Changed || log.was_pruned(start, &error) => {
                continue;
            }
            found => found?,
        };
        let confirmed = before.is_some_and(|before| before.findings == found.findings);
        match found.verdict {
            Verdict::Torn if !confirmed => thread::sleep(Duration::from_millis(50)),
            Verdict::Corrupt if !confirmed && log.start() != start => {}
            _ => return Ok(found),
        }
        before = Some(found);
    }
    log.reader.verify(|_| {})
}

/// The verdict and the findings, as text.
pub(crate) fn text(out: &mut Out, found: &Verification) -> anyhow::Result<()> {
    let verdict = name(found.verdict);
    if found.segments.is_empty() && found.findings.is_empty() {
        return out.text(format_args!("{verdict}: an empty log"));
    }
    let segments = count(found.segments.len() as u64, "segment");
    let range = match (found.first_lsn.get(), found.last_lsn.get()) {
        (0, _) => String::new(),
        (first, last) if last < first => format!(", no records, the next is LSN {first}"),
        (first, last) => format!(", LSN {first} to {last}"),
    };
    let unjudged = match found.unjudged {
        0 => String::new(),
        bytes => format!("; {bytes} bytes behind the end, used before, are not judged"),
    };
    out.text(format_args!("{verdict}: {segments}{range}{unjudged}"))?;
    for finding in findings(found) {
        out.text(format_args!("  {finding}"))?;
    }
    Ok(())
}

pub(crate) fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clean => "clean",
        Verdict::Torn => "torn",
        _ => "corrupt",
    }
}

/// The findings in the tool's words.
pub(crate) fn findings(found: &Verification) -> impl Iterator<Item = ToldFinding<'_>> {
    found.findings.iter().map(ToldFinding::of)
}

/// A finding as it is told.
#[derive(Debug, Serialize)]
pub(crate) struct ToldFinding<'a> {
    verdict: &'static str,
    what: &'a str,
    segment: Option<u64>,
    offset: Option<u64>,
    lsn: Option<u64>,
}

impl<'a> ToldFinding<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            verdict: name(finding.verdict),
            what: &finding.what,
            segment: finding.segment.map(wal::SegmentId::get),
            offset: finding.offset,
            lsn: finding.lsn.map(Lsn::get),
        }
    }
}

impl std::fmt::Display for ToldFinding<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { verdict: _, what, segment, offset, lsn } = self;
        write!(f, "{what}:")?;
        for (name, value) in [("segment", segment), ("offset", offset), ("lsn", lsn)] {
            match value {
                Some(value) => write!(f, " {name}={value}")?,
                None => write!(f, " {name}=unknown")?,
            }
        }
        Ok(())
    }
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    verdict: &'static str,
    first_lsn: Option<u64>,
    last_lsn: Option<u64>,
    segments: Vec<ToldSegment>,
    findings: Vec<ToldFinding<'a>>,
    dead_segments: Vec<u64>,
    unjudged_bytes: u64,
}

impl<'a> Told<'a> {
    fn of(found: &'a Verification) -> Self {
        // A log that could not be told as a whole is not an empty one.
        let known = found.first_lsn > Lsn::ZERO || found.verdict == Verdict::Clean;
        Self {
            verdict: name(found.verdict),
            first_lsn: known.then_some(found.first_lsn.get()),
            last_lsn: known.then_some(found.last_lsn.get()),
            segments: found.segments.iter().map(ToldSegment::of).collect(),
            findings: findings(found).collect(),
            dead_segments: found.dead.iter().map(|id| id.get()).collect(),
            unjudged_bytes: found.unjudged,
        }
    }
}

/// `records` and `ending` are absent from a segment that could not be read to its end.
#[derive(Debug, Serialize)]
struct ToldSegment {
    segment: u64,
    bytes: u64,
    records: Option<u64>,
    ending: Option<&'static str>,
}

impl ToldSegment {
    fn of(segment: &SegmentVerdict) -> Self {
        let scan = segment.scan.as_ref();
        Self {
            segment: segment.id.get(),
            bytes: segment.size,
            records: scan.map(|scan| scan.records),
            ending: scan.map(|scan| ending(scan.ending)),
        }
    }
}

/// How a segment ends, in a word.
pub(crate) fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Sealed => "sealed",
        Ending::Open => "open",
        _ => "torn",
    }
}
