//! `wal compact`: a log of the latest records only.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;
use wal::{Compaction, Entry, Key};

use crate::backup::fill;
use crate::failure::tell;
use crate::log::Log;
use crate::out::Out;

/// Copy the latest record of each key into an empty directory; works beside a writer
///
/// The records get new LSNs, from 1 on: an LSN of the log means nothing in the copy. A record without
/// a key is kept. The log is read twice, and every key is in memory once.
///
/// The copy is a log of its own, durable at exit code 0. One that ends early does not open as a log:
/// delete it, or copy into the directory again, which deletes the remains and begins anew.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's directory
    dir: PathBuf,
    /// The directory to copy into; made if it is missing
    target: PathBuf,
    #[command(flatten)]
    key: KeyIs,
    /// One JSON object: `log`, `source_first_lsn`, `source_last_lsn`, `kept`, `superseded`
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct KeyIs {
    /// The key is the first so many bytes of a record; a shorter record has none
    #[arg(long, value_name = "BYTES")]
    key_bytes: Option<usize>,
    /// Records are JSON objects, and the key is this field's value; what is no object with that field
    /// has none
    #[arg(long, value_name = "FIELD")]
    key_field: Option<String>,
}

#[derive(Debug, Serialize)]
struct Told {
    log: String,
    source_first_lsn: u64,
    source_last_lsn: u64,
    kept: u64,
    superseded: u64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let log = Log::open(&args.dir)?;
    let mut keyed = false;
    let mut key = |entry: &Entry| {
        let key = args.key.of(entry);
        keyed |= key != Key::Keep;
        key
    };
    let done = fill(&args.target, |target| log.reader.compact_to(target, &mut key))?;
    if !keyed && done.records > 0 {
        // A typing error in the name of the field looks the same.
        tell("note: no record has such a key, and so all are kept");
    }
    let mut out = Out::new();
    if args.json {
        let Compaction { log, source_first_lsn, source_last_lsn, kept, superseded, .. } = done;
        out.json(&Told {
            log: log.to_string(),
            source_first_lsn: source_first_lsn.get(),
            source_last_lsn: source_last_lsn.get(),
            kept,
            superseded,
        })?;
    } else {
        out.text(format_args!("{done}"))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

impl KeyIs {
    fn of(&self, entry: &Entry) -> Key {
        let key = match self {
            Self { key_bytes: Some(bytes), .. } => entry.payload.get(..*bytes).map(<[u8]>::to_vec),
            Self { key_field: Some(field), .. } => {
                let object = serde_json::from_slice::<Value>(&entry.payload).ok();
                object.and_then(|object| object.get(field).map(|key| key.to_string().into_bytes()))
            }
            _ => None,
        };
        key.map_or(Key::Keep, Key::Of)
    }
}
