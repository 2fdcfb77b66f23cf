//! [`Audit`]: what a recovered log must hold.

use std::collections::HashMap;

use wal::{Lsn, Wal};

use super::WRITERS;
use super::order::Order;

/// What is known of the log: every order that was acknowledged, and every order that a recovery has
/// shown, which must never disappear either.
#[derive(Debug)]
pub(super) struct Audit {
    seed: u64,
    acknowledged: HashMap<Lsn, Order>,
    seen: Vec<Order>,
}

/// What an audit found wrong, for a person; at the first thing that is.
pub(super) type Wrong = String;

impl Audit {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, acknowledged: HashMap::new(), seen: Vec::new() }
    }

    /// Takes an acknowledgement as the child reports it: LSN and name.
    pub(super) fn acknowledge(&mut self, line: &str) -> Result<(), Wrong> {
        let named = line
            .split_once(' ')
            .and_then(|(lsn, key)| Some((Lsn::new(lsn.parse().ok()?), key.parse().ok()?)));
        let Some((lsn, order)) = named else { return Err(format!("an odd report: {line:?}")) };
        match self.acknowledged.insert(lsn, order) {
            None => Ok(()),
            Some(other) => {
                Err(format!("LSN {lsn} was acknowledged for {} and {}", other.key(), order.key()))
            }
        }
    }

    /// How many orders were acknowledged so far.
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Replays the log from its first record and compares. `rounds` children have written it so far.
    pub(super) fn compare(&mut self, wal: &Wal, rounds: u32) -> anyhow::Result<Result<u64, Wrong>> {
        let mut last = Lsn::ZERO;
        let mut found = 0;
        let mut next_numbers: HashMap<(u32, u32), u32> = HashMap::new();
        for entry in wal.read_from(Lsn::FIRST)? {
            let entry = entry?;
            let lsn = entry.lsn;
            if lsn != last.next() {
                return Ok(Err(format!("LSN {lsn} follows LSN {last}")));
            }
            last = lsn;
            let Some(order) = Order::of(&entry.payload) else {
                return Ok(Err(format!("LSN {lsn} is no order")));
            };
            let sent = order.round < rounds && order.writer < WRITERS;
            if !sent || order.bytes(self.seed)? != entry.payload {
                return Ok(Err(format!("LSN {lsn} is an order that nobody sent: {}", order.key())));
            }
            let next = next_numbers.entry((order.round, order.writer)).or_default();
            if order.number != *next {
                let key = order.key();
                return Ok(Err(format!("LSN {lsn} is {key}; its writer's next was {next}")));
            }
            *next += 1;
            match self.acknowledged.get(&lsn) {
                Some(acknowledged) if *acknowledged != order => {
                    let (sent, here) = (acknowledged.key(), order.key());
                    return Ok(Err(format!("LSN {lsn} was acknowledged for {sent}, holds {here}")));
                }
                Some(_) => found += 1,
                None => {}
            }
            if let Err(wrong) = self.see(lsn, order) {
                return Ok(Err(wrong));
            }
        }
        if found < self.acknowledged.len() {
            let missing = self.acknowledged.len() - found;
            return Ok(Err(format!("{missing} acknowledged orders are missing, after LSN {last}")));
        }
        if last.get() < self.seen.len() as u64 {
            return Ok(Err(format!("the log ends with LSN {last}, and once was longer")));
        }
        Ok(Ok(last.get()))
    }

    /// Compares with what stood at this LSN before, or remembers it.
    fn see(&mut self, lsn: Lsn, order: Order) -> Result<(), Wrong> {
        let at = usize::try_from(lsn.get() - 1).unwrap_or(usize::MAX);
        match self.seen.get(at) {
            Some(seen) if *seen != order => {
                Err(format!("LSN {lsn} was {} and now is {}", seen.key(), order.key()))
            }
            Some(_) => Ok(()),
            None => {
                self.seen.push(order);
                Ok(())
            }
        }
    }
}
