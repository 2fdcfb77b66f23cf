//! [`Compaction`]: a log of the latest records only.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use wal_core::{Entry, Error, ErrorKind, LogId, Lsn, Result, SegmentStore};

use crate::source::Source;
use crate::target::{Frames, Target};
use crate::{Reader, Wal};

/// What a record is about, for [`Wal::compact_to`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Key {
    /// It has no key, and is kept.
    Keep,
    /// It says how this key stands from now on: it is kept unless a later record is about the same
    /// key.
    Of(Vec<u8>),
    /// It says that this key is no more: neither it nor any earlier record about the key is kept. A
    /// deletion that must stay, for state older than the log, is an [`Of`](Self::Of).
    Deleted(Vec<u8>),
    /// It is not kept.
    Drop,
}

/// A compacted copy of a log that is whole and durable; from [`Wal::compact_to`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// The identity of the copy, which is a log of its own.
    pub log: LogId,
    /// The first record of the source.
    pub source_first_lsn: Lsn,
    /// The last record of the source that was taken into account: what comes behind it there is not
    /// in the copy.
    pub source_last_lsn: Lsn,
    /// Records of the source.
    pub records: u64,
    /// Records of the copy: its LSNs are 1 through this.
    pub kept: u64,
    /// Records that a later one about the same key, or its deletion, made needless.
    pub superseded: u64,
    /// Records that said a key is no more, and those that were to be dropped.
    pub dropped: u64,
}

impl Wal {
    /// Writes a log of the latest records only into `store`, which is empty: of the records about
    /// one [`Key`] the last, in the order of the log, and all that have no key.
    ///
    /// **The records get new LSNs, from 1 on**, since LSNs have no gaps. Whoever has kept an LSN of
    /// the source, as a reader's place or as a snapshot's, cannot use it with the copy.
    ///
    /// The log is read twice, and `key` is asked about each record twice, which must say the same.
    /// In memory is a number for each key, with the key. Otherwise this is as
    /// [`backup_to`](Self::backup_to): beside writers, under a hold named `compaction`, frames and
    /// times and transform as in the source, and never a part that passes for the whole.
    ///
    /// Errors are those of [`backup_to`](Self::backup_to), and
    /// [`Invalid`](wal_core::ErrorKind::Invalid) where `key` said two things of one record.
    pub fn compact_to(
        &self,
        store: Arc<dyn SegmentStore>,
        key: impl FnMut(&Entry) -> Key,
    ) -> Result<Compaction> {
        let mut key = key;
        compact(&Source::of_log(self, "compaction")?, store, &mut key)
    }
}

impl Reader {
    /// As [`Wal::compact_to`], of a log as it lies there; as for [`backup_to`](Self::backup_to),
    /// what went through a transform comes out plain.
    pub fn compact_to(
        &self,
        store: Arc<dyn SegmentStore>,
        key: impl FnMut(&Entry) -> Key,
    ) -> Result<Compaction> {
        let mut key = key;
        Source::settled(self, move |source| compact(source, Arc::clone(&store), &mut key))
    }
}

fn compact(
    source: &Source,
    store: Arc<dyn SegmentStore>,
    key: &mut dyn FnMut(&Entry) -> Key,
) -> Result<Compaction> {
    let blame = |error| source.blame(error);
    let (mut latest, mut plain, mut dropped) = (HashMap::new(), 0_u64, 0_u64);
    for entry in source.entries().map_err(blame)? {
        let entry = entry.map_err(blame)?;
        match key(&entry) {
            Key::Keep => plain += 1,
            Key::Of(key) => drop(latest.insert(key, entry.lsn)),
            Key::Deleted(key) => {
                latest.remove(&key);
                dropped += 1;
            }
            Key::Drop => dropped += 1,
        }
    }
    let kept = plain + latest.len() as u64;
    let target = Target::begin(store, source.plan(), Lsn::FIRST, Lsn::new(kept))?;
    let (mut frames, mut written) = (Frames::default(), 0);
    for entry in source.entries().map_err(blame)? {
        let entry = entry.map_err(blame)?;
        let keeps = match key(&entry) {
            Key::Keep => true,
            Key::Of(key) => latest.get(&key) == Some(&entry.lsn),
            Key::Deleted(_) | Key::Drop => false,
        };
        if keeps {
            written += 1;
            if written > kept {
                return Err(two_answers(entry.lsn));
            }
            frames.push(entry, |frame| target.append(frame))?;
        }
    }
    if written < kept {
        return Err(two_answers(source.last));
    }
    frames.flush(|frame| target.append(frame))?;
    let log = target.log();
    target.finish()?;
    let records = source.last.since(source.first.previous());
    Ok(Compaction {
        log,
        source_first_lsn: source.first,
        source_last_lsn: source.last,
        records,
        kept,
        superseded: records - kept - dropped,
        dropped,
    })
}

/// By this record of the source at the latest.
fn two_answers(lsn: Lsn) -> Error {
    Error::new(ErrorKind::Invalid, "the key of a record was another one when asked again").lsn(lsn)
}

impl fmt::Display for Compaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, source_first_lsn, source_last_lsn, kept, superseded, dropped, .. } = self;
        if source_last_lsn < source_first_lsn {
            return write!(f, "log {log}: no records to keep");
        }
        let records = if *kept == 1 { "record" } else { "records" };
        write!(
            f,
            "log {log}: {kept} {records} kept of LSN {source_first_lsn} to {source_last_lsn}, \
             renumbered from 1; {superseded} superseded, {dropped} dropped"
        )
    }
}
