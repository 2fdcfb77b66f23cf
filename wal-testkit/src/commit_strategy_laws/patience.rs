//! Waiting for what must happen, and giving up.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::law::Saw;

/// After so long something that should have happened counts as hanging. Far longer than any work
/// here takes on the slowest machine: a hang is what is told from it, and nothing else.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does the work on a thread of its own. One that hangs is left behind, with what it holds.
pub(super) fn patiently<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Saw> {
    patiently_for(Duration::ZERO, what, work)
}

/// As [`patiently`], for work that may take so much longer.
pub(super) fn patiently_for<T: Send + 'static>(
    longer: Duration,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Saw> {
    let (sender, receiver) = sync_channel(1);
    let spawned = thread::Builder::new().name(what.to_owned()).spawn(move || {
        // Nobody listens any more once the work counts as hanging.
        let _ = sender.send(work());
    });
    spawned.map_err(|error| Saw::new(format!("no thread for {what}: {error}")))?;
    receiver.recv_timeout(PATIENCE.saturating_add(longer)).map_err(|error| match error {
        RecvTimeoutError::Timeout => Saw::new(format!("{what} hangs")),
        RecvTimeoutError::Disconnected => Saw::new(format!("{what} panics")),
    })
}
