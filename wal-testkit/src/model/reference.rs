//! [`Reference`]: what a log must hold, by what was done to it.

use std::ops::RangeInclusive;

use wal_core::{Error, ErrorKind, Lsn, Result};

use super::invariant::{Check, Invariant};
use super::payload;

/// Bytes. Shorter records may be found by chance.
const TOLD: u32 = 20;

/// A log as it should be: what was appended at each LSN of the current history, what of it must be
/// there, and what may be.
///
/// A *history* ends where records are cut off, by a truncation or because a crash lost them: the
/// next record of that LSN has other bytes, and the old one may never be seen again.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) generation: u32,
    /// From LSN 1 on, also those pruned.
    pub(super) records: Vec<Record>,
    /// The log begins in here: with the lower one, unless a prune got as far as the upper.
    pub(super) first: RangeInclusive<u64>,
    /// The last record that a wait, a sync or a close has acknowledged.
    pub(super) acknowledged: u64,
    /// The last record that a recovery or a reader has shown.
    pub(super) observed: u64,
    /// The last record that the log has said is durable.
    pub(super) claimed: u64,
    /// What it had said before its last flush: what the frames of that flush vouch for.
    pub(super) vouched: u64,
    /// Truncations after these records have begun, and nobody knows which of them happened.
    pub(super) truncating: Vec<u64>,
    /// Whether a prune has begun, and nobody knows whether it happened.
    pub(super) pruning: Pruning,
    /// How far the log was durable when a write or a sync of this handle failed.
    pub(super) failed_at: Option<u64>,
    /// What the last recovery found, where nothing was changed since.
    pub(super) settled: Option<(u64, u64)>,
}

/// One record of the current history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) generation: u32,
    pub(super) length: u32,
    /// The last record of its batch: itself, where it was appended alone.
    pub(super) batch_end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pruning {
    No,
    Unknown,
}

impl Reference {
    /// An empty log.
    pub(super) fn new() -> Self {
        Self {
            generation: 0,
            records: Vec::new(),
            first: 1..=1,
            acknowledged: 0,
            observed: 0,
            claimed: 0,
            vouched: 0,
            truncating: Vec::new(),
            pruning: Pruning::No,
            failed_at: None,
            settled: None,
        }
    }

    /// The last record appended in this history.
    pub(super) fn last(&self) -> u64 {
        self.records.len() as u64
    }

    /// The next records to append.
    pub(super) fn compose(&self, count: u32, length: u32) -> Vec<Vec<u8>> {
        let next = self.last() + 1;
        let all = next..next + u64::from(count);
        all.map(|lsn| payload::of(lsn, self.generation, length)).collect()
    }

    /// These records, as far as they are there to be found and long enough to be told from others.
    pub(super) fn payloads(
        &self,
        lsns: RangeInclusive<u64>,
    ) -> impl Iterator<Item = (u64, Vec<u8>)> {
        let kept = *lsns.start().max(self.first.end())..=*lsns.end();
        kept.filter_map(|lsn| {
            let record = self.records.get(usize::try_from(lsn).ok()?.checked_sub(1)?)?;
            let told = record.length >= TOLD && !payload::is_blank(lsn, record.generation);
            told.then(|| (lsn, payload::of(lsn, record.generation, record.length)))
        })
    }

    /// Records of this length were offered to the log, and this is what it said.
    pub(super) fn appended(&mut self, count: u32, length: u32, said: &Result<Lsn>) -> Check {
        let before = self.last();
        let last = before + u64::from(count);
        if let Err(error) = said
            && (refused(error) || error.kind() == ErrorKind::Poisoned)
        {
            return Ok(());
        }
        self.settled = None;
        if said.is_ok() {
            Invariant::Poison.holds(
                self.failed_at.is_none(),
                || "an append after the log had failed was accepted",
            )?;
            self.truncating.clear();
        }
        let record = Record { generation: self.generation, length, batch_end: last };
        self.records.extend((before..last).map(|_| record));
        match said {
            Ok(lsn) => Invariant::ObservedIsDurable.holds(lsn.get() == last, || {
                format!("an append was numbered {lsn}, and the LSN after {before} is the next")
            }),
            Err(_) => Ok(()),
        }
    }

    /// Everything through `lsn` was acknowledged.
    pub(super) fn acknowledges(&mut self, lsn: u64) -> Check {
        Invariant::Poison.holds(self.failed_at.is_none_or(|durable| lsn <= durable), || {
            format!("record {lsn} was acknowledged after the log had failed")
        })?;
        self.acknowledged = self.acknowledged.max(lsn);
        self.settled = None;
        Ok(())
    }

    /// A call that makes records durable failed, with the log durable through `durable`: unless it was
    /// only turned down, this is the end of the handle.
    pub(super) fn failed(&mut self, error: &Error, durable: Lsn) {
        if error.kind() == ErrorKind::StorageFull || !refused(error) {
            self.failed_at.get_or_insert(durable.get());
        }
        self.settled = None;
    }

    /// The log says that it is durable through `durable`.
    pub(super) fn claims(&mut self, durable: Lsn) -> Check {
        let (durable, last) = (durable.get(), self.last());
        Invariant::DurableReads.holds(durable >= self.claimed, || {
            format!("the durable LSN went from {} back to {durable}", self.claimed)
        })?;
        Invariant::DurableReads.holds(durable <= last, || {
            format!("the durable LSN is {durable}, and the last record is {last}")
        })?;
        Invariant::Poison.holds(self.failed_at.is_none_or(|failed| durable <= failed), || {
            format!("the durable LSN grew to {durable} after the log had failed")
        })?;
        if durable > self.claimed {
            self.vouched = self.claimed;
            self.claimed = durable;
        }
        Ok(())
    }

    /// What is before `lsn` may go from now on.
    pub(super) fn prunes_before(&mut self, lsn: u64) {
        let (low, high) = (*self.first.start(), *self.first.end());
        self.first = low..=high.max(lsn);
        self.pruning = Pruning::Unknown;
        self.settled = None;
    }

    /// What is before `lsn` has gone, as far as it could. An earlier prune that failed and wanted more
    /// is still not known to have failed for good.
    pub(super) fn pruned(&mut self, lsn: u64) {
        if lsn >= *self.first.end() {
            self.pruning = Pruning::No;
        }
    }

    /// What is behind `lsn` may go from now on.
    pub(super) fn truncates_after(&mut self, lsn: u64) {
        self.truncating.push(lsn);
        self.settled = None;
    }

    /// What is behind `lsn` is gone, and a new history begins.
    pub(super) fn truncated_after(&mut self, lsn: u64) {
        self.truncating.clear();
        self.acknowledged = self.acknowledged.min(lsn);
        self.observed = self.observed.min(lsn);
        self.claimed = self.claimed.min(lsn);
        self.vouched = self.vouched.min(lsn);
        self.ends_at(lsn);
    }

    /// The last truncation was refused, and did nothing.
    pub(super) fn truncation_refused(&mut self) {
        self.truncating.pop();
    }

    /// Whether this handle may have failed in the middle of a truncation.
    pub(super) fn half_truncated(&self) -> bool {
        !self.truncating.is_empty()
    }

    /// The handle is gone.
    pub(super) fn goes_down(&mut self) {
        self.failed_at = None;
    }

    /// From here on the log is what a recovery found of it.
    pub(super) fn adopts(&mut self, first: RangeInclusive<u64>, last: u64) {
        self.ends_at(last);
        self.acknowledged = self.acknowledged.min(last);
        // A seal that a recovery has seen may have been in the cache only: it vouches for nothing.
        self.vouched = self.vouched.min(last);
        (self.observed, self.claimed) = (last, last);
        self.settled = Some((*first.start(), last));
        self.first = first;
        self.truncating.clear();
        self.pruning = Pruning::No;
    }

    fn ends_at(&mut self, lsn: u64) {
        self.records.truncate(usize::try_from(lsn).unwrap_or(usize::MAX));
        for record in self.records.iter_mut().rev().take_while(|record| record.batch_end > lsn) {
            record.batch_end = lsn;
        }
        self.generation += 1;
    }
}

/// Whether a call was turned down before it did anything.
fn refused(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Invalid | ErrorKind::Backpressure | ErrorKind::StorageFull | ErrorKind::Locked
    )
}
