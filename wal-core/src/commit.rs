//! The commit seam: who writes and syncs, and when.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Error, Lsn, Result};

/// Decides when staged records are written and synced. Everything else, staging, framing, rotation,
/// waiting, failing, is the pipeline's and the same for every strategy.
///
/// The pipeline calls [`start`](Self::start) once, then [`staged`](Self::staged) and
/// [`waiting`](Self::waiting) from any thread at any time, and [`stop`](Self::stop) once. A strategy
/// answers by calling [`Flush::write`] and [`Flush::sync`], from those calls or from threads of its
/// own.
pub trait CommitStrategy: Send + Sync + fmt::Debug {
    /// What an acknowledgement means under this strategy: what has happened to a record when a wait
    /// for it returns. Constant.
    fn acknowledges(&self) -> Acknowledgement;

    /// The log is open: keep `log`, start threads. Called once, before everything else.
    fn start(&self, log: Arc<dyn Flush>) -> Result<()>;

    /// Everything through `lsn` is staged. Called after every append, on the appending thread, which
    /// waits for the return.
    ///
    /// - For [`Waiter::Thread`] a strategy may block here, and so makes appends wait for the disk.
    /// - For [`Waiter::Task`] it must not: the append is one that never waits, or a task's. What the
    ///   strategy does for a record at its append is then done by a thread of its own, soon.
    fn staged(&self, lsn: Lsn, appender: Waiter) -> Result<()>;

    /// Someone is about to wait for `lsn` to be acknowledged, and is registered already.
    ///
    /// - From here on the strategy must see to it that `lsn` is acknowledged, with no further call.
    /// - For [`Waiter::Thread`] it may use the calling thread for that, and block; returning early
    ///   is fine, the thread then waits.
    /// - For [`Waiter::Task`] it must not block: the thread belongs to an async runtime.
    /// - For [`Waiter::Nobody`] it must not block either, and may do nothing at all.
    /// - An error is handed to the waiter. One that [`Flush`] returned has reached all waiters.
    fn waiting(&self, lsn: Lsn, waiter: Waiter) -> Result<()>;

    /// The log is closing: finish what is under way, end all threads, let go of the log. Nothing is
    /// staged any more; the pipeline itself writes and syncs what is left after this returns.
    fn stop(&self);
}

/// The half of a log that a strategy drives. All calls are safe from any number of threads.
pub trait Flush: Send + Sync {
    /// The last record staged.
    fn staged(&self) -> Lsn;

    /// The last record written: handed to the store, and so past the death of the process.
    fn written(&self) -> Lsn;

    /// The last record known to be durable.
    fn durable(&self) -> Lsn;

    /// Writes everything staged before the call, as one or more frames, and moves
    /// [`written`](Self::written). May sync, where a segment ends.
    ///
    /// Where there is no room for all of it, what was written has been synced by the time that this
    /// is told: no room for a record keeps nothing from those before it.
    fn write(&self) -> Result<()>;

    /// Syncs once, also where nothing is new, and moves [`durable`](Self::durable) to what was
    /// written before the call.
    fn sync(&self) -> Result<()>;

    /// As [`sync`](Self::sync), and calls `moved` when the mark has moved, if it can be before those
    /// who wait are woken: there the next flush may begin. Not called where the sync fails.
    fn sync_then(&self, moved: &mut dyn FnMut()) -> Result<()>;

    /// Poisons the log: nobody will flush it any more. For a strategy whose thread or runtime has
    /// died; everyone who waits, now or later, gets an error.
    fn abandon(&self, why: Error);
}

/// Who waits, or appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waiter {
    /// A thread that may be blocked, and put to work.
    Thread,
    /// A task of an async runtime, or another caller that must not be blocked.
    Task,
    /// Nobody, but so much is staged that it is worth a flush while staging goes on: else an append
    /// finds the stage full before long, and has to do it.
    Nobody,
}

/// What has happened to a record when a wait for it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acknowledgement {
    /// It is synced: it survives whatever the store's syncs survive.
    Durable,
    /// It is written, and synced within this time also if nothing else ever happens: a power cut
    /// loses at most that much.
    Buffered(Duration),
    /// It is written: handed to the operating system. The death of the process does not lose it, a
    /// power cut may.
    Written,
}
