//! [`process`]: telling a process from the one that it was forked from, at the price of a load.

/// The number of this process: the same at every call, and another one in a process that was forked from
/// this one, however that was done.
///
/// It costs two loads from memory on Linux, where the number of the process costs a call of the system: it
/// is asked at every append, and before every write. Elsewhere it is asked of the system.
pub fn process() -> u32 {
    system::process()
}

#[cfg(target_os = "linux")]
mod system {
    use std::process;
    use std::ptr;
    use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

    use libc::c_void;

    /// The number, in a page that the kernel gives every child as zeros (`MADV_WIPEONFORK`, Linux 4.14):
    /// also one that was made by the system call `clone` or by `_Fork`, which run none of the C library's
    /// handlers. A handler that counted forks stood here, and such a child wrote over what its parent had
    /// acknowledged meanwhile.
    ///
    /// A child that shares its parent's memory has the page as it is. It shares the log, too: what it
    /// appends is staged and written as by a thread.
    static NUMBER: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());

    /// The kernel has no such page.
    static NONE: AtomicBool = AtomicBool::new(false);

    const SIZE: usize = 4096;

    pub(super) fn process() -> u32 {
        let page = NUMBER.load(Ordering::Acquire);
        if page.is_null() {
            return first();
        }
        // SAFETY: a page that is there is never unmapped, and is read and written as this atomic alone;
        // the kernel changes it in no process that has a thread yet.
        let number = unsafe { &*page };
        match number.load(Ordering::Relaxed) {
            0 => noted(number),
            known => known,
        }
    }

    #[cold]
    fn noted(number: &AtomicU32) -> u32 {
        let process = process::id();
        number.store(process, Ordering::Relaxed);
        process
    }

    /// Makes the page. Two threads that come at once each make one, and one of them is kept; a lock
    /// could be held in a child by a thread that is not there.
    #[cold]
    fn first() -> u32 {
        if !NONE.load(Ordering::Relaxed) {
            match wiped_page() {
                Some(page) => keep(page),
                None => NONE.store(true, Ordering::Relaxed),
            }
        }
        process::id()
    }

    fn keep(page: *mut AtomicU32) {
        // SAFETY: the page is this function's until it is stored.
        noted(unsafe { &*page });
        let kept =
            NUMBER.compare_exchange(ptr::null_mut(), page, Ordering::AcqRel, Ordering::Acquire);
        if kept.is_err() {
            // SAFETY: nobody has seen this one.
            unsafe { libc::munmap(page.cast(), SIZE) };
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
        // SAFETY: mapped above, and known to nobody else.
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
mod tests {
    use super::process;

    /// A child that no handler of the C library has seen. It was taken for its parent: it appended at the
    /// end that it knew of, over 18 of 23 records that the parent had acknowledged since.
    #[test]
    fn a_child_of_a_bare_clone_is_another_process() {
        let parent = process();
        assert_eq!(parent, process());
        // SAFETY: the child does nothing but load from memory, ask for its number, and end.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            let told = process() != parent && process() == std::process::id();
            // SAFETY: ends the child, with no destructor of the parent's.
            unsafe { libc::_exit(i32::from(!told)) };
        }
        let mut status = 0;
        let child = libc::pid_t::try_from(child).unwrap();
        // SAFETY: waits for a child of this test's own.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the child: {status}");
        assert_eq!(parent, process());
    }
}
