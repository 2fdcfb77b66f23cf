//! Programs that lost records, poisoned a log or filled a disk, each under the name it was handed in
//! with, and what must come of it instead. No outcome hangs on time: what pauses gives a wrong log
//! the chance to be wrong, and a right one is right however long anything takes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod after_close;
mod before_damage;
mod bystanders;
mod crash_loop;
mod damaged_readers;
mod doubt;
mod emfile;
mod grown;
mod hooked;
mod last_block;
mod lock;
mod lost_without_a_crash;
mod no_room;
mod non_blocking;
mod opening;
mod oversize;
mod paced;
mod place;
#[cfg(unix)]
mod readers;
mod reopen_race;
mod reused;
mod stale_spare;
mod unreadable;
mod wakers;
mod wide_transform;
mod witness;
mod zeros_after_transform;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs something that must end, whatever it is waiting for; only a hang takes as long.
fn within<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    let runner = thread::spawn(move || done.send(run()).ok());
    match ended.recv_timeout(Duration::from_secs(60)) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match runner.join() {
            Err(cause) => std::panic::resume_unwind(cause),
            Ok(_) => unreachable!("the runner sends or panics"),
        },
    }
}
