//! `wal replay`: the records of a log on stdout.

use std::path::PathBuf;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::error::ErrorKind as Usage;
use clap::value_parser;
use serde::Serialize;
use wal::parts::replay::{Chain, Ending, is_unreadable};
use wal::{Cursor, Entry, Error, ErrorKind, Lsn, Survey};

use crate::failure::tell;
use crate::log::Log;
use crate::out::Out;

/// Print the records of a log, one a line, in their order
///
/// Reads what is there at present: beside a writer that may be records that no sync has covered yet.
/// A torn tail ends the output and is mentioned on stderr, exit code 0. Of a damaged log everything
/// before the damage is printed that surely is in force, and nothing that a truncation had overruled; then
/// where the damage is, exit code 4.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's directory
    dir: PathBuf,
    /// The first record to print; by default the log's first. Refused where it was pruned
    #[arg(long, value_name = "LSN", value_parser = value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// The last record to print; by default the log's last
    #[arg(long, value_name = "LSN", value_parser = value_parser!(u64).range(1..))]
    to: Option<u64>,
    /// One JSON object a line: `{"lsn":N,"payload":"TEXT"}`, or, for a payload that is not UTF-8,
    /// `{"lsn":N,"payload_base64":"BASE64"}`
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from > to
    {
        let what = format!("--from {from} is behind --to {to}\n");
        clap::Error::raw(Usage::ValueValidation, what).exit();
    }
    let log = Log::open(&args.dir)?;
    let mut out = Out::new();
    let mut print =
        |entry: &Entry| if args.json { json(&mut out, entry) } else { out.line(&entry.payload) };
    let ended = each(&log, args, &mut print);
    out.flush()?;
    if let Some(damage) = ended? {
        return Err(damage.into());
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives every entry there is to `print`. Damage is what ended it, if any did.
///
/// Where another process prunes the log meanwhile, it goes on where the log begins by then, and says so
/// if that leaves out records in the middle.
fn each(
    log: &Log,
    args: &Args,
    print: &mut dyn FnMut(&Entry) -> anyhow::Result<()>,
) -> anyhow::Result<Option<Error>> {
    let last = args.to.map_or(Lsn::MAX, Lsn::new);
    let (mut next, mut printed) = (args.from.map(Lsn::new), false);
    loop {
        let survey = match log.reader.survey() {
            Ok(None) => return Ok(None),
            Ok(Some(survey)) => survey,
            Err(error) => return before_damage(log, error, next, printed, last, print),
        };
        let start = survey.chain.start;
        if printed && next.is_some_and(|next| next < start.lsn) {
            let (first, last) = (next.unwrap_or_default(), start.lsn.previous());
            tell(format_args!("note: LSN {first} to {last} were pruned while this was reading"));
            next = Some(start.lsn);
        }
        let error = match cursor(log, &survey.chain, next) {
            Ok(mut cursor) => match through(&mut cursor, last, print)? {
                None => {
                    mention_tail(&cursor, &survey);
                    if let Some(from) = args.from
                        && from > survey.last_lsn().get()
                    {
                        let last = survey.last_lsn();
                        tell(format_args!("note: the log ends with LSN {last}, before {from}"));
                    }
                    return Ok(None);
                }
                Some(error) => {
                    printed |= cursor.next_lsn() > next.unwrap_or(start.lsn);
                    next = if printed { Some(cursor.next_lsn()) } else { next };
                    error
                }
            },
            Err(error) => error,
        };
        if error.kind() == ErrorKind::Changed && !printed {
            continue;
        }
        if !log.was_pruned(Some(start), &error) {
            return before_damage(log, error, next, printed, last, print);
        }
    }
}

/// Gives what is left before this damage to `print`: a cursor looks one segment ahead, and a survey of
/// the whole log gives none at all.
fn before_damage(
    log: &Log,
    damage: Error,
    next: Option<Lsn>,
    printed: bool,
    last: Lsn,
    print: &mut dyn FnMut(&Entry) -> anyhow::Result<()>,
) -> anyhow::Result<Option<Error>> {
    let ends = |error: &Error| error.kind() == ErrorKind::Corrupt || is_unreadable(error);
    if !ends(&damage) {
        return Err(damage.into());
    }
    let chain = match log.reader.prefix() {
        Ok(Some(chain)) => chain,
        Ok(None) => {
            // Before the first segment there is nothing to be told of.
            if log.segments()?.first().copied() != damage.at_segment() {
                let nothing = if printed { "nothing more" } else { "nothing" };
                tell(format_args!(
                    "note: {nothing} is printed of what is before the damage: the segment that is lost may \
                     have cut it off, and nothing proves that it counts. To see it all the same, copy the \
                     segments before, without ANCHOR, into a directory of their own, and read that",
                ));
            }
            return Ok(Some(damage));
        }
        // Its writer is faster than the look at all headers; the damage is there all the same.
        Err(error) if error.kind() == ErrorKind::Changed => return Ok(Some(damage)),
        Err(error) => return Err(error.into()),
    };
    let ended = match cursor(log, &chain, next) {
        Ok(mut cursor) => through(&mut cursor, last, print)?,
        Err(error) => Some(error),
    };
    match ended {
        Some(error) if !ends(&error) => Err(error.into()),
        _ => Ok(Some(damage)),
    }
}

fn cursor(log: &Log, chain: &Chain, from: Option<Lsn>) -> wal::Result<Cursor> {
    log.reader.read_chain(chain, from.unwrap_or(chain.start.lsn))
}

/// Prints the cursor's entries through `last`; the error that ended them early, if any did.
fn through(
    cursor: &mut Cursor,
    last: Lsn,
    print: &mut dyn FnMut(&Entry) -> anyhow::Result<()>,
) -> anyhow::Result<Option<Error>> {
    while cursor.next_lsn() <= last {
        match cursor.next() {
            None => break,
            Some(Ok(entry)) => print(&entry)?,
            Some(Err(error)) => return Ok(Some(error)),
        }
    }
    Ok(None)
}

fn json(out: &mut Out, entry: &Entry) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Text<'a> {
        lsn: u64,
        payload: &'a str,
    }
    #[derive(Serialize)]
    struct Bytes {
        lsn: u64,
        payload_base64: String,
    }
    let lsn = entry.lsn.get();
    match std::str::from_utf8(&entry.payload) {
        Ok(payload) => out.json(&Text { lsn, payload }),
        Err(_) => out.json(&Bytes { lsn, payload_base64: BASE64.encode(&entry.payload) }),
    }
}

/// Says so where the entries ended at a torn tail. Not where a writer has gone on since: then it was
/// a write under way.
fn mention_tail(cursor: &Cursor, survey: &Survey) {
    if let Ending::Torn { offset, bytes } = survey.tail.ending
        && cursor.next_lsn() == survey.last_lsn().next()
    {
        let segment = survey.newest.id;
        tell(format_args!(
            "note: the log ends in a torn tail, {bytes} bytes that nothing vouches for: \
             segment={segment} offset={offset}; no record before it is hurt"
        ));
    }
}
