//! [`Courier`]: a thread that flushes when somebody waits.

use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use wal_core::{Acknowledgement, CommitStrategy, Error, ErrorKind, Flush, Lsn, Result, Waiter};

/// One thread writes and syncs for everyone who waits; who comes while it is at work is taken along
/// by the next round. A record that nobody waits for stays in memory until the next one that
/// somebody does.
#[derive(Default)]
pub struct Courier {
    at_work: Mutex<Option<AtWork>>,
}

struct AtWork {
    /// Holds one request: a second one would ask for the same.
    requests: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Courier {
    /// The strategy, for one log.
    pub fn new() -> Self {
        Self::default()
    }

    fn at_work(&self) -> MutexGuard<'_, Option<AtWork>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CommitStrategy for Courier {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        let (requests, received) = sync_channel(1);
        let thread = thread::Builder::new().name("courier".into());
        let thread = thread.spawn(move || deliver(&*log, &received)).map_err(|cause| {
            Error::new(ErrorKind::Io, "starting the courier failed").because(cause)
        })?;
        *self.at_work() = Some(AtWork { requests, thread });
        Ok(())
    }

    fn staged(&self, _: Lsn, _: Waiter) -> Result<()> {
        Ok(())
    }

    fn waiting(&self, _: Lsn, _: Waiter) -> Result<()> {
        if let Some(at_work) = &*self.at_work() {
            // Full: a round that is still to come covers this record too.
            at_work.requests.try_send(()).ok();
        }
        Ok(())
    }

    fn stop(&self) {
        let Some(AtWork { requests, thread }) = self.at_work().take() else { return };
        drop(requests);
        // A panic in a flush has reached everyone through the log.
        thread.join().ok();
    }
}

/// Ends when the requests do.
fn deliver(log: &dyn Flush, requests: &Receiver<()>) {
    for () in requests {
        // Whoever waits is told by the log, of failures too; on a full disk the next may succeed.
        log.write().and_then(|()| log.sync()).ok();
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Courier")
    }
}
