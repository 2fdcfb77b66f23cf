//! [`Turns`]: so many at a time, or one alone.

use std::sync::PoisonError;

use crate::sync::{Condvar, Mutex, MutexGuard};

/// So many may have a turn at the same time, or one may have all of them.
///
/// Who waits for all of them is not passed by those who want one: a segment ends although syncs
/// overlap without end.
#[derive(Debug)]
pub(crate) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
    limit: u32,
}

#[derive(Debug, Default)]
struct State {
    taken: u32,
    /// Those who wait, for whatever.
    waiting: u32,
    /// Those who wait for all of them.
    alone: u32,
    /// Whether somebody panicked during his turn.
    panicked: bool,
}

/// A turn, or all of them; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    taken: u32,
    /// Whether the thread was panicking already when it got the turn: then that is no news.
    panicking: bool,
}

impl Turns {
    /// At the most `limit` at a time, and at least one.
    pub(crate) fn new(limit: u32) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), limit: limit.max(1) }
    }

    /// Waits for a turn; an error, too, is a turn, behind somebody who panicked during his own.
    pub(crate) fn one(&self) -> Result<Turn<'_>, Turn<'_>> {
        let limit = self.limit;
        self.take(self.lock(), 1, |state| state.alone == 0 && state.taken < limit)
    }

    /// Waits until nobody has a turn, and takes all.
    pub(crate) fn all(&self) -> Result<Turn<'_>, Turn<'_>> {
        let mut state = self.lock();
        state.alone += 1;
        let turn = self.take(state, self.limit, |state| state.taken == 0);
        self.lock().alone -= 1;
        turn
    }

    fn take<'a>(
        &'a self,
        mut state: MutexGuard<'_, State>,
        taken: u32,
        free: impl Fn(&State) -> bool,
    ) -> Result<Turn<'a>, Turn<'a>> {
        while !free(&state) {
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.taken += taken;
        let turn = Turn { turns: self, taken, panicking: std::thread::panicking() };
        if state.panicked { Err(turn) } else { Ok(turn) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.taken -= self.taken;
        state.panicked |= !self.panicking && std::thread::panicking();
        let waiting = state.waiting;
        drop(state);
        if waiting > 0 {
            self.turns.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    /// Threads that take turns as they come, and one that wants all of them again and again: never
    /// more than the limit, and alone is alone.
    #[test]
    fn so_many_at_a_time_or_one_alone() {
        let turns = Turns::new(3);
        let running = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let _turn = turns.one().unwrap();
                        assert!(running.fetch_add(1, Ordering::SeqCst) < 3);
                        thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..200 {
                    let _turn = turns.all().unwrap();
                    assert_eq!(running.swap(100, Ordering::SeqCst), 0);
                    thread::yield_now();
                    assert_eq!(running.swap(0, Ordering::SeqCst), 100);
                }
            });
        });
    }

    /// A turn is free, and who wants one does not get it before him who waits for all.
    #[test]
    fn who_waits_for_all_is_not_passed() {
        let turns = Turns::new(2);
        let (all_had, one_had) = (AtomicU32::new(0), AtomicU32::new(0));
        let waiting = |count| {
            while turns.lock().waiting < count {
                assert_eq!(one_had.load(Ordering::SeqCst), 0, "passed");
                thread::yield_now();
            }
        };
        thread::scope(|scope| {
            let held = turns.one().unwrap();
            scope.spawn(|| {
                let _all = turns.all().unwrap();
                all_had.store(1, Ordering::SeqCst);
            });
            waiting(1);
            scope.spawn(|| {
                let _turn = turns.one().unwrap();
                one_had.store(1, Ordering::SeqCst);
                assert_eq!(all_had.load(Ordering::SeqCst), 1, "passed");
            });
            waiting(2);
            drop(held);
        });
    }

    #[test]
    fn there_is_always_a_turn() {
        assert_eq!(Turns::new(0).limit, 1);
    }

    #[test]
    fn a_panic_during_a_turn_is_told_to_all_who_come_after() {
        let turns = Turns::new(2);
        let panics = catch_unwind(AssertUnwindSafe(|| {
            let _turn = turns.one().unwrap();
            panic!("on purpose");
        }));
        assert!(panics.is_err());
        assert!(turns.one().is_err());
        assert!(turns.all().is_err());
    }
}
