//! [`Strategy`]: who syncs, and when, by name.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wal_commit::{FlushThread, GroupCommit, Interval, Os, Parallel, Pipelined, Sync};
use wal_core::{CommitStrategy, Error, Result};

use super::Grouping;
use super::choice::Choice;
use super::millis::Millis;

/// Who syncs, and when.
///
/// In a file, and for [`str::parse`], a strategy is its name or one of the aliases, with `_` or `-`
/// between words:
///
/// | name | aliases | an acknowledged record |
/// |---|---|---|
/// | `sync` | `synchronous`, `always` | is durable |
/// | `group_commit` | | is durable |
/// | `flush_thread` | | is durable |
/// | `pipelined` | | is durable |
/// | `parallel` | | is durable |
/// | `interval` | `batch` | is written, and durable within the time |
/// | `os` | `async`, `volatile` | is with the operating system |
/// | `tokio` (feature `tokio`) | | is durable |
///
/// An interval takes its time along: `strategy = { interval_ms = 5 }`, or `{ batch_ms = 5 }`. The
/// bare name means the table's `max_flush_interval_ms` where the [`Config`](crate::Config) has a
/// [`Grouping`], and else 10 ms.
///
/// The aliases are the words of other logs, and two of them may mislead: `batch` acknowledges
/// before the sync, as nori-wal's `Batch` does, so it is not group commit; and `async` never syncs
/// by itself, while every strategy can be awaited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Choice", into = "Choice")]
#[non_exhaustive]
pub enum Strategy {
    /// One sync an append, before it returns: [`wal_commit::Sync`].
    Sync,
    /// The first waiter syncs for everyone, at once or after the window of
    /// [`Config::group_commit`](crate::Config::group_commit): [`wal_commit::GroupCommit`].
    #[default]
    GroupCommit,
    /// A thread syncs at an age or a number of records, those of
    /// [`Config::group_commit`](crate::Config::group_commit) or else 10 ms and 100:
    /// [`wal_commit::FlushThread`].
    FlushThread,
    /// One thread writes while another syncs: [`wal_commit::Pipelined`].
    Pipelined,
    /// Four threads, whose syncs overlap where the store allows it: [`wal_commit::Parallel`]. For
    /// stores far away; files allow one sync at a time.
    Parallel,
    /// A thread syncs within this time, and nobody waits for it: [`wal_commit::Interval`]. A power
    /// cut loses what was appended within the time before it.
    Interval(Duration),
    /// The operating system decides: [`wal_commit::Os`]. A power cut loses what it had not written
    /// back.
    Os,
    /// A task on the Tokio runtime that the log is opened in: [`wal_commit::TokioCommit`]. Opening
    /// the log outside a runtime is an error.
    #[cfg(feature = "tokio")]
    Tokio,
}

impl Strategy {
    /// Its name in a file, without the time of an interval.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::GroupCommit => "group_commit",
            Self::FlushThread => "flush_thread",
            Self::Pipelined => "pipelined",
            Self::Parallel => "parallel",
            Self::Interval(_) => "interval",
            Self::Os => "os",
            #[cfg(feature = "tokio")]
            Self::Tokio => "tokio",
        }
    }

    pub(super) fn validate(self) -> Result<()> {
        match self {
            Self::Interval(within) => Millis(within).validate("strategy.interval_ms"),
            _ => Ok(()),
        }
    }

    /// The strategy for one log. Starts nothing yet.
    #[cfg_attr(
        not(feature = "tokio"),
        expect(clippy::unnecessary_wraps, reason = "only the runtime can be missing")
    )]
    pub(super) fn build(self, grouping: Option<Grouping>) -> Result<Arc<dyn CommitStrategy>> {
        Ok(match self {
            Self::Sync => Arc::new(Sync::new()),
            Self::GroupCommit => Arc::new(match grouping {
                Some(grouping) => GroupCommit::with_window(grouping.window()),
                None => GroupCommit::new(),
            }),
            Self::FlushThread => {
                let Grouping { max_flush_interval, max_batch_size, .. } =
                    grouping.unwrap_or_default();
                Arc::new(FlushThread::with_trigger(max_flush_interval, max_batch_size))
            }
            Self::Pipelined => Arc::new(Pipelined::new()),
            Self::Parallel => Arc::new(Parallel::new(4)),
            Self::Interval(within) => Arc::new(Interval::new(within)),
            Self::Os => Arc::new(Os::new()),
            #[cfg(feature = "tokio")]
            Self::Tokio => Arc::new(on_this_runtime()?),
        })
    }
}

#[cfg(feature = "tokio")]
fn on_this_runtime() -> Result<wal_commit::TokioCommit> {
    let outside = |cause| {
        let what = "is tokio, and the log is opened outside a Tokio runtime";
        super::invalid("strategy", what).because(cause)
    };
    let runtime = tokio::runtime::Handle::try_current().map_err(outside)?;
    Ok(wal_commit::TokioCommit::on(runtime))
}

impl FromStr for Strategy {
    type Err = Error;

    /// The strategy of this name or alias; an interval is one of 10 ms.
    ///
    /// - [`Invalid`](wal_core::ErrorKind::Invalid): there is no such strategy.
    /// - [`Unsupported`](wal_core::ErrorKind::Unsupported): it is there with the feature `tokio`.
    fn from_str(name: &str) -> Result<Self> {
        name.parse::<Choice>().map(Self::from)
    }
}
