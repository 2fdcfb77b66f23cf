//! [`acknowledge`]: LSNs on stdout, as soon as they may be.

use std::thread;

use wal::{Acknowledgement, Lsn, Wal};

use super::feed::{Feed, Input};
use crate::failure::pipe_closed;
use crate::out::Out;

/// Prints the LSN of every record that `feed` appends, on a line of its own, in order, flushed, once
/// the record is acknowledged; returns when the input has ended and all of it is. Runs on the thread
/// that made the feed.
///
/// Where nobody reads stdout any more, it ends early: the records are still appended.
pub(super) fn acknowledge(wal: &Wal, feed: &Feed) -> anyhow::Result<()> {
    let mut out = Out::new();
    let mut printed = feed.before();
    loop {
        let (appended, input) = feed.appended();
        if appended == printed {
            if input == Input::Ended {
                return Ok(());
            }
            thread::park();
            continue;
        }
        // Waits for the first one missing only. What came with it is printed with it.
        wal.wait_for_lsn(printed.next()).wait()?;
        let through = acknowledged(wal, appended).max(printed.next());
        match print(&mut out, printed, through) {
            Err(error) if pipe_closed(&error) => return Ok(()),
            printed => printed?,
        }
        printed = through;
    }
}

/// The last one acknowledged of the records through `appended`.
fn acknowledged(wal: &Wal, appended: Lsn) -> Lsn {
    match wal.acknowledges() {
        // By the time that an append returns.
        Acknowledgement::Written => appended,
        _ => appended.min(wal.durable_lsn()),
    }
}

fn print(out: &mut Out, printed: Lsn, through: Lsn) -> anyhow::Result<()> {
    for lsn in printed.get() + 1..=through.get() {
        out.text(format_args!("{lsn}"))?;
    }
    out.flush()
}
