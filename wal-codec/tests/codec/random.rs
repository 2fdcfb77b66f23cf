//! Values by seed.

use wal_codec::Operation;

/// `SplitMix64`: a sequence is named by its seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.number() % limit as u64).expect("below a usize")
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.number().to_le_bytes()[0]).collect()
    }

    /// Small and large numbers alike, and the ends.
    pub(crate) fn spread(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            _ => self.number() >> self.below(64),
        }
    }

    pub(crate) fn operation(&mut self) -> Operation {
        let (id, kind) = (self.spread(), self.below(7));
        let table: String =
            (0..self.below(20)).map(|at| if at % 5 == 4 { 'é' } else { 't' }).collect();
        let longest = if self.below(16) == 0 { 400 } else { 40 };
        let (key, tuple) = (self.below(longest), self.below(longest));
        let (key, tuple) = (self.bytes(key), self.bytes(tuple));
        let operation = match kind {
            0 => Operation::put(table, key, tuple),
            1 => Operation::update(table, key, tuple),
            2 => Operation::delete(table, key),
            3 => Operation::begin(id),
            4 => Operation::prepare(id),
            5 => Operation::commit(id),
            _ => Operation::abort(id),
        };
        let operation = operation.at(self.spread());
        if self.below(2) == 0 { operation.within(id) } else { operation }
    }
}
