//! [`process`]: telling a process from the one that it was forked from, at the price of a load.

/// A number that is the same at every call, and another one in a process that was forked from this one,
/// however that was done, and from any that was forked from that.
///
/// It costs two loads from memory on Linux, where the number of the process costs a call of the system: it
/// is asked at every append, and before every write. Elsewhere it is the number of the process.
pub fn process() -> u32 {
    system::process()
}

#[cfg(target_os = "linux")]
mod system {
    use std::process;
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

    use libc::c_void;

    /// The number, in a page that the kernel gives every child as zeros (`MADV_WIPEONFORK`, Linux 4.14):
    /// also one that was made by the system call `clone` or by `_Fork`, which run none of the C library's
    /// handlers. A handler that counted forks stood here, and such a child wrote over what its parent had
    /// acknowledged meanwhile.
    ///
    /// A child that shares its parent's memory has the page as it is. It shares the log, too: what it
    /// appends is staged and written as by a thread.
    static NUMBER: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());

    /// In the place of the page where the kernel has none: then the system is asked.
    static NONE: AtomicU32 = AtomicU32::new(0);

    /// No number of this process, or of one before it, is larger. A child has it as it was, and takes the
    /// next. The number of the process would not do: that of a child in a name space of its own is 1, as its
    /// parent's may be.
    static LARGEST: AtomicU32 = AtomicU32::new(0);

    const SIZE: usize = 4096;

    pub(super) fn process() -> u32 {
        let mut page = NUMBER.load(Ordering::Acquire);
        if page.is_null() {
            page = first();
        }
        if ptr::eq(page, &raw const NONE) {
            return process::id();
        }
        // SAFETY: a page that is there is never unmapped, and is read and written as this atomic alone;
        // the kernel changes it in no process that has a thread yet.
        let number = unsafe { &*page };
        match number.load(Ordering::Relaxed) {
            0 => take(number),
            taken => taken,
        }
    }

    /// Of two threads that come at once one's number stays.
    #[cold]
    fn take(number: &AtomicU32) -> u32 {
        // Before it is in the page: a child that is made in between must not take the same.
        let next = LARGEST.fetch_add(1, Ordering::SeqCst) + 1;
        match number.compare_exchange(0, next, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => next,
            Err(others) => others,
        }
    }

    /// Makes the page, or finds that there is none. Two threads that come at once each do so, and what one of
    /// them found stays; a lock could be held in a child by a thread that is not there.
    #[cold]
    fn first() -> *mut AtomicU32 {
        let page = wiped_page();
        let found = page.unwrap_or((&raw const NONE).cast_mut());
        let before =
            NUMBER.compare_exchange(ptr::null_mut(), found, Ordering::AcqRel, Ordering::Acquire);
        match (before, page) {
            (Ok(_), _) => found,
            (Err(others), None) => others,
            (Err(others), Some(page)) => {
                // SAFETY: no other thread has seen this page.
                unsafe { libc::munmap(page.cast(), SIZE) };
                others
            }
        }
    }

    fn wiped_page() -> Option<*mut AtomicU32> {
        // SAFETY: a new mapping where the kernel likes, of memory of its own.
        let page = unsafe {
            libc::mmap(
                ptr::null_mut(),
                SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if page == libc::MAP_FAILED {
            return None;
        }
        if is_wiped(page) {
            return Some(page.cast());
        }
        // SAFETY: mapped above, and no other thread has seen it.
        unsafe { libc::munmap(page, SIZE) };
        None
    }

    /// An emulator that says yes to all advice and takes none says so to what no kernel knows, too.
    fn is_wiped(page: *mut c_void) -> bool {
        // SAFETY: advice on a mapping of our own, which holds nothing yet.
        let (unknown, wiped) = unsafe {
            (libc::madvise(page, SIZE, -1), libc::madvise(page, SIZE, libc::MADV_WIPEONFORK))
        };
        unknown != 0 && wiped == 0
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn process() -> u32 {
        std::process::id()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
