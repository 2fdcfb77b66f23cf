//! The strategies that are a thread or two and nothing else: how such a thread rests and is called.
//!
//! The waiters here tell the strategy nothing, so that a record has only its own append to rely on.

use std::time::Duration;

use loom::thread;
use wal_commit::{FlushThread, Parallel, Pipelined};
use wal_core::{CommitStrategy, ErrorKind, Lsn};

use crate::every_order;
use crate::numbers::{Fate, Log};

/// A thread that is due whenever anything is staged, and is never told of a number: rest and call.
fn flush_thread() -> FlushThread {
    FlushThread::with_trigger(Duration::ZERO, u64::MAX)
}

/// The thread goes to rest beside the append: the thread sees the record, or the append the rest.
fn one_record(log: &Log<impl CommitStrategy + 'static>) {
    let lsn = log.append();
    log.wait_unasked(lsn).unwrap();
    log.strategy.stop();
}

#[test]
fn one_record_for_a_flush_thread() {
    every_order(3, || one_record(&Log::new(flush_thread(), Fate::Well)));
}

/// Here there are two rests: the writer's beside the append, the syncer's beside the write.
#[test]
fn one_record_for_a_pipeline_of_two() {
    every_order(2, || one_record(&Log::new(Pipelined::new(), Fate::Well)));
}

/// Of two threads that may both take it, one does.
#[test]
fn one_record_for_two_in_parallel() {
    every_order(1, || one_record(&Log::new(Parallel::new(2), Fate::Overlaps)));
}

/// The thread has been awake, and goes back to rest beside the second record.
fn one_record_after_the_other(log: &Log<impl CommitStrategy + 'static>) {
    for _ in 0..2 {
        let lsn = log.append();
        log.wait_unasked(lsn).unwrap();
    }
    log.strategy.stop();
}

#[test]
fn one_record_after_the_other_for_a_flush_thread() {
    every_order(3, || one_record_after_the_other(&Log::new(flush_thread(), Fate::Well)));
}

#[test]
fn one_record_after_the_other_for_a_pipeline_of_two() {
    every_order(2, || one_record_after_the_other(&Log::new(Pipelined::new(), Fate::Well)));
}

/// Two appends call at once, and the first of them has taken it on itself to wake the thread.
#[test]
fn two_appends_at_once() {
    every_order(2, || {
        let log = Log::new(flush_thread(), Fate::Well);
        let other = log.clone();
        let other = thread::spawn(move || {
            other.append();
        });
        log.append();
        log.wait_unasked(Lsn::new(2)).unwrap();
        other.join().unwrap();
        log.strategy.stop();
    });
}

/// A thread is told to stop while it goes to rest, works, or has not begun: it ends.
#[test]
fn a_stop_ends_every_thread() {
    every_order(3, || {
        let log = Log::new(flush_thread(), Fate::Well);
        log.append();
        log.strategy.stop();
    });
    every_order(2, || {
        let log = Log::new(Pipelined::new(), Fate::Well);
        log.append();
        log.strategy.stop();
    });
}

/// A sync fails: the waiter is told, the threads end, and a stop finds them so.
#[test]
fn a_failed_sync_ends_every_thread() {
    fn fails(log: &Log<impl CommitStrategy + 'static>) {
        let lsn = log.append();
        assert_eq!(log.wait_unasked(lsn).unwrap_err().kind(), ErrorKind::Poisoned);
        log.strategy.stop();
    }
    every_order(3, || fails(&Log::new(flush_thread(), Fate::FailsAtSync)));
    every_order(2, || fails(&Log::new(Pipelined::new(), Fate::FailsAtSync)));
}

/// No room at first: whoever waits then is told once, and what is staged is tried again unasked.
#[test]
fn a_full_disk_is_tried_again() {
    fn full(log: &Log<impl CommitStrategy + 'static>) {
        let lsn = log.append();
        if let Err(error) = log.wait_unasked(lsn) {
            assert_eq!(error.kind(), ErrorKind::StorageFull);
            log.wait_unasked(lsn).unwrap();
        }
        log.strategy.stop();
    }
    every_order(2, || full(&Log::new(flush_thread(), Fate::Full)));
    every_order(2, || full(&Log::new(Pipelined::new(), Fate::Full)));
}

/// The thread is told of enough records once for each time that it counts them.
#[test]
fn enough_records_twice() {
    every_order(2, || {
        let forever = Duration::from_secs(1 << 32);
        let log = Log::new(FlushThread::with_trigger(forever, 2), Fate::Well);
        for _ in 0..2 {
            log.append();
            let lsn = log.append();
            log.wait_unasked(lsn).unwrap();
        }
        log.strategy.stop();
    });
}
