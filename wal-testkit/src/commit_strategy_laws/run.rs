//! [`Run`]: a strategy at work on a log.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use wal_core::{Acknowledgement, CommitStrategy, Error, Flush, Lsn, Result, Waiter, Watermark};

use super::StrategyCase;
use super::driven::{Calls, DrivenLog};
use super::patience::{patiently, patiently_for};
use crate::History;
use crate::law::Saw;

/// A strategy that was started, and the log it drives. Calls that may hang go through a method that
/// notices; a clone is for the thread that makes them.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) log: Arc<DrivenLog>,
    pub(super) strategy: Arc<dyn CommitStrategy>,
    /// Gone once the strategy has let go of the log.
    pub(super) handed_out: Weak<Handle>,
    pub(super) history: History,
    /// What it said before it was started: a wait goes by this.
    pub(super) promised: Acknowledgement,
}

/// Whether the strategy was told that somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Yes,
    /// It has promised to act by itself.
    No,
}

/// What the strategy gets: told from the log itself, so that it shows who still has it.
pub(super) struct Handle(Arc<DrivenLog>);

impl Run {
    pub(super) fn start(case: &StrategyCase<'_>) -> std::result::Result<Self, Saw> {
        let strategy: Arc<dyn CommitStrategy> = case.part_opened()?.into();
        let promised = strategy.acknowledges();
        let log = Arc::new(DrivenLog::new()?);
        let handle = Arc::new(Handle(Arc::clone(&log)));
        let (handed_out, history) = (Arc::downgrade(&handle), case.history().clone());
        let run = Self { log, strategy, handed_out, history, promised };
        let strategy = Arc::clone(&run.strategy);
        run.history.call("start", patiently("start", move || strategy.start(handle))?)?;
        Ok(run)
    }

    /// Stages so many records and tells the strategy.
    pub(super) fn append(&self, records: u64) -> (Lsn, Result<()>) {
        let lsn = self.log.stage(records);
        let told = self.strategy.staged(lsn, Waiter::Thread);
        (lsn, self.history.call(format!("staged {lsn}"), told))
    }

    /// Waits as a thread does.
    pub(super) fn wait(&self, lsn: Lsn) -> Result<()> {
        let waited = self.mark().wait(lsn, || {
            let told = self.strategy.waiting(lsn, Waiter::Thread);
            self.history.call(format!("waiting for {lsn}, a thread"), told)
        });
        self.history.call(format!("waited for {lsn}"), waited)
    }

    /// Appends a record and waits for it; the first error is the one that counts.
    pub(super) fn commit(&self) -> (Lsn, Result<()>) {
        let (lsn, told) = self.append(1);
        (lsn, told.and_then(|()| self.wait(lsn)))
    }

    /// As [`commit`](Self::commit), told from a hang.
    pub(super) fn commit_patiently(&self) -> std::result::Result<(Lsn, Result<()>), Saw> {
        let run = self.clone();
        self.patiently("a wait", Told::Yes, move || run.commit())
    }

    pub(super) fn wait_patiently(&self, lsn: Lsn) -> std::result::Result<Result<()>, Saw> {
        let run = self.clone();
        self.patiently("a wait", Told::Yes, move || run.wait(lsn))
    }

    /// Does what waits for a record on a thread of its own. Where it hangs, the report says what the
    /// strategy did meanwhile.
    pub(super) fn patiently<T: Send + 'static>(
        &self,
        what: &str,
        told: Told,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::result::Result<T, Saw> {
        let longer = match (told, self.promised) {
            (Told::No, Acknowledgement::Buffered(window)) => window,
            _ => Duration::ZERO,
        };
        let since = self.log.calls();
        patiently_for(longer, what, &|| self.meanwhile(since, told), work)
    }

    fn meanwhile(&self, since: Calls, told: Told) -> String {
        let Calls { writes, syncs } = self.log.calls();
        let (writes, syncs) = (writes - since.writes, syncs - since.syncs);
        let (staged, written) = (self.log.staged(), self.log.written());
        let durable = self.log.durable();
        let to_sync = told == Told::No || self.promised == Acknowledgement::Durable;
        let why = match (told, writes, syncs) {
            (Told::Yes, 0, 0) => "it was told of a waiter and did nothing: a wake-up was lost",
            (Told::No, _, 0) => "it was to sync by itself within the window: a timer was forgotten",
            (Told::Yes, _, 0) if to_sync => "it wrote, and never synced",
            (_, 0, _) => "it synced, and did not write what was staged",
            _ => "it flushed, and stopped before the last record",
        };
        format!(
            ", and meanwhile the strategy called write {writes} times and sync {syncs} times; the log \
             is staged through {staged}, written through {written}, durable through {durable}: {why}"
        )
    }

    /// Waits as a task does, on this thread: `told` runs once the strategy has been told.
    pub(super) fn wait_as_task(&self, lsn: Lsn, told: impl FnOnce()) -> Result<()> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut reached = pin!(self.mark().reached(lsn));
        let mut polled = reached.as_mut().poll(&mut context);
        if polled.is_pending() {
            let waiting = self.strategy.waiting(lsn, Waiter::Task);
            self.history.call(format!("waiting for {lsn}, a task"), waiting)?;
        }
        told();
        loop {
            if let Poll::Ready(result) = polled {
                return self.history.call(format!("waited for {lsn}, a task"), result);
            }
            thread::park();
            polled = reached.as_mut().poll(&mut context);
        }
    }

    pub(super) fn stop(&self) -> std::result::Result<(), Saw> {
        self.history.note("stop");
        let strategy = Arc::clone(&self.strategy);
        patiently("a stop", move || strategy.stop())
    }

    /// The mark that a wait waits for.
    fn mark(&self) -> &Watermark {
        match self.promised {
            Acknowledgement::Durable => &self.log.durable,
            _ => &self.log.written,
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Flush for Handle {
    fn staged(&self) -> Lsn {
        self.0.staged()
    }

    fn written(&self) -> Lsn {
        self.0.written()
    }

    fn durable(&self) -> Lsn {
        self.0.durable()
    }

    fn write(&self) -> Result<()> {
        self.0.write()
    }

    fn sync(&self) -> Result<()> {
        self.0.sync()
    }

    fn sync_then(&self, moved: &mut dyn FnMut()) -> Result<()> {
        self.0.sync_then(moved)
    }

    fn abandon(&self, why: Error) {
        self.0.abandon(why);
    }
}
