//! What the pipeline is built of: the standard library's, or in its place a model checker's, which
//! tries out the orders in which threads can take their steps.
//!
//! `Arc` and `OnceLock` are the standard library's everywhere: nothing is concluded from a count,
//! and what is set once is set and read next to steps that a checker does see.

#![allow(unexpected_cfgs, reason = "`loom` and `shuttle` are set by hand, for a model checker")]

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

/// Threads under shuttle, which knows no time: a tick ends at once, after the others had a turn.
#[cfg(shuttle)]
pub(crate) mod thread {
    use std::time::Duration;

    pub(crate) use shuttle::thread::{Builder, JoinHandle, Thread, current, park};

    pub(crate) fn park_timeout(_: Duration) {
        shuttle::thread::yield_now();
    }
}

/// Threads under loom. It knows no time either; and its own `unpark` also ends the wait of a thread
/// for a lock, which no real one does, so the token is a lock and a condition here.
#[cfg(loom)]
pub(crate) mod thread {
    use std::cell::RefCell;
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use loom::sync::{Condvar, Mutex};
    pub(crate) use loom::thread::ThreadId;

    loom::thread_local! {
        static TOKEN: RefCell<Arc<Token>> = RefCell::default();
    }

    #[derive(Debug, Default)]
    struct Token {
        there: Mutex<bool>,
        came: Condvar,
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
            *self.token.there.lock().expect("loom poisons no lock") = true;
            self.token.came.notify_one();
        }
    }

    pub(crate) fn current() -> Thread {
        Thread {
            id: loom::thread::current().id(),
            token: TOKEN.with(|token| token.borrow().clone()),
        }
    }

    pub(crate) fn park() {
        let token = current().token;
        let mut there = token.there.lock().expect("loom poisons no lock");
        while !*there {
            there = token.came.wait(there).expect("loom poisons no lock");
        }
        *there = false;
    }

    pub(crate) fn park_timeout(_: Duration) {
        let token = current().token;
        let unparked = std::mem::take(&mut *token.there.lock().expect("loom poisons no lock"));
        if !unparked {
            loom::thread::yield_now();
        }
    }

    #[derive(Debug)]
    pub(crate) struct JoinHandle<T> {
        handle: loom::thread::JoinHandle<T>,
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
    pub(crate) struct Builder(loom::thread::Builder);

    impl Builder {
        pub(crate) fn new() -> Self {
            Self(loom::thread::Builder::new())
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
