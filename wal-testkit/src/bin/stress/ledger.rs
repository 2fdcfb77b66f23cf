//! [`Ledger`]: what is known of a log, and whether what is found fits it.

use std::collections::{BTreeMap, HashMap, HashSet};

use wal::{Lsn, Wal};

use crate::payload::Name;

/// What a life tells while it goes on.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// `count` records of one thread, the first with this LSN and name, were acknowledged.
    Acknowledged { lsn: u64, count: u32, name: Name },
    /// The log may begin as late as at this LSN from now on.
    Pruning(u64),
    /// The log begins here.
    Pruned(u64),
    /// The log may end with this LSN from now on.
    Truncating(u64),
    /// The log ends with this LSN.
    Truncated(u64),
    /// What must not happen.
    Wrong(String),
}

/// What is known of a log.
#[derive(Debug)]
pub(crate) struct Ledger {
    seed: u64,
    /// What was acknowledged, or seen after an opening.
    known: BTreeMap<u64, Name>,
    /// Where the log begins at the earliest, and at the latest.
    begins: (u64, u64),
    /// A truncation that was begun, and may have been done.
    cut: Option<u64>,
    wrong: Vec<String>,
}

impl Ledger {
    /// The ledger of a log that is not there yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, known: BTreeMap::new(), begins: (1, 1), cut: None, wrong: Vec::new() }
    }

    pub(crate) fn note(&mut self, event: Event) {
        match event {
            Event::Acknowledged { lsn, count, name } => {
                for turn in 0..count {
                    let name = Name { number: name.number + turn, ..name };
                    self.acknowledged(lsn + u64::from(turn), name);
                }
            }
            Event::Pruning(lsn) => self.begins.1 = self.begins.1.max(lsn),
            Event::Pruned(first) => {
                self.begins.0 = self.begins.0.max(first);
                self.known = self.known.split_off(&first);
            }
            Event::Truncating(last) => self.cut = Some(last),
            Event::Truncated(last) => {
                self.cut = None;
                self.known.split_off(&(last + 1));
            }
            Event::Wrong(what) => self.wrong.push(what),
        }
    }

    /// What went wrong so far.
    pub(crate) fn wrong(&mut self) -> Result<(), String> {
        let wrong = std::mem::take(&mut self.wrong);
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// Compares a log that was just opened with what is known, record by record. What it holds is
    /// known from then on.
    pub(crate) fn compare(&mut self, wal: &Wal) -> Result<(), String> {
        let (first, last) = (wal.first_lsn().get(), wal.last_lsn().get());
        if first < self.begins.0 || first > self.begins.1 {
            let (earliest, latest) = self.begins;
            return Err(format!("the log begins at {first}, not from {earliest} to {latest}"));
        }
        if let Some(cut) = self.cut.take()
            && last == cut
        {
            self.known.split_off(&(cut + 1));
        }
        let found = self.read(wal, first)?;
        let ends = found.len() as u64 + first - 1;
        if ends != last {
            return Err(format!("the log says that it ends with {last}, and ends with {ends}"));
        }
        let gone: Vec<u64> =
            self.known.range(first..).map(|(lsn, _)| *lsn).filter(|lsn| *lsn > last).collect();
        if let (Some(from), Some(to)) = (gone.first(), gone.last()) {
            let records = gone.len();
            return Err(format!(
                "LOST: acknowledged through {to}, the log ends with {last}: {records} records from \
                 {from} on"
            ));
        }
        for (lsn, name) in self.known.range(first..) {
            let there = found[usize::try_from(lsn - first).unwrap_or(usize::MAX)];
            if there != *name {
                return Err(format!("LOST: {name:?} was acknowledged as {lsn}; now {there:?}"));
            }
        }
        self.begins.0 = first;
        self.known = (first..).zip(found).collect();
        Ok(())
    }

    fn acknowledged(&mut self, lsn: u64, name: Name) {
        if lsn < self.begins.0 {
            return;
        }
        if let Some(other) = self.known.insert(lsn, name)
            && other != name
        {
            self.wrong.push(format!("{lsn} was given to {other:?} and to {name:?}"));
        }
    }

    /// The records of the log, which are whole, in order, and each there once.
    fn read(&self, wal: &Wal, first: u64) -> Result<Vec<Name>, String> {
        let mut found = Vec::new();
        let (mut all, mut newest) = (HashSet::new(), HashMap::new());
        let cursor = wal.read_from(Lsn::new(first)).map_err(|error| format!("{error:?}"))?;
        for entry in cursor {
            let next = first + found.len() as u64;
            let entry = entry.map_err(|error| format!("reading stops before {next}: {error:?}"))?;
            if entry.lsn.get() != next {
                return Err(format!("{} follows {}", entry.lsn, next - 1));
            }
            let name = Name::read(self.seed, &entry.payload)
                .map_err(|what| format!("record {next}: {what}"))?;
            if !all.insert(name) {
                return Err(format!("record {next}: {name:?} is there twice"));
            }
            if let Some(before) = newest.insert((name.life, name.thread), name.number)
                && before > name.number
            {
                return Err(format!("record {next}: {name:?} is behind number {before}"));
            }
            found.push(name);
        }
        Ok(found)
    }
}
