//! The scenarios can fail: each finds a log that is broken on purpose.

use std::panic::catch_unwind;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use shuttle::sync::atomic::AtomicBool;
use shuttle::sync::{Mutex, TryLockError};
use wal_commit::{Os, Sync};
use wal_core::{Acknowledgement, CommitStrategy, Flush, Lsn, Result, Waiter};

use crate::common::{left_of, one_segment};
use crate::explore_by;
use crate::locking::{Kept, a_poisoned_close};
use crate::world::{World, join};

/// Says the failure that an exploration ends with. The same orders always: what they find is known.
fn failure_of(scenario: fn()) -> Option<String> {
    failure_by(1, scenario)
}

fn failure_by(seed: u64, scenario: fn()) -> Option<String> {
    let panic = catch_unwind(|| explore_by(seed, 4000, scenario)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).or(Some(String::new()))
}

/// A group commit reduced to the hand-over, right or with one thing wrong.
struct Twin {
    defect: Defect,
    log: OnceLock<Arc<dyn Flush>>,
    baton: Mutex<()>,
    heir: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    /// Who comes during a flush leaves it at that.
    NoHeir,
    /// The heir gives the place free only after it has taken the stage.
    HeirLeavesLate,
    /// The heir flushes for itself alone.
    SelfishHeir,
}

impl Twin {
    fn new(defect: Defect) -> Self {
        let (log, baton, heir) = (OnceLock::new(), Mutex::new(()), AtomicBool::new(false));
        Self { defect, log, baton, heir }
    }

    fn lead(&self, lsn: Lsn) -> Result<()> {
        let log = self.log.get().unwrap();
        if log.durable() >= lsn {
            return Ok(());
        }
        log.write()?;
        log.sync()
    }
}

impl std::fmt::Debug for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.defect.fmt(f)
    }
}

impl CommitStrategy for Twin {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        self.log.set(log).ok();
        Ok(())
    }

    fn staged(&self, _lsn: Lsn, _: Waiter) -> Result<()> {
        Ok(())
    }

    fn waiting(&self, lsn: Lsn, _waiter: Waiter) -> Result<()> {
        match self.baton.try_lock() {
            Ok(_baton) => return self.lead(lsn),
            Err(TryLockError::WouldBlock) if self.defect == Defect::NoHeir => return Ok(()),
            Err(_) if self.heir.swap(true, Ordering::SeqCst) => return Ok(()),
            Err(_) => {}
        }
        let _baton = self.baton.lock().unwrap();
        if self.defect != Defect::HeirLeavesLate {
            self.heir.store(false, Ordering::SeqCst);
        }
        let led = match self.defect {
            Defect::SelfishHeir => self.lead(lsn),
            _ => self.lead(self.log.get().unwrap().staged()),
        };
        if self.defect == Defect::HeirLeavesLate {
            self.heir.store(false, Ordering::SeqCst);
        }
        led
    }

    fn stop(&self) {}
}

fn three_waiters(defect: Defect) {
    let world = World::new(Twin::new(defect), one_segment());
    join((0..3).map(|name| {
        world.spawn(move |world| {
            for n in 0..2 {
                let lsn = world.log.append(&[name, n]).unwrap();
                world.log.wait(lsn).unwrap();
            }
        })
    }));
}

#[test]
fn the_right_twin_is_right() {
    assert_eq!(failure_of(|| three_waiters(Defect::None)), None);
}

#[test]
fn a_missing_heir_is_found() {
    assert!(failure_of(|| three_waiters(Defect::NoHeir)).unwrap().contains("deadlock"));
}

/// The rarest of them: three in eleven seeds of 4,000 orders met it, so it is looked for by many.
#[test]
fn an_heir_that_leaves_late_is_found() {
    let late = || three_waiters(Defect::HeirLeavesLate);
    let failure = (1..=100).find_map(|seed| failure_by(seed, late));
    assert!(failure.unwrap().contains("deadlock"));
}

#[test]
fn a_selfish_heir_is_found() {
    assert!(failure_of(|| three_waiters(Defect::SelfishHeir)).unwrap().contains("deadlock"));
}

/// Under `Os` a wait means "written"; taken for "durable" it is an acknowledgement before the sync.
#[test]
fn an_acknowledgement_before_the_sync_is_found() {
    let failure = failure_of(|| {
        let world = World::new(Os::new(), one_segment());
        join((0..2).map(|name| {
            world.spawn(move |world| {
                world.commit(&[name]).unwrap();
            })
        }));
        assert!(left_of(&world.disk).records.is_empty(), "nobody synced");
    });
    assert!(failure.unwrap().contains("acknowledged, 0 is left"));
}

/// C1: a lock that is free before the close has waited for those who are inside the store.
#[test]
fn a_lock_that_goes_first_is_found() {
    let failure = failure_of(|| a_poisoned_close(Sync::new(), Kept::ByThoseWhoClose));
    let failure = failure.expect("nothing was found");
    // By who is met in the store, or by the lock that the store itself keeps for its writers.
    let said = ["let its lock go", "outlived the log's lock"];
    assert!(said.iter().any(|said| failure.contains(said)), "{failure}");
}
