//! [`Syncs`]: one sync at a time, and none after a failure.

use std::io;
use std::sync::OnceLock;

use wal_core::Fenced;

use super::preparation::is_full;
use crate::sync::{self, Mutex};

/// The syncs of one open file, or of one directory.
///
/// - No two overlap. Linux tells a failed write-back to an open file once: of two syncs at the same
///   time one gets the error, and the other returns as if its bytes were safe.
/// - After a failure there is no further sync. The pages that could not be written count as clean,
///   so the next sync succeeds and has written nothing.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    turn: Mutex<()>,
    failure: OnceLock<Failure>,
}

#[derive(Debug)]
struct Failure {
    kind: io::ErrorKind,
    /// Another writer has the place.
    fenced: bool,
    what: String,
}

impl Syncs {
    /// Waits for its turn and syncs, unless an earlier sync failed.
    pub(super) fn run(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let _turn = sync::lock(&self.turn);
        self.check()?;
        sync().map_err(|error| {
            let failure = self.failure.get_or_init(|| Failure::of(&error));
            failure.error(failure.what.clone())
        })
    }

    /// Fails as the first failed sync did, if there was one. Does not wait for one that is running.
    pub(super) fn check(&self) -> io::Result<()> {
        match self.failure.get() {
            None => Ok(()),
            Some(failure) => {
                let what = format!("refused, since an earlier sync failed: {}", failure.what);
                Err(failure.error(what))
            }
        }
    }
}

impl Failure {
    fn of(error: &io::Error) -> Self {
        // These two kinds mean "make room, or just call again": neither helps a failed sync.
        let again = is_full(error) || error.kind() == io::ErrorKind::Interrupted;
        let kind = if again { io::ErrorKind::Other } else { error.kind() };
        Self { kind, fenced: Fenced::is_source_of(error), what: error.to_string() }
    }

    fn error(&self, what: String) -> io::Error {
        if self.fenced { Fenced(what).into() } else { io::Error::new(self.kind, what) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_is_never_tried_again() {
        let syncs = Syncs::default();
        syncs.run(|| Ok(())).unwrap();
        let first = syncs.run(|| Err(io::ErrorKind::BrokenPipe.into())).unwrap_err();
        let second = syncs.run(|| panic!("synced again")).unwrap_err();
        assert_eq!(first.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(second.kind(), first.kind());
        assert!(second.to_string().contains(&first.to_string()), "{second}");
        assert_eq!(syncs.check().unwrap_err().kind(), first.kind());
    }

    #[test]
    fn a_failed_sync_never_asks_to_be_repeated() {
        for kind in
            [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::Interrupted]
        {
            let syncs = Syncs::default();
            assert_eq!(syncs.run(|| Err(kind.into())).unwrap_err().kind(), io::ErrorKind::Other);
            assert_eq!(syncs.check().unwrap_err().kind(), io::ErrorKind::Other);
        }
    }
}
