//! What went wrong with another's record is no answer to somebody whose own has become what he waits for.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use wal_commit::{Options, Pipeline, WhenFull};
use wal_core::{Acknowledgement, CommitStrategy, Error, ErrorKind, Flush, Lsn, Result, Waiter};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{one_segment, start};

/// Flushes, and then tells of a full disk: at an append, or from this one of the waits on.
#[derive(Default)]
struct Odd {
    log: OnceLock<Arc<dyn Flush>>,
    at_staged: bool,
    from: u32,
    asked: AtomicU32,
}

impl Odd {
    fn flush(&self) -> Result<()> {
        let log = self.log.get().unwrap();
        log.write()?;
        log.sync()?;
        Err(Error::new(ErrorKind::StorageFull, "no room for the next one"))
    }
}

impl std::fmt::Debug for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Odd")
    }
}

impl CommitStrategy for Odd {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        assert!(self.log.set(log).is_ok(), "started once");
        Ok(())
    }

    fn staged(&self, _: Lsn, _: Waiter) -> Result<()> {
        if self.at_staged { self.flush() } else { Ok(()) }
    }

    fn waiting(&self, _: Lsn, waiter: Waiter) -> Result<()> {
        if waiter == Waiter::Nobody || self.asked.fetch_add(1, Ordering::SeqCst) < self.from {
            return Ok(());
        }
        self.flush()
    }

    fn stop(&self) {}
}

fn log(strategy: Odd, options: Options) -> Arc<Pipeline> {
    let store = SimStore::new(SimDisk::new(Profile::STRICT));
    start(store, Arc::new(strategy), options).unwrap()
}

/// A log that has no room for one more record.
fn full_log(strategy: Odd) -> Arc<Pipeline> {
    let mut options = one_segment();
    (options.buffer_size, options.when_full) = (1000, WhenFull::Refuse);
    let log = log(strategy, options);
    for _ in 0..10 {
        log.append(&[0; 100]).unwrap();
    }
    log
}

/// A task was told what went wrong although its record had become what it waited for.
#[test]
fn a_task_whose_record_is_durable_is_not_told_of_an_error() {
    let log = log(Odd::default(), one_segment());
    let lsn = log.append(b"record").unwrap();
    pollster::block_on(log.wait_async(lsn)).unwrap();
}

/// So was an append under a strategy that flushes at once (`Sync` and `Os`): the disk was full for what
/// others had staged behind it.
#[test]
fn an_append_whose_record_is_durable_is_not_told_of_an_error() {
    let log = log(Odd { at_staged: true, ..Odd::default() }, one_segment());
    assert_eq!(log.append(b"record").unwrap(), Lsn::FIRST);
    assert_eq!(log.try_append(b"record").unwrap(), Lsn::new(2));
    assert_eq!(log.append_batch(&[b"record"]).unwrap().1, Lsn::new(3));
    assert_eq!(log.append_durable(b"record").unwrap(), Lsn::new(4));
    assert_eq!(log.durable_lsn(), Lsn::new(4));
}

/// And an append that must not wait, for which there was room by then: it can be tried again.
#[test]
fn an_append_that_has_room_by_now_is_not_told_of_an_error() {
    let log = full_log(Odd::default());
    assert_eq!(log.try_append(b"more").unwrap_err().kind(), ErrorKind::Backpressure);
    assert_eq!(log.try_append(b"more").unwrap(), Lsn::new(11));
}

/// And a task that waited for room, whose room came: by the flush that the append asked for, or by the
/// one that its wait did.
#[test]
fn an_append_whose_room_has_come_is_not_told_of_an_error() {
    for from in 0..2 {
        let log = full_log(Odd { from, ..Odd::default() });
        assert_eq!(pollster::block_on(log.append_async(b"more")).unwrap(), Lsn::new(11), "{from}");
    }
}
