//! [`Subject`]: a log under the same work as all others, and [`Entrant`]: what is known of it before
//! it is opened.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

/// A log that is open. Shared between threads; one that has a single writer locks inside.
pub trait Subject: Send + Sync {
    /// Appends a record, and returns when the log says that it is as safe as it makes records.
    fn append_durable(&self, record: &[u8]) -> Result<()>;

    /// The same without blocking the thread; `None` where the log has no such call, and its users
    /// must give it threads.
    fn append_awaited(&self, record: &[u8]) -> Option<Appended>;

    /// Appends this record again and again while `more` says so, without waiting for any, and then
    /// waits once for all.
    fn pipelined(&self, record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()>;

    /// Hands every record of the log to `each`, oldest first, up to the end or to the first error.
    fn read(&self, each: &mut dyn FnMut(&[u8])) -> Result<()>;

    /// Syncs so far, where the log or a seam of it lets them be counted; any starting point will do.
    fn syncs(&self) -> Option<u64>;
}

/// A record on its way; ready when it is as safe as the log makes records.
pub type Appended = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Where, and for what, a log is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Opening {
    /// The directory of the log, made where it is missing.
    pub dir: PathBuf,
    /// How many threads or tasks will append at once, for logs that have a setting for it.
    pub writers: usize,
    /// Every sync takes this much longer; for ours only, which have a seam for it.
    pub sync_delay: Duration,
}

impl Opening {
    /// For one writer, at the disk's own speed.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), writers: 1, sync_delay: Duration::ZERO }
    }
}

/// A log that takes part.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Entrant {
    /// Its name in tables, rows and on the command line.
    pub name: &'static str,
    /// Whose it is.
    pub side: Side,
    /// What its acknowledgement says.
    pub acknowledges: Acknowledges,
    /// How it is set up, and what to know before reading its numbers.
    pub settings: &'static str,
    /// Opens it, and makes it where there is none.
    pub open: fn(&Opening) -> Result<Arc<dyn Subject>>,
}

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The kit's, in which syncs can be made slow.
    Ours,
    /// The kit's under a preset, which is made for slow disks: takes part where syncs are made slow.
    Preset,
    /// No log at all, but the least that the work can cost.
    Floor,
    /// Somebody else's.
    Peer,
}

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledges {
    /// The record survives a power cut.
    Durable,
    /// The record survives the death of the process only, until the log is told to sync.
    NotDurable,
}

impl Entrant {
    /// Whether what it acknowledges survives a power cut.
    pub fn durable(&self) -> bool {
        self.acknowledges == Acknowledges::Durable
    }
}

impl fmt::Debug for Entrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrant")
            .field("name", &self.name)
            .field("side", &self.side)
            .field("acknowledges", &self.acknowledges)
            .finish_non_exhaustive()
    }
}
