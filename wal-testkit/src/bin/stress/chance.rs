//! [`Chance`]: pseudo-random numbers that are the same on every machine.

/// Sebastiano Vigna's `SplitMix64`.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Numbers that depend on this seed and on each of these.
    pub(crate) fn of(seed: u64, parts: &[u64]) -> Self {
        let mix = |chance: u64, part: &u64| Self(chance ^ part.rotate_left(17)).next();
        Self(parts.iter().fold(Self(seed).next(), mix))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `options`; 0 where there are none.
    pub(crate) fn below(&mut self, options: u64) -> u64 {
        if options == 0 { 0 } else { self.next() % options }
    }

    /// A number from the first to the last of these.
    pub(crate) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first) + 1)
    }

    pub(crate) fn one_in(&mut self, options: u64) -> bool {
        self.below(options) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, options: &[T]) -> T {
        options[usize::try_from(self.below(options.len() as u64)).unwrap_or(0)]
    }
}
