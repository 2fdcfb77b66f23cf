//! [`Chance`]: pseudo-random numbers that are the same on every machine.

/// Sebastiano Vigna's `SplitMix64`: 64 bits of state, good enough to scatter faults.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `options`; 0 where there are none.
    pub(crate) fn below(&mut self, options: u32) -> u32 {
        let high = (self.next() >> 32) * u64::from(options);
        u32::try_from(high >> 32).expect("a product of two 32-bit numbers, shifted by 32")
    }

    /// Fills `bytes` with garbage.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let garbage = self.next().to_le_bytes();
            chunk.copy_from_slice(&garbage[..chunk.len()]);
        }
    }
}
