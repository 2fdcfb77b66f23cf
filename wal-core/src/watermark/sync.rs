//! What the watermark is built of: the standard library's, or in its place a model checker's, which
//! tries out the orders in which threads can take their steps.
//!
//! `Arc` is the standard library's everywhere: nothing is concluded from a count.

#![allow(unexpected_cfgs, reason = "`loom` and `shuttle` are set by hand, for a model checker")]

#[cfg(loom)]
pub(super) use self::model::{Thread, current, park};
#[cfg(loom)]
pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64};
#[cfg(loom)]
pub(super) use loom::sync::{Mutex, MutexGuard};
#[cfg(loom)]
pub(super) use loom::thread_local;

#[cfg(shuttle)]
pub(super) use shuttle::sync::atomic::{AtomicBool, AtomicU64};
#[cfg(shuttle)]
pub(super) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(shuttle)]
pub(super) use shuttle::thread::{Thread, current, park};
#[cfg(shuttle)]
pub(super) use shuttle::thread_local;

#[cfg(not(any(loom, shuttle)))]
pub(super) use std::sync::atomic::{AtomicBool, AtomicU64};
#[cfg(not(any(loom, shuttle)))]
pub(super) use std::sync::{Mutex, MutexGuard};
#[cfg(not(any(loom, shuttle)))]
pub(super) use std::thread::{Thread, current, park};
#[cfg(not(any(loom, shuttle)))]
pub(super) use std::thread_local;

/// Parking under loom. Its own `unpark` also ends the wait of a thread for a lock, which no real
/// one does, so the token is a lock and a condition here.
#[cfg(loom)]
mod model {
    use std::sync::Arc;

    use loom::sync::{Condvar, Mutex};

    loom::thread_local! {
        static TOKEN: Thread = Thread::default();
    }

    #[derive(Clone, Debug, Default)]
    pub(crate) struct Thread(Arc<Token>);

    #[derive(Debug, Default)]
    struct Token {
        there: Mutex<bool>,
        came: Condvar,
    }

    impl Thread {
        pub(crate) fn unpark(&self) {
            *self.0.there.lock().expect("loom poisons no lock") = true;
            self.0.came.notify_one();
        }
    }

    pub(crate) fn current() -> Thread {
        TOKEN.with(Clone::clone)
    }

    pub(crate) fn park() {
        let token = current().0;
        let mut there = token.there.lock().expect("loom poisons no lock");
        while !*there {
            there = token.came.wait(there).expect("loom poisons no lock");
        }
        *there = false;
    }
}
