//! [`Past`]: the entries of a log by seed, and [`State`], what they are applied to.

use std::collections::BTreeMap;

use wal_core::{
    Applications, Entry, Error, ErrorKind, Lsn, Position, ReplayTarget, Result, Scope, SegmentId,
};

use crate::chance::Chance;
use crate::law::Saw;

/// What happened in a log: entries with keys, and barriers among them.
pub(super) struct Past(Vec<Entry>);

/// The first byte of a payload: what the entry is.
const PUT: u8 = 0;
const BARRIER: u8 = 1;
const PASSED_OVER: u8 = 2;

impl Past {
    /// So many entries: few keys or many, barriers seldom or often, from the first LSN or a later
    /// one.
    pub(super) fn new(seed: u64, count: usize) -> Self {
        let mut chance = Chance::new(seed);
        let keys = [1, 3, 40][chance.below(3) as usize];
        let barriers = [0, 20, 3][chance.below(3) as usize];
        let first = if chance.below(2) == 0 { 1 } else { u64::from(chance.below(1000)) + 1 };
        let entry = |lsn: u64| {
            let kind = match barriers {
                1.. if chance.below(barriers) == 0 => BARRIER,
                _ if chance.below(10) == 0 => PASSED_OVER,
                _ => PUT,
            };
            let key = chance.below(keys).to_le_bytes()[0];
            let mut payload = vec![kind, key];
            payload.resize(2 + chance.below(20) as usize, key);
            let position = Position { segment: SegmentId::new(1 + lsn / 50), offset: lsn * 64 };
            Entry::new(Lsn::new(lsn), position, lsn, payload.into())
        };
        Self((first..).take(count).map(entry).collect())
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    pub(super) fn read(&self) -> impl Iterator<Item = Result<Entry>> + '_ {
        self.0.iter().cloned().map(Ok)
    }

    /// The state that applying one entry after the other gives.
    pub(super) fn state(&self) -> State {
        let mut state = State::default();
        for entry in &self.0 {
            state.take(entry);
        }
        state
    }

    /// How many entries a target passes over.
    pub(super) fn passed_over(&self) -> u64 {
        self.0.iter().filter(|entry| entry.payload[0] == PASSED_OVER).count() as u64
    }
}

/// A target that remembers what was done to it, in which order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The last value of each key, and of what touches everything under no key.
    pub(super) values: BTreeMap<Option<u8>, u64>,
    /// Every entry, in the order of application.
    pub(super) applied: Vec<Lsn>,
    /// How many entries there were in each group.
    pub(super) groups: Vec<usize>,
    /// The group that fails, if one does.
    pub(super) fails_at: Option<usize>,
}

impl State {
    fn take(&mut self, entry: &Entry) {
        self.applied.push(entry.lsn);
        match entry.payload[0] {
            PUT => drop(self.values.insert(Some(entry.payload[1]), entry.lsn.get())),
            // It leaves nothing of the keys, so that a crossing shows in the state.
            BARRIER => self.values = BTreeMap::from([(None, entry.lsn.get())]),
            _ => {}
        }
    }

    /// Where each of these entries stands in the order of application.
    pub(super) fn places(&self) -> Result<BTreeMap<Lsn, usize>, Saw> {
        let mut places = BTreeMap::new();
        for (place, lsn) in self.applied.iter().enumerate() {
            if places.insert(*lsn, place).is_some() {
                return Err(Saw::new(format!("entry {lsn} was applied twice")));
            }
        }
        Ok(places)
    }
}

impl ReplayTarget for State {
    fn apply(&mut self, group: &[Entry]) -> Result<Applications> {
        if self.fails_at == Some(self.groups.len()) {
            self.groups.push(group.len());
            return Err(Error::new(ErrorKind::Invalid, "the target fails, on purpose"));
        }
        self.groups.push(group.len());
        for entry in group {
            self.take(entry);
        }
        let skipped = group.iter().filter(|entry| entry.payload[0] == PASSED_OVER).count() as u64;
        Ok(Applications::new(group.len() as u64 - skipped, skipped))
    }

    fn scope(&self, entry: &Entry) -> Scope {
        scope(entry)
    }
}

/// As the target says it.
pub(super) fn scope(entry: &Entry) -> Scope {
    match entry.payload[0] {
        BARRIER => Scope::Barrier,
        _ => Scope::Key(vec![entry.payload[1]]),
    }
}
