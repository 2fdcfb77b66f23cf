//! [`Sequence`]: notices when a file is read from front to back.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// So many reads in a row that each go on from the one before are a habit. The header of a segment
/// and the first frames make one, and may be all that is read.
const HABIT: u8 = 2;

/// Notices when a file is read from front to back. Readers that take turns may hide it from one
/// another: what it says is a hint.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    end: AtomicU64,
    run: AtomicU8,
    told: AtomicBool,
}

impl Sequence {
    /// A read of `len` bytes at `offset` comes next. Says once, with `true`, that reads have come
    /// in sequence.
    pub(super) fn begins(&self, offset: u64, len: usize) -> bool {
        if self.told.load(Ordering::Relaxed) {
            return false;
        }
        let next = offset.saturating_add(len as u64);
        let end = self.end.swap(next, Ordering::Relaxed);
        // What was cut in two by the last read's end is read again.
        let goes_on = offset <= end && end < next && end > 0;
        let run = if goes_on { self.run.load(Ordering::Relaxed).saturating_add(1) } else { 0 };
        self.run.store(run, Ordering::Relaxed);
        run >= HABIT && !self.told.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_that_go_on_from_one_another_are_noticed_once() {
        let sequence = Sequence::default();
        let reads = [(0, 96), (96, 1000), (1000, 1000), (2000, 1000), (3000, 1000)];
        let told = reads.map(|(offset, len)| sequence.begins(offset, len));
        assert_eq!(told, [false, false, true, false, false]);
    }

    #[test]
    fn reads_here_and_there_are_not() {
        let sequence = Sequence::default();
        for offset in [0, 5000, 96, 5000, 6000, 100, 1100, 1100, 4000, 3000, 2000, 1000, 0, 0] {
            assert!(!sequence.begins(offset, 1000), "{offset}");
        }
    }
}
