//! [`World`]: a log on a simulated disk, and what was acknowledged on it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicBool, AtomicU32};
use shuttle::sync::{Mutex, MutexGuard, PoisonError};
use shuttle::thread::{self, JoinHandle};
use wal_commit::{Options, Pipeline};
use wal_core::{CommitStrategy, Error, ErrorKind, Lsn, Result};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{Hooked, Step, left_of, start};

/// A log, its disk, and the records that were acknowledged as durable.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) log: Arc<Pipeline>,
    pub(crate) disk: SimDisk,
    acknowledged: Arc<Mutex<Acknowledged>>,
    /// Whether a sync that had failed was tried again.
    tried_again: Arc<AtomicBool>,
}

type Acknowledged = Vec<(Lsn, Vec<u8>)>;

/// What becomes of the steps of the store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// All go well.
    Well,
    /// One step fails, once.
    Fails,
    /// No room for a while, for what takes room.
    Full,
    /// One step panics, unless the thread is the log's own: shuttle takes that for a failure.
    Panics,
}

impl World {
    pub(crate) fn new(strategy: impl CommitStrategy + 'static, options: Options) -> Self {
        Self::with(strategy, options, Fate::Well)
    }

    pub(crate) fn with(
        strategy: impl CommitStrategy + 'static,
        options: Options,
        fate: Fate,
    ) -> Self {
        Self::overlapping(strategy, options, fate, 1)
    }

    /// On a store that lets so many syncs of a segment overlap.
    pub(crate) fn overlapping(
        strategy: impl CommitStrategy + 'static,
        options: Options,
        fate: Fate,
        syncs: u32,
    ) -> Self {
        let disk = SimDisk::new(Profile::STRICT);
        let bad = thread_rng().gen_range(0..25);
        let until = bad + thread_rng().gen_range(1..6);
        // Counted by shuttle's own, so that every step of the store is one of the schedule.
        let steps = AtomicU32::new(0);
        let failed_sync = Mutex::new(None);
        let tried_again = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&tried_again);
        let store = Hooked::new(SimStore::new(disk.clone()), move |step| {
            let now = steps.fetch_add(1, Ordering::SeqCst);
            let takes_room = matches!(step, Step::Create(_) | Step::Append(..) | Step::Sync(_));
            if matches!(step, Step::Sync(_)) && *noted(&failed_sync) == Some(step) {
                seen.store(true, Ordering::SeqCst);
            }
            let outcome = match fate {
                Fate::Fails if now == bad => Err(io::Error::other(format!("{step:?} failed"))),
                Fate::Full if takes_room && (bad..until).contains(&now) => {
                    Err(io::Error::new(io::ErrorKind::StorageFull, format!("no room to {step:?}")))
                }
                Fate::Panics if now == bad && thread::current().name().is_none() => {
                    // Not by the hook, which would print a page of it thousands of times.
                    resume_unwind(Box::new(format!("the store dies at {step:?}")))
                }
                _ => Ok(()),
            };
            if outcome.is_err() && matches!(step, Step::Sync(_)) {
                *noted(&failed_sync) = Some(step);
            }
            outcome
        });
        let log = start(store.overlapping_syncs(syncs), Arc::new(strategy), options).unwrap();
        Self { log, disk, acknowledged: Arc::default(), tried_again }
    }

    /// A thread of the world. Its own panics end the run, those of the store do not.
    pub(crate) fn spawn(&self, run: impl FnOnce(&Self) + Send + 'static) -> JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || run(&world))
    }

    /// Appends, waits, and notes the acknowledgement if there is one.
    pub(crate) fn commit(&self, record: &[u8]) -> Result<Lsn> {
        let lsn = self.append(record)?;
        self.wait(lsn, record)?;
        Ok(lsn)
    }

    /// Appends, again where there was no room. An append that failed with its LSN is staged.
    pub(crate) fn append(&self, record: &[u8]) -> Result<Lsn> {
        loop {
            match alive(|| self.log.append(record)) {
                Err(error) if error.kind() == ErrorKind::StorageFull => match error.at_lsn() {
                    Some(lsn) => return Ok(lsn),
                    None => thread::yield_now(),
                },
                result => return result,
            }
        }
    }

    /// Waits, again where there was no room.
    pub(crate) fn wait(&self, lsn: Lsn, record: &[u8]) -> Result<()> {
        loop {
            match self.wait_once(lsn) {
                Err(error) if error.kind() == ErrorKind::StorageFull => thread::yield_now(),
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        self.acknowledge(lsn, record);
        Ok(())
    }

    /// Waits, blocking or as a task.
    pub(crate) fn wait_once(&self, lsn: Lsn) -> Result<()> {
        let task = thread_rng().gen_bool(0.4);
        alive(|| {
            if task {
                shuttle::future::block_on(self.log.wait_async(lsn))
            } else {
                self.log.wait(lsn)
            }
        })
    }

    /// Syncs a few times. Who is told that the log is poisoned finds it closed to appends.
    pub(crate) fn sync(&self) {
        for _ in 0..3 {
            if let Err(error) = alive(|| self.log.sync())
                && error.kind() == ErrorKind::Poisoned
            {
                assert!(self.log.append(b"more").is_err(), "appended after {error:?}");
                return;
            }
        }
    }

    /// Closes, as a call that may die with the store.
    pub(crate) fn close(&self) -> Result<()> {
        alive(|| self.log.close())
    }

    /// A power cut right after the acknowledgement must leave the record.
    pub(crate) fn acknowledge(&self, lsn: Lsn, record: &[u8]) {
        let left = left_of(&self.disk);
        assert!(left.last_lsn() >= lsn, "{lsn} acknowledged, {} is left", left.last_lsn());
        assert_eq!(left.record(lsn), record, "{lsn}");
        noted(&self.acknowledged).push((lsn, record.to_vec()));
    }

    /// Waits without telling anyone.
    pub(crate) fn until_durable(&self, lsn: Lsn) {
        while self.log.durable_lsn() < lsn {
            thread::yield_now();
        }
    }

    /// Everything acknowledged is there, whatever came after.
    pub(crate) fn check(&self) {
        let left = left_of(&self.disk);
        for (lsn, record) in &*noted(&self.acknowledged) {
            assert!(left.last_lsn() >= *lsn, "{lsn} was acknowledged and is lost");
            assert_eq!(left.record(*lsn), record, "{lsn}");
        }
        assert!(left.last_lsn() >= self.log.durable_lsn(), "the watermark is ahead of the disk");
        assert!(!self.tried_again.load(Ordering::SeqCst), "synced again after a failed sync");
    }
}

/// All threads are one under shuttle, and a panic of one poisons what another holds.
fn noted<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The result of a call that may die with the store; then it counts as an error.
fn alive<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Io, "the call died with the store")))
}

/// Starts all of these threads, then waits for their ends.
pub(crate) fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    let threads: Vec<_> = threads.into_iter().collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
