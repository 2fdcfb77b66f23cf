//! `wal append`: stdin into a log, a record a line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::ValueEnum;
use wal::parts::core::CodecId;
use wal::parts::core::format::Start;
use wal::{ErrorKind, Lsn, Reader, Recovery, Wal};

use crate::failure::tell;
use crate::input::End;
use crate::out::count;
use crate::size;
use crate::stop::Stop;

mod acknowledge;
mod feed;

use acknowledge::acknowledge;
use feed::Feed;

/// Append each line of stdin as a record: its bytes, without the newline
///
/// Exits with 0 only once every record is durable, whatever the strategy. Ends with a one-line
/// summary on stderr. If something goes wrong on the way, it says which records are durable.
///
/// SIGINT and SIGTERM end the input: what was read of it is made durable, the summary is printed, and
/// then the process ends as the signal would have ended it. A second one does so at once.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's directory; made if it is missing
    dir: PathBuf,
    /// When records are synced
    #[arg(long, value_enum, default_value_t)]
    strategy: Strategy,
    /// Print the LSN of every record on a line of its own, in order and flushed, as soon as the
    /// record is durable; with --strategy interval or os, as soon as it is handed to the operating
    /// system
    #[arg(long)]
    ack: bool,
    /// Append the lines as they are also to a log that names a codec for its records, or whose frames go
    /// through a transform: what reads that log may take them for damage, and they are neither compressed
    /// nor sealed. Without this such a log is refused
    #[arg(long)]
    plain: bool,
    /// A segment ends before it would grow beyond this; k, m and g are powers of 1024 [default: 128m]
    #[arg(long, value_name = "BYTES", value_parser = size::segment_size)]
    segment_size: Option<u64>,
}

/// By the names that a log's settings have for them, with `-` or `_` between words. The strategy
/// that runs on a Tokio runtime is not among them: this tool has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Strategy {
    /// One sync for every record; a record acknowledged survives a power cut
    #[value(aliases = ["synchronous", "always"])]
    Sync,
    /// One sync for all records that came while the last one ran; a record acknowledged survives a
    /// power cut
    #[default]
    #[value(alias = "group_commit")]
    GroupCommit,
    /// A sync when the oldest record is 10 ms old or there are 100; a record acknowledged survives a
    /// power cut
    #[value(alias = "flush_thread")]
    FlushThread,
    /// One thread writes while another syncs; a record acknowledged survives a power cut
    Pipelined,
    /// Four threads write and sync by turns; a record acknowledged survives a power cut
    Parallel,
    /// A sync within 10 ms, which nobody waits for; a record acknowledged survives the death of this
    /// process, and a power cut may take those of the last 10 ms
    #[value(alias = "batch")]
    Interval,
    /// No sync before the end of a segment or of the input; a record acknowledged survives the death
    /// of this process, and a power cut may take it
    #[value(aliases = ["async", "volatile"])]
    Os,
}

impl From<Strategy> for wal::Strategy {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::Sync => Self::Sync,
            Strategy::GroupCommit => Self::GroupCommit,
            Strategy::FlushThread => Self::FlushThread,
            Strategy::Pipelined => Self::Pipelined,
            Strategy::Parallel => Self::Parallel,
            Strategy::Interval => Self::Interval(Duration::from_millis(10)),
            Strategy::Os => Self::Os,
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if !args.plain {
        refuse_unlike_lines(&args.dir)?;
    }
    let mut builder = Wal::builder(&args.dir).strategy(args.strategy.into());
    if let Some(bytes) = args.segment_size {
        builder = builder.segment_size(bytes);
    }
    let (wal, recovery) = builder.open()?;
    tell_recovery(&recovery);
    let before = wal.last_lsn();
    let began = Instant::now();

    let stop = Stop::listen().context("listening for signals failed")?;
    let feed = Feed::new(before);
    let input = feed::start(&feed, &wal, &stop, args.ack)?;
    // Not joined where acknowledging fails: it may wait for a line that never comes.
    let acknowledged = if args.ack { acknowledge(&wal, &feed) } else { Ok(()) };
    let appended = acknowledged.and_then(|()| input.finish());
    let synced = wal.sync().map_err(anyhow::Error::from);
    let closed = wal.close().map_err(anyhow::Error::from);

    let ended = synced.and(closed).and(appended);
    match &ended {
        Ok(_) => summarise(&wal, &feed, before, began),
        Err(_) => tell_durable(&wal, before, began),
    }
    let Ok(End::Stopped { unfinished }) = ended else {
        return ended.map(|_| ExitCode::SUCCESS);
    };
    if unfinished > 0 {
        let bytes = count(unfinished as u64, "byte");
        tell(format_args!("note: {bytes} of a line that had not ended are not appended"));
    }
    stop.obey().context("ending by the signal failed")?;
    Ok(ExitCode::FAILURE)
}

/// Refuses a log whose records are no lines of text, before anything of it is changed. Damage is the
/// opening's business; what cannot be read is told, since it may be what would have been refused.
fn refuse_unlike_lines(dir: &Path) -> anyhow::Result<()> {
    let reader = match Reader::open(dir) {
        Ok(reader) => reader,
        Err(_) if !dir.is_dir() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let survey = match reader.survey() {
        Ok(Some(survey)) => survey,
        Err(error) if error.kind() == ErrorKind::Io => return Err(error.into()),
        _ => return Ok(()),
    };
    let codec = survey.newest.codec;
    if codec != CodecId::RAW {
        bail!(
            "the records of this log are encoded by codec {codec}, and plain lines are not: its own \
             program would take them for damage. Nothing was appended; --plain appends them all the same"
        );
    }
    if survey.records() == 0 {
        return Ok(());
    }
    // Of the newest segment, where that has any: an older one that cannot be read does not keep lines out.
    let mut chain = survey.chain.clone();
    let newest = &survey.newest;
    if survey.last_lsn() >= newest.first_lsn {
        chain.segments = vec![newest.id];
        chain.start = Start { segment: newest.id, lsn: newest.first_lsn };
    }
    let last = reader.read_chain(&chain, survey.last_lsn());
    match last.and_then(|mut last| last.next().transpose()) {
        Err(error) if error.kind() == ErrorKind::Unsupported => bail!(
            "the frames of this log go through a transform that this tool does not have, and lines \
             would be stored without it ({error}). Nothing was appended; --plain appends them all the same"
        ),
        Err(error) if error.kind() == ErrorKind::Io => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says what an earlier crash made necessary, if anything was.
fn tell_recovery(recovery: &Recovery) {
    let mut done = Vec::new();
    if let Some(position) = recovery.torn_at {
        let bytes = count(recovery.bytes_truncated, "byte");
        done.push(format!("cut a torn tail of {bytes} at {position}"));
    }
    if recovery.records_carried > 0 {
        let records = count(recovery.records_carried, "record");
        done.push(format!("carried {records} in doubt over into a fresh segment"));
    }
    if recovery.segments_dropped > 0 {
        done.push(format!("dropped {}", count(recovery.segments_dropped, "dead segment")));
    }
    if !done.is_empty() {
        let last = recovery.last_lsn;
        tell(format_args!("recovered: {}; the log ends with LSN {last}", done.join("; ")));
    }
}

/// Says what this run has appended, all of which is durable.
fn summarise(wal: &Wal, feed: &Feed, before: Lsn, began: Instant) {
    let last = wal.last_lsn();
    let records = count(last.since(before), "record");
    let (bytes, range, took) = (count(feed.bytes(), "byte"), range(before, last), took(wal, began));
    tell(format_args!("appended: {records}, {bytes}, {range}, {took}"));
}

/// Says which of this run's records are safe, after something went wrong; calls nothing appended that
/// may not be there.
fn tell_durable(wal: &Wal, before: Lsn, began: Instant) {
    let (durable, last, took) = (wal.durable_lsn(), wal.last_lsn(), took(wal, began));
    match durable.since(before) {
        0 if last == before => tell(format_args!("no record was appended, {took}")),
        0 => tell(format_args!("none of the records of this run is known to be durable, {took}")),
        records => {
            let (records, range) = (count(records, "record"), range(before, durable));
            tell(format_args!("durable: {range}, {records}, {took}"));
        }
    }
    if last > durable {
        let (first, range) = (durable.next(), range(durable, last));
        tell(format_args!(
            "indeterminate: {range}; `wal replay --from {first}` shows which are there"
        ));
    }
}

fn took(wal: &Wal, began: Instant) -> String {
    format!("{}, {:.3} s", count(wal.syncs(), "sync"), began.elapsed().as_secs_f64())
}

/// The records behind one through another.
fn range(before: Lsn, last: Lsn) -> String {
    match last.since(before) {
        0 => "no LSN".to_owned(),
        1 => format!("LSN {last}"),
        _ => format!("LSN {} to {last}", before.next()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name that the settings know means the same here.
    #[test]
    fn strategies_are_called_what_they_are_called_in_the_settings() {
        for strategy in Strategy::value_variants() {
            let value = strategy.to_possible_value().unwrap();
            for name in value.get_name_and_aliases() {
                assert_eq!(name.parse::<wal::Strategy>().unwrap(), (*strategy).into(), "{name}");
            }
        }
        for name in ["sync", "synchronous", "always", "group_commit", "group-commit"]
            .into_iter()
            .chain(["flush_thread", "flush-thread", "pipelined", "parallel", "interval", "batch"])
            .chain(["os", "async", "volatile"])
        {
            let strategy = Strategy::from_str(name, false).unwrap();
            assert_eq!(wal::Strategy::from(strategy), name.parse().unwrap(), "{name}");
        }
    }
}
