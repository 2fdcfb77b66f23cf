//! [`Order`]: what the demo commits.

use std::str::FromStr;

use wal::Result;
use wal::parts::codec::{Binary, Operation};
use wal::parts::core::Codec;

use super::chance::Chance;

/// The name of an order. With the seed it says everything else about it, so that whoever reads an
/// order back knows each of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Order {
    /// Which child process sent it.
    pub(super) round: u32,
    /// Which of its threads.
    pub(super) writer: u32,
    /// The how-manieth of that thread, from 0.
    pub(super) number: u32,
}

impl Order {
    /// The order as a row of the table `orders`.
    pub(super) fn operation(self, seed: u64) -> Operation {
        let Self { round, writer, number } = self;
        let mut chance = Chance::new(seed, &[round.into(), writer.into(), number.into()]);
        let (customer, cents) = (chance.between(1, 100_000), chance.between(100, 1_000_000));
        let mut row = format!("customer={customer} cents={cents} items=");
        for _ in 0..chance.between(1, 12) {
            row.extend([format!("{:08x}", chance.next() >> 32), ",".into()]);
        }
        Operation::put("orders", self.key(), row).at(number.into())
    }

    /// The record's bytes.
    pub(super) fn bytes(self, seed: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Binary.encode(&self.operation(seed), &mut bytes)?;
        Ok(bytes)
    }

    /// The order that a record says it is.
    pub(super) fn of(record: &[u8]) -> Option<Self> {
        let operation: Operation = Binary.decode(record).ok()?;
        let (_, key) = operation.row()?;
        std::str::from_utf8(key).ok()?.parse().ok()
    }

    /// The order's name as text: round, writer and number, with slashes.
    pub(super) fn key(self) -> String {
        let Self { round, writer, number } = self;
        format!("{round}/{writer}/{number}")
    }
}

impl FromStr for Order {
    type Err = ();

    fn from_str(key: &str) -> std::result::Result<Self, ()> {
        let mut parts = key.split('/').map(str::parse);
        let mut part = || parts.next().and_then(std::result::Result::ok).ok_or(());
        let order = Self { round: part()?, writer: part()?, number: part()? };
        if parts.next().is_none() { Ok(order) } else { Err(()) }
    }
}
