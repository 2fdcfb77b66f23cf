//! [`Chance`]: random numbers that a seed repeats.

/// `SplitMix64`, by Steele, Lea and Flood (2014).
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// The numbers of this seed, and of these names of what they are for.
    pub(super) fn new(seed: u64, names: &[u64]) -> Self {
        let mut chance = Self(seed);
        for name in names {
            chance = Self(chance.next() ^ name);
        }
        chance
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` on and below `high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }
}
