//! What the pipeline is built of: the standard library's, or in its place a model checker's, which
//! tries out the orders in which threads can take their steps.
//!
//! `Arc` and `OnceLock` are the standard library's everywhere: nothing is concluded from a count,
//! and what is set once is set and read next to steps that a checker does see.

#![allow(unexpected_cfgs, reason = "`loom` and `shuttle` are set by hand, for a model checker")]

#[cfg(any(feature = "tokio", shuttle))]
pub(crate) mod runtime;

#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicU64, fence},
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};

#[cfg(loom)]
pub(crate) use loom::{
    sync::atomic::{AtomicBool, AtomicU64, fence},
    sync::{Condvar, Mutex, MutexGuard},
};

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::atomic::{AtomicBool, AtomicU64, fence},
    sync::{Condvar, Mutex, MutexGuard},
};

/// How often a waiter gives the processor away before it sleeps. A model checker tries all orders
/// anyway.
pub(crate) const YIELDS: u32 = if cfg!(any(loom, shuttle)) { 0 } else { 16 };

/// Lets others run until this is so, for this time at the most.
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn doze(most: std::time::Duration, until: impl Fn() -> bool) {
    use std::time::{Duration, Instant};
    let began = Instant::now();
    while !until() && began.elapsed() < most {
        // The shortest sleep takes about as long as this one.
        if most < Duration::from_micros(800) {
            thread::yield_now();
        } else {
            thread::sleep(Duration::from_micros(50));
        }
    }
}

/// A model checker knows no time.
#[cfg(any(loom, shuttle))]
pub(crate) fn doze(_: std::time::Duration, _: impl Fn() -> bool) {}

/// Takes a lock that is held for a few instructions at a time: waits a little in place before it goes
/// to sleep, which would cost both this thread and the holder more than the wait.
///
/// The pauses grow quickly, so that the holder has the lock, and the memory behind it, to itself for
/// many turns in a row: with two processors that stages as much as one producer alone, where
/// taking turns one by one would stage a third.
#[cfg(not(any(loom, shuttle)))]
#[inline]
pub(crate) fn lock_briefly<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    use std::sync::{PoisonError, TryLockError};
    const PAUSES: [u32; 5] = [16, 32, 64, 128, 256];
    const YIELDS: u32 = 4;

    let take = || match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    };
    if let Some(guard) = take() {
        return guard;
    }
    for pauses in PAUSES {
        (0..pauses).for_each(|_| std::hint::spin_loop());
        if let Some(guard) = take() {
            return guard;
        }
    }
    for _ in 0..YIELDS {
        thread::yield_now();
        if let Some(guard) = take() {
            return guard;
        }
    }
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A model checker knows no time.
#[cfg(any(loom, shuttle))]
pub(crate) fn lock_briefly<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    crate::flusher::lock(mutex)
}

/// Waits until the condition is signalled, or for a second, whichever comes first.
#[cfg(not(any(loom, shuttle)))]
pub(crate) fn wait_a_while<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
) -> MutexGuard<'a, T> {
    let waited = condition.wait_timeout(guard, std::time::Duration::from_secs(1));
    waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
}

/// A model checker knows no time.
#[cfg(any(loom, shuttle))]
pub(crate) fn wait_a_while<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
) -> MutexGuard<'a, T> {
    condition.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A time that never comes under a model checker; any shorter one may be over at once.
#[cfg(any(loom, shuttle))]
const AGES: std::time::Duration = std::time::Duration::from_secs(1 << 30);

/// Threads under a model checker, which knows no time: a tick ends at once, after the others had a
/// turn. The token of a thread is a lock and a condition here: loom's own `unpark` also ends the wait
/// of a thread for a lock, which no real one does; and shuttle's own `park` may end by itself as long
/// as any other thread runs, so that a wake which never comes is hardly ever missed.
#[cfg(any(loom, shuttle))]
pub(crate) mod thread {
    use std::cell::RefCell;
    use std::io;
    use std::sync::{Arc, PoisonError};
    use std::time::Duration;

    #[cfg(loom)]
    use loom as checker;
    #[cfg(shuttle)]
    use shuttle as checker;

    use checker::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use checker::thread::ThreadId;

    checker::thread_local! {
        static TOKEN: RefCell<Arc<Token>> = RefCell::default();
    }

    #[derive(Debug, Default)]
    struct Token {
        there: Mutex<bool>,
        came: Condvar,
    }

    impl Token {
        fn lock(&self) -> MutexGuard<'_, bool> {
            self.there.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[derive(Clone, Debug)]
    pub(crate) struct Thread {
        id: ThreadId,
        token: Arc<Token>,
    }

    impl Thread {
        pub(crate) fn id(&self) -> ThreadId {
            self.id
        }

        pub(crate) fn unpark(&self) {
            *self.token.lock() = true;
            self.token.came.notify_one();
        }
    }

    pub(crate) fn current() -> Thread {
        Thread {
            id: checker::thread::current().id(),
            token: TOKEN.with(|token| token.borrow().clone()),
        }
    }

    pub(crate) fn park() {
        let token = current().token;
        let mut there = token.lock();
        while !*there {
            there = token.came.wait(there).unwrap_or_else(PoisonError::into_inner);
        }
        *there = false;
    }

    pub(crate) fn park_timeout(time: Duration) {
        if time >= super::AGES {
            return park();
        }
        let token = current().token;
        let unparked = std::mem::take(&mut *token.lock());
        if !unparked {
            checker::thread::yield_now();
        }
    }

    #[derive(Debug)]
    pub(crate) struct JoinHandle<T> {
        handle: checker::thread::JoinHandle<T>,
        thread: Thread,
    }

    impl<T> JoinHandle<T> {
        pub(crate) fn thread(&self) -> &Thread {
            &self.thread
        }

        pub(crate) fn join(self) -> std::thread::Result<T> {
            self.handle.join()
        }
    }

    #[derive(Debug)]
    pub(crate) struct Builder(checker::thread::Builder);

    impl Builder {
        pub(crate) fn new() -> Self {
            Self(checker::thread::Builder::new())
        }

        pub(crate) fn name(self, name: String) -> Self {
            Self(self.0.name(name))
        }

        pub(crate) fn spawn<T: Send + 'static>(
            self,
            run: impl FnOnce() -> T + Send + 'static,
        ) -> io::Result<JoinHandle<T>> {
            let token = Arc::<Token>::default();
            let own = Arc::clone(&token);
            let handle = self.0.spawn(move || {
                TOKEN.with(|token| *token.borrow_mut() = own);
                run()
            })?;
            let id = handle.thread().id();
            Ok(JoinHandle { handle, thread: Thread { id, token } })
        }
    }
}
