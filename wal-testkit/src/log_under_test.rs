//! [`LogUnderTest`]: what the laws for a whole log ask of it.

use std::fmt;

use wal_core::{Lsn, Result};

use crate::History;

/// A log, as far as [`log_laws!`](crate::log_laws) look at it. Whoever tests a log implements it
/// in a few lines there.
///
/// The log is to be set up so that an acknowledgement means *durable*, and with the smallest
/// segments it can have, so that the laws cross from one to the next.
pub trait LogUnderTest: Send + Sync + fmt::Debug {
    /// Appends a record and gives its LSN. An error says that the record was not taken; where
    /// appending is also committing, and the commit fails, [`wait`](Self::wait) is the one to say
    /// so.
    fn append(&self, payload: &[u8]) -> Result<Lsn>;

    /// Appends records that are found again all or not at all, and gives the LSN of the last.
    fn append_batch(&self, payloads: &[Vec<u8>]) -> Result<Lsn>;

    /// Returns once the record is durable.
    fn wait(&self, lsn: Lsn) -> Result<()>;

    /// Returns once every record appended before is durable.
    fn sync(&self) -> Result<()>;

    /// The last record known to be durable.
    fn durable_lsn(&self) -> Lsn;

    /// The records a reader gets, from `from` on or, where that is pruned, from the first there is.
    /// All durable ones; whether others are among them is the log's choice.
    fn entries(&self, from: Lsn) -> Result<Vec<(Lsn, Vec<u8>)>>;

    /// Gives up the records before `lsn`; the log may keep some, as long as there is no gap.
    fn prune_before(&self, lsn: Lsn) -> Result<()>;

    /// Gives up the records after `lsn`, all of them, durably when it returns.
    fn truncate_after(&self, lsn: Lsn) -> Result<()>;

    /// Makes durable what was appended, and closes.
    fn close(self: Box<Self>) -> Result<()>;
}

/// A log whose calls are written down in a [`History`].
///
/// Records that were there before the law began are not seen by it: the LSNs are those of the law,
/// from 1 on.
#[derive(Debug)]
pub(crate) struct TracedLog {
    log: Box<dyn LogUnderTest>,
    hidden: u64,
    history: History,
}

impl TracedLog {
    pub(crate) fn new(log: Box<dyn LogUnderTest>, hidden: u64, history: History) -> Self {
        Self { log, hidden, history }
    }

    pub(crate) fn append(&self, payload: &[u8]) -> Result<Lsn> {
        let lsn = self.log.append(payload).map(|lsn| self.seen(lsn));
        self.history.call(numbered(&format!("append {} bytes", payload.len()), &lsn), lsn)
    }

    pub(crate) fn append_batch(&self, payloads: &[Vec<u8>]) -> Result<Lsn> {
        let lsn = self.log.append_batch(payloads).map(|lsn| self.seen(lsn));
        let what = format!("append a batch of {}", payloads.len());
        self.history.call(numbered(&what, &lsn), lsn)
    }

    pub(crate) fn wait(&self, lsn: Lsn) -> Result<()> {
        self.history.call(format!("wait for {lsn}"), self.log.wait(self.real(lsn)))
    }

    pub(crate) fn sync(&self) -> Result<()> {
        self.history.call("sync", self.log.sync())
    }

    pub(crate) fn durable_lsn(&self) -> Lsn {
        self.seen(self.log.durable_lsn())
    }

    pub(crate) fn entries(&self, from: Lsn) -> Result<Vec<(Lsn, Vec<u8>)>> {
        let entries = self.log.entries(self.real(from)).map(|entries| {
            let seen = entries.into_iter().map(|(lsn, payload)| (self.seen(lsn), payload));
            seen.collect::<Vec<_>>()
        });
        let count = entries.as_ref().map_or(0, Vec::len);
        self.history.call(format!("read from {from}: {count} records"), entries)
    }

    pub(crate) fn prune_before(&self, lsn: Lsn) -> Result<()> {
        self.history.call(format!("prune before {lsn}"), self.log.prune_before(self.real(lsn)))
    }

    pub(crate) fn truncate_after(&self, lsn: Lsn) -> Result<()> {
        self.history.call(format!("truncate after {lsn}"), self.log.truncate_after(self.real(lsn)))
    }

    pub(crate) fn close(self) -> Result<()> {
        self.history.call("close", self.log.close())
    }

    fn real(&self, lsn: Lsn) -> Lsn {
        Lsn::new(lsn.get().saturating_add(self.hidden))
    }

    fn seen(&self, lsn: Lsn) -> Lsn {
        Lsn::new(lsn.get().saturating_sub(self.hidden))
    }
}

fn numbered(what: &str, lsn: &Result<Lsn>) -> String {
    lsn.as_ref().map_or_else(|_| what.to_owned(), |lsn| format!("{what} as {lsn}"))
}
