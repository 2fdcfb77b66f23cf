//! [`Model`]: what was done to a log, and so what may be found in it.

use wal::{Lsn, Result, Wal};

/// The records a log was given in its current history. Payloads differ by number and by generation,
/// so that a record of a history that was cut off is told from the one that took its number.
#[derive(Default)]
pub(crate) struct Model {
    generation: u32,
    /// The record with the LSN `n` at `n - 1`.
    records: Vec<Vec<u8>>,
    /// First and last record of each batch.
    batches: Vec<(u64, u64)>,
    /// The last record that a power cut must leave.
    durable: u64,
    /// The last record that a kill must leave.
    written: u64,
    /// The last record that any promise holds for: a truncation behind it was begun.
    promised_through: u64,
    /// No record before this one may be seen.
    pruned_before: u64,
    /// Every record from this one on must be seen.
    kept_from: u64,
}

/// The first and the last record of a log; the last is one less where there is none.
pub(crate) type Found = (u64, u64);

impl Model {
    /// A log without records.
    pub(crate) fn new() -> Self {
        Self { promised_through: u64::MAX, pruned_before: 1, kept_from: 1, ..Self::default() }
    }

    pub(crate) fn last(&self) -> u64 {
        self.records.len() as u64
    }

    /// The first record that may be pruned away, cut or read.
    pub(crate) fn first(&self) -> u64 {
        self.kept_from
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable
    }

    /// The payload of the `ahead`-th record behind the last, of at least so many bytes.
    pub(crate) fn compose(&self, ahead: u64, len: usize) -> Vec<u8> {
        let number = self.last() + ahead;
        let mut payload = format!("{}/{number}:", self.generation).into_bytes();
        // Every third one is for a transform that makes runs of zeros shorter.
        let fill = |at| {
            if number.is_multiple_of(3) { 0 } else { (at as u64 * 7 + number).to_le_bytes()[0] }
        };
        let fill = (payload.len()..len).map(fill);
        payload.extend(fill);
        payload
    }

    /// These records were staged, together.
    pub(crate) fn staged(&mut self, payloads: Vec<Vec<u8>>) {
        let first = self.last() + 1;
        self.records.extend(payloads);
        self.batches.push((first, self.last()));
    }

    /// What is through `lsn` survives a power cut.
    pub(crate) fn is_durable(&mut self, lsn: u64) {
        self.durable = self.durable.max(lsn.min(self.promised_through));
        self.is_written(lsn);
    }

    /// What is through `lsn` survives a kill.
    pub(crate) fn is_written(&mut self, lsn: u64) {
        self.written = self.written.max(lsn.min(self.promised_through));
    }

    /// What is before `lsn` may go.
    pub(crate) fn may_prune(&mut self, lsn: u64) {
        self.kept_from = self.kept_from.max(lsn);
    }

    /// The log begins at `lsn` now.
    pub(crate) fn pruned(&mut self, lsn: u64) {
        assert!((self.pruned_before..=self.kept_from).contains(&lsn), "pruned up to {lsn}");
        (self.pruned_before, self.kept_from) = (lsn, lsn);
    }

    /// What is behind `lsn` may go.
    pub(crate) fn may_truncate(&mut self, lsn: u64) {
        self.promised_through = self.promised_through.min(lsn);
        self.durable = self.durable.min(lsn);
        self.written = self.written.min(lsn);
    }

    /// What is behind `lsn` is gone, and all before it is durable.
    pub(crate) fn truncated(&mut self, lsn: u64) {
        self.may_truncate(lsn);
        self.records.truncate(usize::try_from(lsn).unwrap_or(usize::MAX));
        self.batches.retain(|&(_, last)| last <= lsn);
        self.generation += 1;
        self.promised_through = u64::MAX;
        self.is_durable(lsn);
    }

    /// Only what is durable has survived for certain.
    pub(crate) fn power_failed(&mut self) {
        self.written = self.durable;
    }

    /// Holds where what the log shows may be in it, and all that must be is.
    pub(crate) fn check(&self, wal: &Wal) -> Result<Found> {
        let first = wal.first_lsn().get();
        let mut next = first;
        for entry in wal.read_from(Lsn::new(first))? {
            let entry = entry?;
            let lsn = entry.lsn.get();
            assert_eq!(lsn, next, "LSNs are not dense");
            let wanted = self.record(lsn);
            assert!(wanted == Some(&entry.payload[..]), "record {lsn} is another one");
            next += 1;
        }
        let last = next - 1;
        assert!(last >= self.written, "ends at {last}, and {} was acknowledged", self.written);
        let begins = self.pruned_before..=self.kept_from;
        assert!(begins.contains(&first), "begins at {first}, wanted {begins:?}");
        Ok((first, last))
    }

    /// As [`check`](Self::check), on a log that has just been recovered: what it shows is what there
    /// is from here on, and may not go again. Batches are whole.
    pub(crate) fn adopt(&mut self, wal: &Wal) -> Result<Found> {
        let (first, last) = self.check(wal)?;
        assert_eq!(wal.last_lsn().get(), last, "the log ends elsewhere than its records");
        let torn = self.batches.iter().find(|&&(first, end)| first <= last && last < end);
        // A truncation that was begun may be inside of one, and may have come to pass.
        assert!(
            torn.is_none() || last == self.promised_through,
            "ends at {last}, within the batch {torn:?}"
        );
        self.truncated(last);
        self.pruned(first);
        Ok((first, last))
    }

    /// The record with this LSN.
    pub(crate) fn record(&self, lsn: u64) -> Option<&[u8]> {
        let index = usize::try_from(lsn.checked_sub(1)?).ok()?;
        self.records.get(index).map(Vec::as_slice)
    }
}
