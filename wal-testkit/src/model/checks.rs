//! The invariants that what a log shows can break, each a function of that name.

use super::invariant::{Check, Invariant, Violation};
use super::payload;
use super::reference::{Pruning, Reference};
use crate::LogUnderTest;
use wal_core::{Error, Lsn};

/// What a log shows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    records: Vec<(Lsn, Vec<u8>)>,
    durable: u64,
}

/// How the log came to be opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// It was closed, or its process died: nothing that was written is lost.
    None,
    Power,
}

/// Whether bytes of the disk were damaged on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rot {
    None,
    /// One byte of a file.
    Byte,
    /// A file that is not the last.
    File,
    /// A block of a log that was closed, or what is behind it.
    Closed,
}

/// Whether a reader was told of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    /// It asked for what is before the damage, or was told of it.
    Damage,
}

impl Found {
    /// Reads the whole log.
    pub(super) fn of(log: &dyn LogUnderTest) -> Result<Self, Error> {
        Ok(Self { records: log.entries(Lsn::FIRST)?, durable: log.durable_lsn().get() })
    }

    fn first(&self) -> Option<u64> {
        self.records.first().map(|(lsn, _)| lsn.get())
    }

    /// What a reader has got that knows nothing of what is durable.
    pub(super) fn read(records: Vec<(Lsn, Vec<u8>)>) -> Self {
        Self { records, durable: 0 }
    }

    /// The last record; what the log says where it shows none.
    fn last(&self) -> u64 {
        self.records.last().map_or(self.durable, |(lsn, _)| lsn.get())
    }

    /// The first and the last record.
    pub(super) fn extent(&self) -> (u64, u64) {
        (self.first().unwrap_or(self.last() + 1), self.last())
    }
}

impl Reference {
    /// Checks what a recovery found, and takes it for the log from here on.
    pub(super) fn recovered(&mut self, found: &Found, crash: Crash, rot: Rot) -> Check {
        self.i2_dense(found)?;
        self.i3_no_phantom(found)?;
        self.i5_idempotent(found, crash)?;
        match rot {
            Rot::None => self.i1_durable_ack(found)?,
            Rot::Byte => self.i7_loud_corruption(found, self.vouched)?,
            Rot::File => self.i7_loud_corruption(found, self.claimed)?,
            Rot::Closed => self.i7_loud_corruption(found, self.last())?,
        }
        if rot == Rot::None {
            self.i2_batches(found)?;
        }
        self.i4_next_lsn(found)?;
        self.i9_retention(found)?;
        let (first, last) = found.extent();
        self.adopts(first..=first, last);
        Ok(())
    }

    /// Checks what a reader of the open log got.
    pub(super) fn read(&mut self, found: &Found) -> Check {
        self.i2_dense(found)?;
        self.i3_no_phantom(found)?;
        self.i8_durable_reads(found)?;
        self.i9_retention(found)?;
        if let Some(first) = found.first()
            && self.pruning == Pruning::No
        {
            self.first = first..=first;
        }
        self.observed = self.observed.max(found.last());
        Ok(())
    }

    /// Checks what another process has read of the log as it lies there.
    pub(super) fn looked_at(&self, found: &Found) -> Check {
        self.i2_dense(found)?;
        self.i3_no_phantom(found)?;
        if self.truncating.is_empty() {
            self.i8_durable_reads(found)?;
            self.i9_retention(found)?;
        }
        Ok(())
    }

    /// Checks what a reader has got of a damaged log: what was appended, in order and not overruled; where it
    /// was not told of the damage, all of it.
    pub(super) fn read_damaged(&self, found: &Found, told: Told, rot: Rot) -> Check {
        self.i2_dense(found)?;
        self.i3_no_phantom(found)?;
        let floor = match (told, rot) {
            (Told::Nothing, Rot::Byte) => self.vouched,
            (Told::Nothing, Rot::File | Rot::Closed) => self.acknowledged,
            _ => return Ok(()),
        };
        let last = found.records.last().map_or(0, |(lsn, _)| lsn.get());
        let none = found.records.is_empty() && floor < *self.first.end();
        Invariant::LoudCorruption.holds(last >= floor || none, || {
            format!(
                "a reader of a damaged log got records up to {last} without a word, not {floor}"
            )
        })
    }

    /// I1, and I4 and I8 for what was shown or said: all of it is there.
    fn i1_durable_ack(&self, found: &Found) -> Check {
        let last = found.last();
        if self.truncating.contains(&last) {
            return Ok(());
        }
        for (invariant, floor, why) in [
            (Invariant::DurableAck, self.acknowledged, "was acknowledged"),
            (Invariant::ObservedIsDurable, self.observed, "was shown before"),
            (Invariant::DurableReads, self.claimed, "was said to be durable"),
        ] {
            invariant.holds(last >= floor, || {
                format!("the log ends with record {last}, and {floor} {why}")
            })?;
        }
        Ok(())
    }

    fn i2_dense(&self, found: &Found) -> Check {
        let _ = self;
        let first = found.first().unwrap_or(0);
        for ((lsn, _), wanted) in found.records.iter().zip(first..) {
            Invariant::Prefix.holds(lsn.get() == wanted, || {
                format!("record {lsn} is where {wanted} was to be, in a log from {first} on")
            })?;
        }
        Ok(())
    }

    fn i2_batches(&self, found: &Found) -> Check {
        let last = found.last();
        let Some(record) = self.record(last) else { return Ok(()) };
        let whole = record.batch_end == last || self.truncating.contains(&last);
        Invariant::Prefix.holds(whole, || {
            let end = record.batch_end;
            format!(
                "the log ends with record {last}, in the middle of a batch that ends with {end}"
            )
        })
    }

    fn i3_no_phantom(&self, found: &Found) -> Check {
        for (lsn, payload) in &found.records {
            let lsn = lsn.get();
            let Some(record) = self.record(lsn) else {
                let (last, named) = (self.last(), payload::named(payload));
                return Err(phantom(format!("record {lsn} ({named}) is behind the end, {last}")));
            };
            if *payload != payload::of(lsn, record.generation, record.length) {
                let (named, length) = (payload::named(payload), record.length);
                let history = record.generation;
                return Err(phantom(format!(
                    "record {lsn} is {named}, wanted {length} bytes of history {history}"
                )));
            }
        }
        Ok(())
    }

    /// Also where the first recovery was cut short: then nothing was shown, and I1 to I3 hold the
    /// second to the same; the exhaustive search compares the two.
    fn i5_idempotent(&self, found: &Found, crash: Crash) -> Check {
        let Some(settled) = self.settled else { return Ok(()) };
        let again = found.extent();
        Invariant::Idempotent.holds(crash == Crash::Power || settled == again, || {
            format!("a recovery found {settled:?}, and the next one {again:?}")
        })
    }

    fn i4_next_lsn(&self, found: &Found) -> Check {
        let (durable, last) = (found.durable, found.last());
        let known = last <= self.last();
        Invariant::ObservedIsDurable.holds(durable == last && known, || {
            format!("a recovered log ends with record {last}, and says {durable}")
        })
    }

    /// Less than the whole may be found only where nothing vouches for the rest: it is the very
    /// last flush, and one damaged byte makes it look torn.
    fn i7_loud_corruption(&self, found: &Found, floor: u64) -> Check {
        let last = found.last();
        Invariant::LoudCorruption.holds(last >= floor || self.truncating.contains(&last), || {
            format!("after damage the log ends with record {last} without a word, not with {floor}")
        })
    }

    fn i8_durable_reads(&self, found: &Found) -> Check {
        let last = found.records.last().map_or(0, |(lsn, _)| lsn.get());
        let wanted = self.acknowledged.max(self.claimed);
        let none = found.records.is_empty() && wanted < *self.first.end();
        Invariant::DurableReads.holds(last >= wanted || none, || {
            format!("a reader got records up to {last}, and {wanted} is durable")
        })
    }

    fn i9_retention(&self, found: &Found) -> Check {
        let (first, _) = found.extent();
        let none = found.records.is_empty();
        let right = self.first.contains(&first) || (none && first <= *self.first.end());
        Invariant::Retention.holds(right, || {
            let (low, high) = (self.first.start(), self.first.end());
            format!("the log begins with record {first}, wanted none before {low}, all from {high}")
        })
    }

    fn record(&self, lsn: u64) -> Option<&super::reference::Record> {
        self.records.get(usize::try_from(lsn).ok()?.checked_sub(1)?)
    }
}

fn phantom(saw: String) -> Violation {
    Invariant::NoPhantom.broken(saw)
}
