//! A commit strategy that is right, or lies in one way.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wal_core::{Acknowledgement, CommitStrategy, Error, ErrorKind, Flush, Lsn, Result, Waiter};

/// The one way in which a [`LyingStrategy`] lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StrategyLie {
    /// It is honest.
    None,
    /// A task's append flushes on the task's thread.
    BlocksAppendsOfTasks,
    /// A task's wait flushes on the task's thread.
    BlocksTasks,
    /// Once it has started, an acknowledgement means something else.
    ChangesItsMind,
    /// The first failure ends its thread, also where only the disk was full.
    DiesOnAFullDisk,
    /// Only every second wait has a flush.
    FlushesEveryOtherTime,
    /// A stop tells the thread to end, and does not wait for it.
    EndsAMomentLater,
    /// A stop leaves the thread running.
    LeavesItsThread,
    /// Records are written and never synced.
    NeverSyncs,
    /// Calls after the stop panic.
    PanicsAfterTheStop,
    /// A failed sync is tried until it succeeds.
    RetriesASync,
    /// The loss window is looked at when the next record is staged.
    SyncsAtTheNextRecord,
    /// Acknowledged as written, a record waits for a sync all the same.
    WaitsForASync,
}

impl StrategyLie {
    /// Every lie, with the laws that are there to catch it. A lie may break others too.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::BlocksAppendsOfTasks, &["an_append_of_a_task_is_not_blocked"]),
        (Self::BlocksTasks, &["a_task_is_not_blocked"]),
        (Self::ChangesItsMind, &["what_it_acknowledges_is_constant"]),
        (Self::DiesOnAFullDisk, &["a_full_disk_is_told_and_survived"]),
        (Self::EndsAMomentLater, &["a_stop_waits_for_what_is_under_way"]),
        (Self::FlushesEveryOtherTime, &["a_wait_needs_no_further_call"]),
        (Self::LeavesItsThread, &["a_stop_ends_all_threads"]),
        (Self::NeverSyncs, &["every_wait_ends"]),
        (Self::PanicsAfterTheStop, &["calls_after_a_stop_return"]),
        (Self::RetriesASync, &["a_failed_sync_ends_every_wait"]),
        (Self::SyncsAtTheNextRecord, &["the_loss_window_is_bounded"]),
        (Self::WaitsForASync, &["a_weak_acknowledgement_waits_for_no_sync"]),
    ];

    /// What an acknowledgement means where this is the lie.
    pub fn acknowledges(self) -> Acknowledgement {
        match self {
            Self::SyncsAtTheNextRecord => Acknowledgement::Buffered(WINDOW),
            Self::WaitsForASync => Acknowledgement::Written,
            _ => Acknowledgement::Durable,
        }
    }
}

const WINDOW: Duration = Duration::from_millis(20);

/// A strategy that lies in one way, or, with [`StrategyLie::None`], in none: one thread flushes
/// when somebody waits, and where there is a loss window, when that ends.
pub struct LyingStrategy {
    acknowledges: Acknowledgement,
    lie: StrategyLie,
    log: Mutex<Option<Arc<dyn Flush>>>,
    orders: Arc<Orders>,
    thread: Mutex<Option<JoinHandle<()>>>,
    started: AtomicBool,
    waits: AtomicU64,
}

/// What the thread is to do.
#[derive(Debug, Default)]
struct Orders {
    next: Mutex<Order>,
    given: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    #[default]
    Rest,
    Flush,
    Stop,
}

impl LyingStrategy {
    /// A strategy with this lie.
    pub fn new(lie: StrategyLie) -> Self {
        Self::acknowledging(lie.acknowledges(), lie)
    }

    /// An honest strategy whose acknowledgements mean this.
    pub fn honest(acknowledges: Acknowledgement) -> Self {
        Self::acknowledging(acknowledges, StrategyLie::None)
    }

    fn acknowledging(acknowledges: Acknowledgement, lie: StrategyLie) -> Self {
        Self {
            acknowledges,
            lie,
            log: Mutex::default(),
            orders: Arc::default(),
            thread: Mutex::default(),
            started: AtomicBool::new(false),
            waits: AtomicU64::new(0),
        }
    }

    fn after_the_stop(&self) {
        let stopped = self.started.load(Ordering::Relaxed) && lock(&self.log).is_none();
        assert!(!stopped || self.lie != StrategyLie::PanicsAfterTheStop, "stopped already");
    }
}

impl CommitStrategy for LyingStrategy {
    fn acknowledges(&self) -> Acknowledgement {
        if self.lie == StrategyLie::ChangesItsMind && self.started.load(Ordering::Relaxed) {
            return Acknowledgement::Written;
        }
        self.acknowledges
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        *lock(&self.log) = Some(Arc::clone(&log));
        self.started.store(true, Ordering::Relaxed);
        let work = Work { log, lie: self.lie, acknowledges: self.acknowledges };
        let orders = Arc::clone(&self.orders);
        let thread = thread::Builder::new().name("lying-strategy".into());
        let thread = thread.spawn(move || work.run(&orders)).map_err(|cause| {
            Error::new(ErrorKind::Io, "starting the thread failed").because(cause)
        })?;
        *lock(&self.thread) = Some(thread);
        Ok(())
    }

    fn staged(&self, _: Lsn, appender: Waiter) -> Result<()> {
        self.after_the_stop();
        let Some(log) = lock(&self.log).clone() else { return Ok(()) };
        match (self.lie, appender) {
            (StrategyLie::SyncsAtTheNextRecord, _) => log.sync(),
            (StrategyLie::BlocksAppendsOfTasks, Waiter::Task) => {
                log.write().and_then(|()| log.sync())
            }
            _ => Ok(()),
        }
    }

    fn waiting(&self, _: Lsn, waiter: Waiter) -> Result<()> {
        self.after_the_stop();
        let wait = self.waits.fetch_add(1, Ordering::Relaxed);
        if self.lie == StrategyLie::FlushesEveryOtherTime && wait % 2 == 1 {
            return Ok(());
        }
        if self.lie == StrategyLie::BlocksTasks && waiter == Waiter::Task {
            let log = lock(&self.log).clone();
            return log.map_or(Ok(()), |log| log.write().and_then(|()| log.sync()));
        }
        self.orders.give(Order::Flush);
        Ok(())
    }

    fn stop(&self) {
        if self.lie != StrategyLie::LeavesItsThread {
            self.orders.give(Order::Stop);
            if let Some(thread) = lock(&self.thread).take()
                && self.lie != StrategyLie::EndsAMomentLater
            {
                // A panic of the thread has been seen by whoever waited.
                let _ = thread.join();
            }
        }
        lock(&self.log).take();
    }
}

impl Orders {
    /// A stop is the last order there is.
    fn give(&self, order: Order) {
        let mut next = lock(&self.next);
        if *next != Order::Stop {
            *next = order;
        }
        drop(next);
        self.given.notify_all();
    }

    /// The next order; a rest where none came in time.
    fn take(&self, within: Option<Duration>) -> Order {
        let next = lock(&self.next);
        let resting = |order: &mut Order| *order == Order::Rest;
        let mut next = match within {
            None => self.given.wait_while(next, resting).unwrap_or_else(PoisonError::into_inner),
            Some(within) => {
                let waited = self.given.wait_timeout_while(next, within, resting);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        let order = *next;
        if order == Order::Flush {
            *next = Order::Rest;
        }
        order
    }
}

/// What the thread does.
struct Work {
    log: Arc<dyn Flush>,
    lie: StrategyLie,
    acknowledges: Acknowledgement,
}

impl Work {
    fn run(self, orders: &Orders) {
        let window = match self.acknowledges {
            Acknowledgement::Buffered(window) => Some(window / 2),
            _ => None,
        };
        loop {
            let unsynced = self.log.written() > self.log.durable();
            let within = window.filter(|_| unsynced && self.lie == StrategyLie::None);
            let done = match orders.take(within) {
                Order::Stop => return,
                Order::Flush => self.flush(),
                Order::Rest => self.log.sync(),
            };
            // Whoever waits has been told by the log.
            match done {
                Err(_) if self.lie == StrategyLie::DiesOnAFullDisk => return,
                Err(error) if error.kind() == ErrorKind::StorageFull => {}
                Err(_) => return,
                Ok(()) => {}
            }
        }
    }

    fn flush(&self) -> Result<()> {
        if self.lie == StrategyLie::WaitsForASync {
            self.log.sync()?;
        }
        self.log.write()?;
        match (self.acknowledges, self.lie) {
            (_, StrategyLie::NeverSyncs) => Ok(()),
            (Acknowledgement::Durable, StrategyLie::RetriesASync) => {
                while self.log.sync().is_err() {
                    thread::sleep(Duration::from_millis(1));
                }
                Ok(())
            }
            (Acknowledgement::Durable, _) => self.log.sync(),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for LyingStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LyingStrategy")
            .field("acknowledges", &self.acknowledges)
            .field("lie", &self.lie)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
