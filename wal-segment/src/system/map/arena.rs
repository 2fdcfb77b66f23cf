//! The range of addresses that all maps lie in, and its windows.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use super::fault;

/// Bytes of a window.
pub(super) const WINDOW: usize = 256 << 20;

/// Windows there are.
pub(super) const WINDOWS: usize = 128;

/// Where the arena begins; null before it is reserved. Set once.
static BASE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

/// Which windows no longer show their file.
static BROKEN: [AtomicBool; WINDOWS] = [const { AtomicBool::new(false) }; WINDOWS];

/// Which windows are in use.
static TAKEN: Mutex<[bool; WINDOWS]> = Mutex::new([false; WINDOWS]);

/// Takes the addresses and sets the handler, the first time.
pub(super) fn reserve() -> io::Result<()> {
    let _one_at_a_time = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !BASE.load(Ordering::Acquire).is_null() {
        return Ok(());
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: without `MAP_FIXED` the system chooses addresses that nothing else has.
    let base =
        unsafe { libc::mmap(ptr::null_mut(), WINDOW * WINDOWS, libc::PROT_NONE, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    if let Err(error) = fault::install() {
        // SAFETY: these are the addresses just taken, and nobody else knows them yet.
        unsafe { libc::munmap(base, WINDOW * WINDOWS) };
        return Err(error);
    }
    BASE.store(base.cast(), Ordering::Release);
    Ok(())
}

/// A window of the arena, which nobody else has.
pub(super) struct Window {
    number: usize,
    address: *mut u8,
}

// SAFETY: the address is of memory of the process, which is no thread's own. What is done to the
// window through a shared reference is reading and asking the kernel.
unsafe impl Send for Window {}
// SAFETY: as above.
unsafe impl Sync for Window {}

impl Window {
    /// A window that is free, once the arena is reserved; `None` where there is none.
    pub(super) fn take() -> Option<Self> {
        let base = BASE.load(Ordering::Acquire);
        if base.is_null() {
            return None;
        }
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let number = taken.iter().position(|taken| !taken)?;
        taken[number] = true;
        // SAFETY: the arena has `WINDOWS` windows, and `number` is below that.
        let address = unsafe { base.add(number * WINDOW) };
        Some(Self { number, address })
    }

    /// Shows the file's first bytes, and what the file grows by.
    pub(super) fn show(&self, file: &File) -> io::Result<()> {
        let flags = libc::MAP_SHARED | libc::MAP_FIXED;
        // SAFETY: what is replaced is the window, all of it and nothing else, which is ours since
        // `take`; no reference to it exists. To be read beyond the file's end is the handler's case.
        let mapped = unsafe {
            let (address, fd) = (self.address.cast(), file.as_raw_fd());
            libc::mmap(address, WINDOW, libc::PROT_READ, flags, fd, 0)
        };
        if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Its first byte. All of it may be read once it shows a file.
    pub(super) fn address(&self) -> *const u8 {
        self.address
    }

    /// Whether it no longer shows its file.
    pub(super) fn is_broken(&self) -> bool {
        BROKEN[self.number].load(Ordering::Acquire)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: the window is ours alone, and nobody reads it: that would borrow `self`.
        if !unsafe { cover(self.address, libc::PROT_NONE) } {
            // The file stays mapped there, unread, and the window is never given out again.
            return;
        }
        BROKEN[self.number].store(false, Ordering::Release);
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner)[self.number] = false;
    }
}

/// Puts zeros in the place of the window that has this address, and says whether there is one. May
/// be called in a signal handler: atomics and one system call.
pub(super) fn break_window_at(address: usize) -> bool {
    let base = BASE.load(Ordering::Acquire);
    if base.is_null() {
        return false;
    }
    let number = match address.checked_sub(base.addr()) {
        Some(offset) if offset / WINDOW < WINDOWS => offset / WINDOW,
        _ => return false,
    };
    // Before the zeros are there: see `Map::copy`.
    BROKEN[number].store(true, Ordering::SeqCst);
    // SAFETY: `number` is below `WINDOWS`, so this is a window of the arena, where nothing but maps of
    // files ever lies. Who reads it goes on reading, and finds zeros and that it is broken.
    unsafe { cover(base.add(number * WINDOW), libc::PROT_READ) }
}

/// Puts fresh memory of this access in the place of the window at `address`: zeros, taking no room.
///
/// # Safety
///
/// `address` must be that of a window whose readers can do with what `access` gives them.
unsafe fn cover(address: *mut u8, access: libc::c_int) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    // SAFETY: what is replaced is a window of the arena, all of it and nothing else. No reference to
    // its bytes exists anywhere, and the caller answers for those who read it.
    unsafe { libc::mmap(address.cast(), WINDOW, access, flags, -1, 0) != libc::MAP_FAILED }
}
