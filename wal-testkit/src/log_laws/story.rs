//! [`Story`]: what was done to a log, and so what may be found in it.

use std::ops::RangeInclusive;

use wal_core::{Lsn, Result};

use crate::law::{Saw, saw};
use crate::log_under_test::TracedLog;

/// The records a log was given in its current history. Payloads differ by number and by
/// generation, so that a record of a history that was cut off is told from the one that took its
/// number.
#[derive(Debug)]
pub(super) struct Story {
    generation: u32,
    records: Vec<Vec<u8>>,
    batches: Vec<RangeInclusive<u64>>,
    /// The last record that was acknowledged, or shown by a recovery.
    acknowledged: u64,
    /// The first record that must be there, were it to be durable.
    kept_from: u64,
    /// No record before this one may be seen.
    pruned_before: u64,
    /// An LSN that was not the one after the last.
    wrong: Option<String>,
}

/// The first and the last record a reader got; 0 where there was none.
pub(super) type Found = (u64, u64);

impl Story {
    pub(super) fn new() -> Self {
        Self {
            generation: 0,
            records: Vec::new(),
            batches: Vec::new(),
            acknowledged: 0,
            kept_from: 1,
            pruned_before: 1,
            wrong: None,
        }
    }

    /// The last record that was given to the log, whether it took it or not.
    pub(super) fn last(&self) -> u64 {
        self.records.len() as u64
    }

    /// The record that was given to the log last.
    pub(super) fn newest(&self) -> &[u8] {
        self.records.last().map_or(&[], Vec::as_slice)
    }

    /// The next payload, of at least so many bytes.
    fn compose(&mut self, length: usize) -> Vec<u8> {
        let number = self.last() + 1;
        let mut payload = format!("{}/{number}:", self.generation).into_bytes();
        while payload.len() < length {
            payload.push((payload.len() as u64 * 7 + number).to_le_bytes()[0]);
        }
        self.records.push(payload.clone());
        payload
    }

    /// Appends a record of about this length. One that is refused may be found or not.
    pub(super) fn append(&mut self, log: &TracedLog, length: usize) -> Result<Lsn> {
        let payload = self.compose(length);
        let lsn = log.append(&payload)?;
        self.numbered(lsn);
        Ok(lsn)
    }

    /// Appends a record of exactly these bytes.
    pub(super) fn append_bytes(&mut self, log: &TracedLog, payload: Vec<u8>) -> Result<Lsn> {
        let lsn = log.append(&payload)?;
        self.records.push(payload);
        self.numbered(lsn);
        Ok(lsn)
    }

    pub(super) fn append_batch(
        &mut self,
        log: &TracedLog,
        count: u64,
        length: usize,
    ) -> Result<Lsn> {
        let first = self.last() + 1;
        let payloads: Vec<_> = (0..count).map(|_| self.compose(length)).collect();
        self.batches.push(first..=self.last());
        let lsn = log.append_batch(&payloads)?;
        self.numbered(lsn);
        Ok(lsn)
    }

    pub(super) fn wait(&mut self, log: &TracedLog, lsn: Lsn) -> Result<()> {
        log.wait(lsn)?;
        self.acknowledged = self.acknowledged.max(lsn.get());
        Ok(())
    }

    pub(super) fn sync(&mut self, log: &TracedLog) -> Result<()> {
        let last = self.last();
        log.sync()?;
        self.acknowledged = last;
        Ok(())
    }

    /// Appends a record and waits for it.
    pub(super) fn commit(&mut self, log: &TracedLog, length: usize) -> Result<Lsn> {
        let lsn = self.append(log, length)?;
        self.wait(log, lsn)?;
        Ok(lsn)
    }

    /// Everything was made durable.
    pub(super) fn closed(&mut self) {
        self.acknowledged = self.last();
    }

    /// What is through `lsn` counts as acknowledged.
    pub(super) fn trusts(&mut self, durable: Lsn) {
        self.acknowledged = self.acknowledged.max(durable.get());
    }

    /// What is before `lsn` may go.
    pub(super) fn prunes_before(&mut self, lsn: Lsn) {
        self.kept_from = self.kept_from.max(lsn.get());
    }

    /// What is after `lsn` may go.
    pub(super) fn truncates_after(&mut self, lsn: Lsn) {
        self.acknowledged = self.acknowledged.min(lsn.get());
    }

    /// What is after `lsn` is gone, and a new history begins.
    pub(super) fn truncated_after(&mut self, lsn: Lsn) {
        self.truncates_after(lsn);
        self.records.truncate(usize::try_from(lsn.get()).unwrap_or(usize::MAX));
        self.batches.retain(|batch| *batch.end() <= lsn.get());
        self.generation += 1;
    }

    /// Holds where what a reader gets may be in the log, and all that must be is.
    pub(super) fn check(&self, log: &TracedLog) -> Result<Found, Saw> {
        self.check_entries(&log.entries(Lsn::FIRST)?)
    }

    /// As [`check`](Self::check), of what a reader got from the first record on.
    pub(super) fn check_entries(&self, entries: &[(Lsn, Vec<u8>)]) -> Result<Found, Saw> {
        if let Some(wrong) = &self.wrong {
            return Err(Saw::new(wrong.clone()));
        }
        let first = entries.first().map_or(0, |(lsn, _)| lsn.get());
        for ((lsn, payload), wanted) in entries.iter().zip(first..) {
            saw("the LSN of a record read", lsn.get(), wanted)?;
            self.check_record(lsn.get(), payload)?;
        }
        let last = entries.last().map_or(0, |(lsn, _)| lsn.get());
        if last < self.acknowledged {
            let acknowledged = self.acknowledged;
            return Err(Saw::new(format!(
                "records end at {last}, and {acknowledged} was acknowledged or shown before"
            )));
        }
        if !entries.is_empty() && !(self.pruned_before..=self.kept_from).contains(&first) {
            let (pruned, kept) = (self.pruned_before, self.kept_from);
            return Err(Saw::new(format!(
                "records begin at {first}, wanted none before {pruned} and all from {kept} on"
            )));
        }
        match self.batches.iter().find(|batch| batch.contains(&last) && *batch.end() != last) {
            Some(batch) => {
                Err(Saw::new(format!("records end at {last}, within the batch {batch:?}")))
            }
            None => Ok((first, last)),
        }
    }

    /// As [`check`](Self::check); from here on what was found is what the log holds, and may not
    /// go again.
    pub(super) fn adopt(&mut self, log: &TracedLog) -> Result<Found, Saw> {
        let (first, last) = self.check(log)?;
        self.truncated_after(Lsn::new(last));
        self.acknowledged = last;
        self.pruned_before = self.pruned_before.max(first);
        Ok((first, last))
    }

    fn check_record(&self, lsn: u64, payload: &[u8]) -> Result<(), Saw> {
        let index = usize::try_from(lsn).unwrap_or(usize::MAX).wrapping_sub(1);
        let Some(wanted) = self.records.get(index) else {
            let what = format!("record {lsn} is there, and the log ends at {}", self.last());
            return Err(Saw::new(what));
        };
        if payload == wanted {
            return Ok(());
        }
        let (seen, wanted) = (shown(payload), shown(wanted));
        Err(Saw::new(format!("record {lsn} is {seen}, wanted {wanted} (generation/number)")))
    }

    fn numbered(&mut self, lsn: Lsn) {
        let wanted = self.last();
        if lsn.get() != wanted && self.wrong.is_none() {
            self.wrong = Some(format!("an append was numbered {lsn}, wanted {wanted}"));
        }
    }
}

fn shown(payload: &[u8]) -> String {
    let name = payload.split(|&byte| byte == b':').next().unwrap_or(&[]);
    let name = String::from_utf8_lossy(&name[..name.len().min(16)]);
    format!("{name:?} of {} bytes", payload.len())
}
