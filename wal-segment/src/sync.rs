//! What the file store's threads meet at: the standard library's, or in its place a model checker's
//! (shuttle), which tries out the orders in which threads can take their steps.
//!
//! `Arc` and `OnceLock` are the standard library's everywhere: nothing is concluded from a count,
//! and what is set once is set and read next to steps that a checker does see.

#![allow(unexpected_cfgs, reason = "`shuttle` is set by hand, for a model checker")]

#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicU64},
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::atomic::{AtomicBool, AtomicU64},
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};

pub(crate) use std::sync::PoisonError;
pub(crate) use std::sync::atomic::Ordering;

/// Takes a lock. A panic of another thread that held it left the state as good as any other moment:
/// what these locks guard is changed in single steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the condition.
pub(crate) fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).unwrap_or_else(PoisonError::into_inner)
}
