//! [`process`]: telling a process from the one that it was forked from, at the price of a load.

/// A number that is the same at every call, and another one in a process that was forked from this one.
///
/// It costs two loads from memory, where the number of the process costs a call of the system: it is
/// asked at every append. A `fork` of the C library changes it, with whatever language it is called; a
/// bare system call `clone`, which runs none of the library's handlers, does not.
pub fn process() -> u32 {
    system::process()
}

#[cfg(unix)]
mod system {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    /// Counted in the child, before `fork` returns there.
    static FORKS: AtomicU32 = AtomicU32::new(0);
    static COUNTED: AtomicBool = AtomicBool::new(false);

    extern "C" fn forked() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn process() -> u32 {
        if COUNTED.load(Ordering::Acquire) || count() {
            FORKS.load(Ordering::Relaxed)
        } else {
            std::process::id()
        }
    }

    /// Has forks counted, and says whether they are. Two threads that come at once have each counted
    /// twice, which is as good; a lock could be held in a child by a thread that is not there.
    #[cold]
    fn count() -> bool {
        // SAFETY: the handler is a function of this program, does nothing but count in an atomic, and
        // so may run in the child of a process with threads.
        let registered = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        if registered == 0 {
            COUNTED.store(true, Ordering::Release);
        }
        registered == 0
    }
}

#[cfg(not(unix))]
mod system {
    /// There is no fork.
    pub(super) fn process() -> u32 {
        0
    }
}
