//! `wal compact`: a log of the latest records only.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::value::RawValue;
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
    /// The key is the first so many bytes of a record, at least one; a shorter record has none
    #[arg(long, value_name = "BYTES")]
    key_bytes: Option<NonZeroUsize>,
    /// Records are JSON objects, and the key is the text of this field's value, byte for byte as the
    /// record has it: 1, 1.0 and 1e0 are three keys, and so are "a" and "\u0061", and {"a":1} and
    /// {"a": 1}. Numbers of any length keep apart. Of a field that stands twice the last counts; what
    /// is no object with that field has no key
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
            Self { key_bytes: Some(bytes), .. } => {
                entry.payload.get(..bytes.get()).map(<[u8]>::to_vec)
            }
            Self { key_field: Some(field), .. } => field_text(&entry.payload, field),
            _ => None,
        };
        key.map_or(Key::Keep, Key::Of)
    }
}

/// The text of this field's value, where these bytes are a JSON object that has it.
///
/// Never what the text stands for: a number of more than 17 digits has no `f64` of its own, and two keys
/// that were taken for one cost a record.
fn field_text(record: &[u8], field: &str) -> Option<Vec<u8>> {
    let object: BTreeMap<String, &RawValue> = serde_json::from_slice(record).ok()?;
    object.get(field).map(|value| value.get().as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(record: &str) -> Option<String> {
        field_text(record.as_bytes(), "id").map(|key| String::from_utf8(key).unwrap())
    }

    #[test]
    fn a_key_is_the_text_of_the_field() {
        for text in ["1", "1.0", "1e0", "-0", "100000000000000000001", "0.12345678901234567890"]
            .into_iter()
            .chain([r#""a""#, r#""\u0061""#, r#"{"a": 1}"#, "[1,2]", "null", "true"])
        {
            let record = format!(r#" {{"v": [{{"id":7}}], "id" : {text} , "w":0}} "#);
            assert_eq!(key(&record).as_deref(), Some(text));
        }
        assert_eq!(key(r#"{"id":1,"id":2}"#).as_deref(), Some("2"));
        assert_eq!(key(r#"{"\u0069d":1}"#).as_deref(), Some("1"));
    }

    #[test]
    fn what_is_no_object_with_the_field_has_no_key() {
        for record in
            ["", "1", "[1]", "{}", r#"{"ID":1}"#, r#"{"id":1"#, r#"{"id":1}x"#, r#"{"id":}"#]
        {
            assert_eq!(key(record), None, "{record}");
        }
        assert_eq!(field_text(b"{\"id\":\"\xff\"}", "id"), None);
    }
}
