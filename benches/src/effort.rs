//! [`Effort`]: how much a run measures.

use std::env;

/// How much a run measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Enough for numbers to quote: all workloads together take less than a minute.
    Full,
    /// Enough to see that everything runs; the numbers mean nothing.
    Smoke,
}

impl Effort {
    /// Full under `cargo bench`, which passes `--bench`; smoke under `cargo test --benches`, which
    /// does not.
    pub fn of_this_run() -> Self {
        if env::args().any(|argument| argument == "--bench") { Self::Full } else { Self::Smoke }
    }

    /// How many rounds to measure: this many, or one.
    pub fn rounds(self, full: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Smoke => 1,
        }
    }

    /// How large a round is: this, or a hundredth.
    pub fn size(self, full: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Smoke => full.div_ceil(100),
        }
    }
}
