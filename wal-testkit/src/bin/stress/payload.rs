//! [`Name`]: which record it is, and the bytes that say so.

use crate::chance::Chance;

/// Which record it is. No other record of a log has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) life: u32,
    /// The thread of that life that appended it.
    pub(crate) thread: u32,
    /// Ascends with every record of that thread.
    pub(crate) number: u32,
}

/// Bytes that say which record it is: seed, name and length.
pub(crate) const HEAD: usize = 24;

impl Name {
    /// The record's bytes, at least [`HEAD`] of them. All of them follow from the seed, the name and
    /// the length, so that a single wrong bit shows.
    pub(crate) fn record(self, seed: u64, len: usize) -> Vec<u8> {
        let len = len.max(HEAD);
        let mut bytes = Vec::with_capacity(len + 8);
        bytes.extend_from_slice(&seed.to_le_bytes());
        for part in [self.life, self.thread, self.number, u32::try_from(len).unwrap_or(u32::MAX)] {
            bytes.extend_from_slice(&part.to_le_bytes());
        }
        let parts = [self.life, self.thread, self.number].map(u64::from);
        let mut chance = Chance::of(seed, &parts);
        while bytes.len() < len {
            bytes.extend_from_slice(&chance.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// The name of a record of this seed; what is wrong with the bytes otherwise.
    pub(crate) fn read(seed: u64, bytes: &[u8]) -> Result<Self, String> {
        let number = |at: usize| {
            let part = bytes.get(at..at + 4).and_then(|part| part.try_into().ok());
            part.map(u32::from_le_bytes)
        };
        let (Some(life), Some(thread), Some(count)) = (number(8), number(12), number(16)) else {
            return Err(format!("a record of {} bytes, which nothing wrote", bytes.len()));
        };
        let name = Self { life, thread, number: count };
        if name.record(seed, bytes.len()) == bytes {
            Ok(name)
        } else {
            Err(format!("a record of {} bytes that says it is {name:?} is damaged", bytes.len()))
        }
    }
}
