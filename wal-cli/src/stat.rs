//! `wal stat`: a log in a few numbers.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use wal::parts::core::format::FORMAT_VERSION;
use wal::parts::replay::Ending;
use wal::{Lsn, Survey};

use crate::log::Log;
use crate::out::Out;
use crate::verify::ending;

/// Print a log's segments, bytes, LSN range and durable LSN
///
/// Reads the newest segment only, so it costs the same whatever the log's size, and proves nothing
/// about the other ones: that is what verify is for.
///
/// The durable LSN is the last record that the log itself vouches for. The last record
/// acknowledged may be a later one: what vouches for it is written with the next record, or with the
/// seal of a clean close.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's directory
    dir: PathBuf,
    /// One JSON object: `segments`, `bytes`, `records`, `first_lsn`, `last_lsn`, `durable_lsn`,
    /// `torn_bytes`, `dead_segments`, and in `newest`: `segment`, `epoch`, `bytes`, `ending`
    /// ("sealed", "open" or "torn"), `codec`, `log`, `format`
    #[arg(long)]
    json: bool,
}

/// `last_lsn` is one less than `first_lsn` where there are no records; `newest` is absent where there
/// are no segments.
#[derive(Debug, Serialize)]
struct Told {
    segments: usize,
    /// Of all segments, prepared space included.
    bytes: u64,
    records: u64,
    first_lsn: u64,
    last_lsn: u64,
    durable_lsn: u64,
    torn_bytes: u64,
    dead_segments: usize,
    newest: Option<Newest>,
}

#[derive(Debug, Serialize)]
struct Newest {
    segment: u64,
    epoch: u64,
    /// Through its last frame.
    bytes: u64,
    ending: &'static str,
    codec: u32,
    log: String,
    format: u32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let log = Log::open(&args.dir)?;
    let survey = log.reader.survey()?;
    let mut bytes = 0;
    for id in log.segments()? {
        bytes += log.size(id)?.unwrap_or(0);
    }
    let told = Told::of(survey.as_ref(), bytes);
    let mut out = Out::new();
    if args.json { out.json(&told) } else { told.text(&mut out) }?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

impl Told {
    fn of(survey: Option<&Survey>, bytes: u64) -> Self {
        let torn = survey.map(|survey| survey.tail.ending);
        let first_lsn = survey.map_or(Lsn::FIRST, |survey| survey.chain.start.lsn);
        Self {
            segments: survey.map_or(0, |survey| survey.chain.segments.len()),
            bytes,
            records: survey.map_or(0, Survey::records),
            first_lsn: first_lsn.get(),
            last_lsn: survey.map_or(Lsn::ZERO, Survey::last_lsn).get(),
            durable_lsn: survey.map_or(Lsn::ZERO, |survey| survey.tail.vouched).get(),
            torn_bytes: if let Some(Ending::Torn { bytes, .. }) = torn { bytes } else { 0 },
            dead_segments: survey.map_or(0, |survey| survey.dead.len()),
            newest: survey.map(Newest::of),
        }
    }

    fn text(&self, out: &mut Out) -> anyhow::Result<()> {
        let Self {
            segments,
            bytes,
            records,
            first_lsn,
            last_lsn,
            durable_lsn,
            torn_bytes,
            dead_segments,
            newest,
        } = self;
        out.text(format_args!("segments       {segments}"))?;
        out.text(format_args!("bytes          {bytes}"))?;
        out.text(format_args!("records        {records}"))?;
        out.text(format_args!("first LSN      {first_lsn}"))?;
        out.text(format_args!("last LSN       {last_lsn}"))?;
        out.text(format_args!("durable LSN    {durable_lsn}"))?;
        if *torn_bytes > 0 {
            out.text(format_args!("torn tail      {torn_bytes} bytes"))?;
        }
        if *dead_segments > 0 {
            out.text(format_args!("dead segments  {dead_segments}"))?;
        }
        let Some(Newest { segment, epoch, bytes, ending, codec, log, format }) = newest else {
            return Ok(());
        };
        out.text(format_args!("newest         segment {segment}, {bytes} bytes, {ending}"))?;
        out.text(format_args!("epoch          {epoch}"))?;
        out.text(format_args!("codec          {codec}"))?;
        out.text(format_args!("log            {log}"))?;
        out.text(format_args!("format         {format}"))
    }
}

impl Newest {
    fn of(survey: &Survey) -> Self {
        Self {
            segment: survey.newest.id.get(),
            epoch: survey.newest.epoch.get(),
            bytes: survey.tail.end + survey.tail.seal_len,
            ending: ending(survey.tail.ending),
            codec: survey.newest.codec.0,
            log: survey.newest.log.to_string(),
            format: FORMAT_VERSION,
        }
    }
}
