//! [`Backup`]: a copy of a log, made while it is written.

use std::fmt;
use std::sync::Arc;

use wal_core::{LogId, Lsn, Result, SegmentStore};

use crate::source::Source;
use crate::target::{Frames, Target};
use crate::{Reader, Wal};

/// A copy of a log that is whole and durable; from [`Wal::backup_to`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// The identity of the copy, which is a log of its own.
    pub log: LogId,
    /// The first record, with the LSN it has in the source.
    pub first_lsn: Lsn,
    /// The last record; one less than the first where there is none.
    pub last_lsn: Lsn,
    /// Bytes in all its records.
    pub record_bytes: u64,
}

impl Wal {
    /// Copies every record, from the first through the last one acknowledged at the call, into
    /// `store`, which is empty; beside writers, who are not held up. Meanwhile a
    /// [`Hold`](crate::Hold) named `backup` keeps the records from being pruned.
    ///
    /// Every frame is read, verified and written anew through the log's own
    /// [transform](crate::Builder::transform), where it has one: what is sealed stays sealed. LSNs,
    /// times and frames are the source's, and so a batch stays whole. The copy is a log of its own:
    /// its identity is fresh, and it shares no later record with the source.
    ///
    /// **A backup that ends early does not pass for a whole one**, whether it ends with an error, a
    /// crash or the power: from before the first record until the last one is durable, opening,
    /// surveying or verifying the copy gives [`Corrupt`](wal_core::ErrorKind::Corrupt):
    /// an unfinished copy, with the LSN through which there should be records. (One that ends even
    /// before that leaves an empty store.) The next copy into that store, a backup or a compaction,
    /// deletes the remains, and begins again.
    ///
    /// - [`Invalid`](wal_core::ErrorKind::Invalid): `store` has segments already which are not the
    ///   remains of a copy, and nothing was done; or the log was [truncated](Self::truncate_after)
    ///   meanwhile.
    /// - [`Locked`](wal_core::ErrorKind::Locked): `store` is open for writing.
    /// - Other errors are the source's or the target's storage.
    pub fn backup_to(&self, store: Arc<dyn SegmentStore>) -> Result<Backup> {
        copy(&Source::of_log(self, "backup")?, store)
    }
}

impl Reader {
    /// As [`Wal::backup_to`], of a log as it lies there, through the last record that can be read:
    /// what a recovery would return. Also beside a process that writes it: where that prunes the log
    /// under the copy, it is begun again, with what is there by then.
    ///
    /// The copy gets segments that the largest one of the source fits into. **What went
    /// through a transform comes out plain.**
    pub fn backup_to(&self, store: Arc<dyn SegmentStore>) -> Result<Backup> {
        Source::settled(self, move |source| copy(source, Arc::clone(&store)))
    }
}

fn copy(source: &Source, store: Arc<dyn SegmentStore>) -> Result<Backup> {
    let (first_lsn, last_lsn) = (source.first, source.last);
    let target = Target::begin(store, source.plan(), first_lsn, last_lsn)?;
    let (mut frames, mut record_bytes) = (Frames::default(), 0);
    for entry in source.entries().map_err(|error| source.blame(error))? {
        let entry = entry.map_err(|error| source.blame(error))?;
        record_bytes += entry.payload.len() as u64;
        frames.push(entry, |frame| target.append(frame))?;
    }
    frames.flush(|frame| target.append(frame))?;
    let log = target.log();
    target.finish()?;
    Ok(Backup { log, first_lsn, last_lsn, record_bytes })
}

impl fmt::Display for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, first_lsn, last_lsn, record_bytes } = self;
        if last_lsn < first_lsn {
            return write!(f, "log {log}: no records, LSN {first_lsn} is next");
        }
        write!(f, "log {log}: LSN {first_lsn} to {last_lsn}, {record_bytes} bytes in records")
    }
}
