//! Programs that lost records, poisoned a log or filled a disk, each under the name it was handed in
//! with, and what must come of it instead. No outcome hangs on time: what pauses gives a wrong log
//! the chance to be wrong, and a right one is right however long anything takes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod after_close;
mod crash_loop;
mod emfile;
mod lock;
mod lost_without_a_crash;
mod oversize;
mod paced;
mod place;
mod reopen_race;
mod stale_spare;
mod zeros_after_transform;
