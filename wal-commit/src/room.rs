//! [`Room`]: waiting until a full disk has room again.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::sync::{AtomicU64, Condvar, Mutex, wait_a_while};

/// Where those wait who found the disk full. Nobody knows who will make room: whoever may have says
/// so, and after a while they look by themselves.
#[derive(Debug, Default)]
pub(crate) struct Room {
    state: Mutex<State>,
    changed: Condvar,
    /// How many wait. A hint: who is overlooked looks by itself within a second.
    waiting: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// How often somebody may have made room.
    made: u64,
    /// Whether nobody is to wait any more.
    closed: bool,
}

impl Room {
    /// A time to wait from: taken before one looks whether there is room.
    pub(crate) fn now(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).made
    }

    /// Waits until there may be room that was not there `then`; says whether to look again.
    pub(crate) fn wait(&self, then: u64) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed || state.made != then {
            return !state.closed;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let state = wait_a_while(&self.changed, state);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        !state.closed
    }

    /// Something was written: where somebody waits, there is room.
    pub(crate) fn found(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.made();
        }
    }

    /// There may be room now.
    pub(crate) fn made(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).made += 1;
        self.changed.notify_all();
    }

    /// Nobody waits from now on: the log ends.
    pub(crate) fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }
}
