//! [`Map`]: a file as memory that may be cut off at any time.
//!
//! It stands on three things:
//!
//! - **One arena.** All maps lie in windows of one range of addresses that is reserved once and kept
//!   for the life of the process, `arena.rs`. So an address says by itself whether it is ours and
//!   whose, and the signal handler needs no list that others change meanwhile.
//! - **One handler**, `fault.rs`. A file that is cut off under its map, or that the disk cannot read,
//!   raises `SIGBUS` where the map is read. The handler notes that the window is broken, lays zeros
//!   over the whole of it, and the read goes on; what it has copied is then thrown away.
//! - **No reference into a map.** Its bytes change whenever somebody writes the file, so they are
//!   copied out by volatile reads and never seen as a slice.
//!
//! A way without a handler would be to have the kernel copy out of the map (`process_vm_readv`,
//! which fails in place of raising). It was measured at twice the cost of `pread`, where copying from
//! the map takes a seventh.

mod arena;
mod fault;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::atomic::{Ordering, fence};

use arena::Window;

/// The first bytes of a file, as memory. A file that grows needs no other map.
pub(crate) struct Map {
    window: Window,
}

impl Map {
    /// Bytes of a file that a map covers.
    pub(crate) const LEN: u64 = arena::WINDOW as u64;

    /// Maps this file; `None` where too many are mapped.
    pub(crate) fn new(file: &File) -> io::Result<Option<Self>> {
        arena::reserve()?;
        let Some(window) = Window::take() else { return Ok(None) };
        window.show(file)?;
        Ok(Some(Self { window }))
    }

    /// Fills `buffer` from `offset` on, and says whether it could: not where the file has been cut
    /// off before the end of that, or could not be read, now or earlier. `buffer` then holds
    /// anything.
    ///
    /// # Panics
    ///
    /// Where that is beyond [`LEN`](Self::LEN).
    pub(crate) fn copy(&self, offset: u64, buffer: &mut [u8]) -> bool {
        let start = usize::try_from(offset).expect("a map is smaller than memory");
        let end = start.checked_add(buffer.len());
        assert!(end.is_some_and(|end| end <= arena::WINDOW), "within the map");
        if self.window.is_broken() {
            return false;
        }
        // SAFETY: `start` and the bytes behind it lie in the window, as was just asserted. The whole
        // window is mapped for reading as long as `self` is borrowed: `show` mapped it, `drop` alone
        // takes it away, and the handler lays other readable memory in its place.
        unsafe { copy_volatile(self.window.address().add(start), buffer) };
        // The handler says that the window is broken before it puts zeros there: whoever copied one
        // of these finds it said. The fence keeps this look behind the copying.
        fence(Ordering::Acquire);
        !self.window.is_broken()
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("broken", &self.window.is_broken()).finish_non_exhaustive()
    }
}

/// Copies as `memcpy` does, from memory that others may change meanwhile: what they change arrives
/// old, new or mixed.
///
/// # Safety
///
/// `from`, and as many bytes behind it as `buffer` has, must be mapped for reading.
#[expect(clippy::cast_ptr_alignment, reason = "the words begin at the first that is aligned")]
unsafe fn copy_volatile(from: *const u8, buffer: &mut [u8]) {
    const WORD: usize = size_of::<u64>();
    let head = from.align_offset(WORD).min(buffer.len());
    let (first, rest) = buffer.split_at_mut(head);
    let (words, last) = rest.as_chunks_mut::<WORD>();
    // SAFETY: every address read is `from` plus less than the buffer's length, which the caller vouches
    // for; words are read from behind `head`, so they are aligned. The bytes belong to no Rust
    // object: they were mapped by the system, and no reference to them is ever made. Volatile reads
    // of such memory are what the language has for bytes that change by other hands.
    unsafe {
        for (at, byte) in first.iter_mut().enumerate() {
            *byte = from.add(at).read_volatile();
        }
        let aligned = from.add(head);
        for (at, word) in words.iter_mut().enumerate() {
            *word = word_bytes(aligned.cast::<u64>().add(at).read_volatile());
        }
        let behind = aligned.add(words.len() * WORD);
        for (at, byte) in last.iter_mut().enumerate() {
            *byte = behind.add(at).read_volatile();
        }
    }
}

/// The bytes of a word as they lay in memory.
#[expect(clippy::host_endian_bytes, reason = "out of memory and into memory of the same machine")]
fn word_bytes(word: u64) -> [u8; 8] {
    word.to_ne_bytes()
}
