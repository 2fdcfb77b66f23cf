//! [`Chance`]: inputs by seed.

/// A sequence of inputs, named by its seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An input of the corpus with some changes, two of them spliced, or bytes by chance.
    pub fn input(&mut self, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut input = self.pick(corpus);
        match self.below(8) {
            0 => {
                let len = self.below(300);
                input = (0..len).map(|_| self.byte()).collect();
            }
            1 => {
                let other = self.pick(corpus);
                input.truncate(self.below(input.len() + 1));
                input.extend(&other[self.below(other.len() + 1)..]);
            }
            _ => {}
        }
        for _ in 0..=self.below(6) {
            self.change(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len());
        let end = input.len().min(at + 1 + self.below(16));
        match self.below(8) {
            _ if input.is_empty() => input.push(self.byte()),
            0 | 1 => input[at] ^= 1 << self.below(8),
            2 => input[at] = self.byte(),
            // The ends of numbers, where sums overflow.
            3 => input[at..end].fill([0, 0xff, 0x7f, 0x80][self.below(4)]),
            4 => drop(input.drain(at..end)),
            5 => {
                let copy = input[at..end].to_vec();
                let to = self.below(input.len());
                drop(input.splice(to..to, copy));
            }
            6 => input.insert(at, self.byte()),
            _ => input.truncate(at),
        }
    }

    fn pick(&mut self, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
        corpus.get(self.below(corpus.len())).map_or_else(Vec::new, |(_, input)| input.clone())
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[7]
    }

    /// A number below `options`, 0 where there are none.
    fn below(&mut self, options: usize) -> usize {
        let options = options.max(1) as u64;
        usize::try_from(self.next() % options).expect("below a usize")
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
