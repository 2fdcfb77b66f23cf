//! Waiting for what must happen, and giving up.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::law::Saw;

/// After so long something that should have happened counts as hanging. Far longer than any work
/// here takes on the slowest machine: a hang is what is told from it, and nothing else.
const PATIENCE: Duration = Duration::from_secs(10);

/// For what must not happen: so long it has time to. Whoever is slower gets away with it, and nobody
/// is accused wrongly.
const GLANCE: Duration = Duration::from_millis(500);

/// Does the work on a thread of its own, and says whether it was done before `at_last` let it go on.
/// It ends in any case.
pub(super) fn done_before<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
    at_last: impl FnOnce(),
) -> Result<(bool, T), Saw> {
    let (sender, receiver) = sync_channel(1);
    let spawned = thread::Builder::new().name(what.to_owned()).spawn(move || {
        let _ = sender.send(work());
    });
    spawned.map_err(|error| Saw::new(format!("no thread for {what}: {error}")))?;
    let early = receiver.recv_timeout(GLANCE);
    at_last();
    match early {
        Ok(done) => Ok((true, done)),
        Err(RecvTimeoutError::Disconnected) => Err(Saw::new(format!("{what} panics"))),
        Err(RecvTimeoutError::Timeout) => match receiver.recv_timeout(PATIENCE) {
            Ok(done) => Ok((false, done)),
            Err(RecvTimeoutError::Timeout) => Err(Saw::new(format!("{what} hangs"))),
            Err(RecvTimeoutError::Disconnected) => Err(Saw::new(format!("{what} panics"))),
        },
    }
}

/// Does the work on a thread of its own. One that hangs is left behind, with what it holds.
pub(super) fn patiently<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Saw> {
    patiently_for(Duration::ZERO, what, &String::new, work)
}

/// As [`patiently`], for work that may take so much longer. Where it hangs, `meanwhile` tells what
/// happened all the time.
pub(super) fn patiently_for<T: Send + 'static>(
    longer: Duration,
    what: &str,
    meanwhile: &dyn Fn() -> String,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Saw> {
    let (sender, receiver) = sync_channel(1);
    let spawned = thread::Builder::new().name(what.to_owned()).spawn(move || {
        // Nobody listens any more once the work counts as hanging.
        let _ = sender.send(work());
    });
    spawned.map_err(|error| Saw::new(format!("no thread for {what}: {error}")))?;
    receiver.recv_timeout(PATIENCE.saturating_add(longer)).map_err(|error| match error {
        RecvTimeoutError::Timeout => Saw::new(format!("{what} hangs{}", meanwhile())),
        RecvTimeoutError::Disconnected => Saw::new(format!("{what} panics")),
    })
}
