//! What the pipeline promises, with the standard library's threads.
#![allow(unexpected_cfgs, reason = "`loom` and `shuttle` are set by hand, for a model checker")]
#![cfg(not(any(loom, shuttle)))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod acknowledging;
mod allocating;
mod bystanders;
mod closing;
#[path = "../common/mod.rs"]
mod common;
mod failing;
mod flush_thread;
mod foreign_code;
mod full_disk;
mod layout;
mod lock;
mod parallel;
mod room;
mod strategy;
mod waiting;
mod written_is_synced;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for any machine; only a hang takes as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs something that must end, whatever it is waiting for.
fn within<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    let runner = thread::spawn(move || done.send(run()).ok());
    match ended.recv_timeout(PATIENCE) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match runner.join() {
            Err(cause) => std::panic::resume_unwind(cause),
            Ok(_) => unreachable!("the runner sends or panics"),
        },
    }
}

/// Looks until it is so.
fn eventually(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: never came about");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A place where a step of the store stops until it is let through.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<(bool, bool)>,
    changed: Condvar,
    armed: AtomicBool,
}

impl Gate {
    /// Stops here until the gate is open; from then on it lets everyone through.
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 = true;
        self.changed.notify_all();
        let open = self.changed.wait_timeout_while(state, PATIENCE, |state| !state.1).unwrap();
        assert!(!open.1.timed_out(), "the gate was never opened");
    }

    /// Waits until somebody stands at the gate.
    fn reached(&self) {
        let state = self.state.lock().unwrap();
        let there = self.changed.wait_timeout_while(state, PATIENCE, |state| !state.0).unwrap();
        assert!(!there.1.timed_out(), "nobody came to the gate");
    }

    /// For a gate that is there from some moment on only.
    fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    fn armed(&self) -> bool {
        self.armed.load(Ordering::SeqCst)
    }

    fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
}
