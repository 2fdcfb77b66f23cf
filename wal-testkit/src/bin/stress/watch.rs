//! A log that hangs is found out: nothing has gone on for a long time.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Goes up with everything that goes on.
pub(crate) static PROGRESS: AtomicU64 = AtomicU64::new(0);

/// What is going on.
static NOW: Mutex<String> = Mutex::new(String::new());

/// Far longer than anything takes, on a machine that does a hundred other things.
const LONG: u32 = 300;

/// Says what is going on from here on.
pub(crate) fn now(what: String) {
    *NOW.lock().unwrap_or_else(PoisonError::into_inner) = what;
    PROGRESS.fetch_add(1, SeqCst);
}

/// Calls `hangs` with what was going on when nothing has gone on for so long.
pub(crate) fn start(hangs: impl FnOnce(&str) + Send + 'static) {
    thread::spawn(move || {
        let (mut seen, mut seconds) = (PROGRESS.load(SeqCst), 0);
        while seconds < LONG {
            thread::sleep(Duration::from_secs(1));
            let now = PROGRESS.load(SeqCst);
            seconds = if now == seen { seconds + 1 } else { 0 };
            seen = now;
        }
        hangs(&NOW.lock().unwrap_or_else(PoisonError::into_inner));
    });
}
