//! [`Zeros`]: zeros that are written ahead of a segment's end while it is being written.

use std::fmt;
use std::sync::Arc;

use super::OpenFile;
use super::syncs::Syncs;
use super::transfer::write_zeros;
use crate::sync::{self, Condvar, Mutex, MutexGuard};
use crate::system;

/// Bytes that are zeroed and synced at a time: a sync of the segment that comes meanwhile waits for
/// so many at the most, and so does an append that has caught up.
const PIECE: u64 = 256 * 1024;

/// An append of so many bytes gains nothing from zeros.
const LARGE: u64 = 2 * PIECE;

/// The part of a segment ahead of its end that one thread zeroes while another appends. Each keeps to
/// its side of `done`, and so no zero ever lands on a byte that was appended.
pub(super) struct Zeros {
    file: Arc<dyn OpenFile>,
    /// The segment's: a sync of zeros may drop what was appended when it fails, and then no later one
    /// of the segment may succeed.
    syncs: Arc<Syncs>,
    size: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Everything before this byte is zeroed, or the writer's own.
    done: u64,
    /// The zeroing goes on to this byte.
    goal: u64,
    piece: Piece,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    None,
    BeingWritten,
    /// It could not be written: there will be no other.
    Failed,
}

impl Zeros {
    /// Zeros from `done` to the end of a segment of `size` bytes.
    pub(super) fn new(file: Arc<dyn OpenFile>, syncs: Arc<Syncs>, done: u64, size: u64) -> Self {
        let state = State { done, goal: done, piece: Piece::None };
        Self { file, syncs, size, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Zeroes the next piece of what was asked for; says whether there was one.
    pub(super) fn write_piece(&self) -> bool {
        let mut state = self.state();
        if state.goal <= state.done || state.piece != Piece::None {
            return false;
        }
        let (from, end) = (state.done, state.goal.min(state.done + PIECE));
        state.piece = Piece::BeingWritten;
        drop(state);
        let mut writing = Writing { zeros: self, end, outcome: Piece::Failed };
        let sync = || self.syncs.run(|| self.file.sync_data());
        // Where the write fails, the writer goes on as if nobody had ever zeroed anything.
        if write_zeros(&*self.file, from, end - from, sync).is_ok() {
            writing.outcome = Piece::None;
        }
        true
    }

    /// Ends what is being written, and asks for no more.
    fn stop(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.goal = state.done;
        while state.piece == Piece::BeingWritten {
            state = sync::wait(&self.changed, state);
        }
        state.goal = state.done;
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }
}

/// A piece being written, which the writer waits for when it has caught up: it ends when this is
/// dropped, also by a panic.
struct Writing<'a> {
    zeros: &'a Zeros,
    end: u64,
    outcome: Piece,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let mut state = self.zeros.state();
        (state.done, state.piece) = (self.end, self.outcome);
        self.zeros.changed.notify_all();
    }
}

impl fmt::Debug for Zeros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zeros").field("size", &self.size).finish_non_exhaustive()
    }
}

/// The writer's side of [`Zeros`].
#[derive(Debug)]
pub(super) struct Ahead {
    zeros: Arc<Zeros>,
    step: u64,
    /// Up to here the writer may go without asking.
    seen: u64,
    /// No zeros are asked for before the segment has come so far.
    resume: u64,
    process: u32,
}

impl Ahead {
    /// Asks for `step` bytes at a time.
    pub(super) fn new(zeros: Arc<Zeros>, step: u64) -> Self {
        let seen = zeros.state().done;
        Self { zeros, step: step.max(PIECE), seen, resume: 0, process: system::process() }
    }

    /// Sees to it that nobody zeroes what comes before `end` any more; the writer has come to `from`.
    ///
    /// A large append gains nothing from zeros, and a stream of them would have every byte written
    /// twice: behind one there are no more for a while.
    pub(super) fn reach(&mut self, from: u64, end: u64) {
        if end - from >= LARGE {
            self.resume = self.resume.max(end + self.step / 4);
            let mut state = self.zeros.state();
            state.goal = state.done;
        }
        if end <= self.seen {
            return;
        }
        let mut state = self.zeros.state();
        if state.done < end {
            let racing = state.goal > state.done || state.piece == Piece::BeingWritten;
            drop(state);
            state = self.zeros.stop();
            if racing && state.done < end {
                // Faster than the zeros: to write every byte twice would make it slower still.
                self.resume = self.resume.max(end + self.step);
            }
        }
        if state.done < end {
            let next = end.checked_next_multiple_of(4096).unwrap_or(end).min(self.zeros.size);
            (state.done, state.goal) = (next.max(end), next.max(end));
        }
        self.seen = state.done;
    }

    /// The zeros to be written now that the segment ends at `end`, if it is time to ask for some.
    pub(super) fn due(&mut self, end: u64) -> Option<Arc<Zeros>> {
        if end < self.resume || self.seen.saturating_sub(end) > self.step / 2 {
            return None;
        }
        let mut state = self.zeros.state();
        self.seen = state.done;
        let goal = (end + self.step).min(self.zeros.size);
        let asked = goal > state.goal && state.goal.saturating_sub(end) <= self.step / 2;
        if !asked || state.piece == Piece::Failed {
            return None;
        }
        state.goal = goal;
        Some(Arc::clone(&self.zeros))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // In a process that was forked off no thread writes zeros, and a piece that was being written
        // would be waited for without end.
        if self.process == system::process() {
            // The end of the file is the next one's to cut.
            drop(self.zeros.stop());
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io;
    use std::thread;

    use wal_core::{FileInfo, FileKind};

    use super::*;

    /// A file in memory that says so where zeros land on something else.
    #[derive(Debug, Default)]
    pub(in crate::file) struct Memory(Mutex<Vec<u8>>);

    impl OpenFile for Memory {
        fn size(&self) -> io::Result<u64> {
            Ok(self.0.lock().unwrap().len() as u64)
        }
        fn block_size(&self) -> io::Result<u64> {
            Ok(4096)
        }
        fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
        fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
            let mut memory = self.0.lock().unwrap();
            let at = usize::try_from(offset).unwrap();
            let end = (at + bytes.len()).max(memory.len());
            memory.resize(end, 0);
            let there = &mut memory[at..at + bytes.len()];
            let zeros = bytes.iter().all(|byte| *byte == 0);
            assert!(!zeros || there.iter().all(|byte| *byte == 0), "zeros on appended bytes");
            there.copy_from_slice(bytes);
            Ok(bytes.len())
        }
        fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
            Ok(())
        }
        fn set_len(&self, _: u64) -> io::Result<()> {
            Ok(())
        }
        fn sync_data(&self) -> io::Result<()> {
            thread::yield_now();
            Ok(())
        }
        fn sync_all(&self) -> io::Result<()> {
            Ok(())
        }
        fn info(&self) -> io::Result<FileInfo> {
            Ok(FileInfo::new(None, FileKind::File, 1, self.size()?))
        }
        fn forget(&self, _: u64, _: u64) {}
        fn reads_on(&self) {}
        fn as_file(&self) -> Option<&std::fs::File> {
            None
        }
        fn is_called(&self, _: &str) {}
        fn try_lock(&self) -> io::Result<()> {
            Ok(())
        }
        fn unlock(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A writer that is now slower and now faster than the zeros: whoever is ahead, they never meet.
    #[test]
    fn zeros_never_land_on_what_was_appended() {
        for seed in 1..20_u64 {
            let file = Arc::new(Memory::default());
            let size = 24 * PIECE;
            let zeros = Arc::new(Zeros::new(Arc::clone(&file) as _, Arc::default(), 4096, size));
            let mut ahead = Ahead::new(Arc::clone(&zeros), 4 * PIECE);
            let (sender, receiver) = std::sync::mpsc::channel::<Arc<Zeros>>();
            let worker = thread::spawn(move || {
                for zeros in receiver {
                    while zeros.write_piece() {}
                }
            });
            let (mut end, mut chance) = (0, seed);
            while end < size {
                chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed);
                let len = match chance >> 55 & 31 {
                    0 => LARGE,
                    _ => (chance >> 33) % (1 << ((chance >> 60) + 2)) + 1,
                };
                if chance % 64 == 0 {
                    thread::yield_now();
                }
                ahead.reach(end, end + len);
                file.write_at(end, &vec![7; usize::try_from(len).unwrap()]).unwrap();
                end += len;
                match ahead.due(end) {
                    // As if the other had been that fast.
                    Some(zeros) if chance >> 40 & 1 == 0 => while zeros.write_piece() {},
                    Some(zeros) => sender.send(zeros).unwrap(),
                    None => {}
                }
            }
            drop(ahead);
            drop(sender);
            worker.join().unwrap();
            let memory = file.0.lock().unwrap();
            assert!(
                memory[..usize::try_from(end).unwrap()].iter().all(|byte| *byte == 7),
                "seed {seed}"
            );
        }
    }

    const STEP: u64 = 64 * PIECE;
    const SIZE: u64 = 1024 * PIECE;

    /// An empty segment of which the first step is to be zeroed.
    fn asked_for(step: u64, size: u64) -> (Arc<Memory>, Arc<Zeros>, Ahead) {
        let file = Arc::new(Memory::default());
        let zeros = Arc::new(Zeros::new(Arc::clone(&file) as _, Arc::default(), 0, size));
        let mut ahead = Ahead::new(Arc::clone(&zeros), step);
        assert!(!zeros.write_piece(), "nobody asked");
        assert!(ahead.due(0).is_some());
        assert!(ahead.due(0).is_none(), "asked twice");
        (file, zeros, ahead)
    }

    /// An append that has overtaken the zeros does without them for a step, and no longer. (Once every
    /// append behind it was taken for another one that overtakes, to the end of the segment.)
    #[test]
    fn zeros_that_were_overtaken_come_back() {
        let (_file, zeros, mut ahead) = asked_for(STEP, SIZE);
        // Nobody has written any yet.
        ahead.reach(0, PIECE);
        let mut end = PIECE;
        while ahead.due(end).is_none() {
            assert!(end <= PIECE + STEP, "no zeros at {end}");
            ahead.reach(end, end + 1000);
            end += 1000;
        }
        assert!(end >= PIECE + STEP, "too soon");
        assert!(zeros.write_piece());
    }

    /// A stream of large appends has nothing zeroed, and small ones behind it have again. Zeros that are
    /// there by then stay.
    #[test]
    fn a_stream_is_not_written_twice() {
        let (file, zeros, mut ahead) = asked_for(STEP, SIZE);
        assert!(zeros.write_piece() && zeros.write_piece());
        let mut end = 0;
        while end < SIZE / 2 {
            ahead.reach(end, end + LARGE);
            end += LARGE;
            assert!(ahead.due(end).is_none() && !zeros.write_piece());
        }
        assert_eq!(file.size().unwrap(), 2 * PIECE, "what was zeroed before");
        while ahead.due(end).is_none() {
            ahead.reach(end, end + PIECE);
            end += PIECE;
            assert!(end <= SIZE / 2 + STEP);
        }
        assert!(zeros.write_piece());
    }

    /// What is asked for is written, in pieces, to the end of the segment and no further.
    #[test]
    fn zeros_go_to_the_end_of_the_segment() {
        let (file, zeros, _ahead) = asked_for(100 * PIECE, 2 * PIECE + 10);
        let pieces = (0..10).take_while(|_| zeros.write_piece()).count();
        assert_eq!((pieces, file.size().unwrap()), (3, 2 * PIECE + 10));
    }
}
