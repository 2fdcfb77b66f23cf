//! Group commit over a log that is reduced to its three numbers: whoever waits is led for, whatever
//! the threads' steps are, and the helper thread sleeps only while there is nothing to do.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use loom::thread;
use wal_commit::GroupCommit;
use wal_core::{CommitStrategy, Flush, Lsn, Waiter};

use crate::every_order;
use crate::numbers::{Fate, Log};

fn log(fate: Fate) -> Log<GroupCommit> {
    Log::new(GroupCommit::new(), fate)
}

/// A leader wakes those whose records it has made durable, and one of them takes its time: until the
/// next record is durable, which it is, for the next leader does not wait for the waking.
#[test]
fn the_next_flush_waits_for_no_waking() {
    struct UntilTheNext(Log<GroupCommit>);
    impl Wake for UntilTheNext {
        fn wake(self: Arc<Self>) {
            self.0.wait_unasked(Lsn::new(2)).unwrap();
        }
    }
    every_order(1, || {
        let log = log(Fate::Well);
        let first = log.append();
        let waker = Waker::from(Arc::new(UntilTheNext(log.clone())));
        let mut slow = pin!(log.numbers.durable.reached(first));
        assert!(slow.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let next = log.committer(Waiter::Thread);
        log.wait(first, Waiter::Thread).unwrap();
        next.join().unwrap().unwrap();
        log.strategy.stop();
    });
}

/// Two producers and the helper, which looks in between.
#[test]
fn two_producers() {
    every_order(1, || {
        let log = log(Fate::Well);
        let other = log.committer(Waiter::Thread);
        let lsn = log.append();
        log.wait(lsn, Waiter::Thread).unwrap();
        other.join().unwrap().unwrap();
        log.strategy.stop();
    });
}

/// A task waits and only the helper can lead for it; a thread leads beside it.
#[test]
fn a_task_and_a_thread() {
    every_order(1, || {
        let log = log(Fate::Well);
        let task = log.committer(Waiter::Task);
        let lsn = log.append();
        log.wait(lsn, Waiter::Thread).unwrap();
        task.join().unwrap().unwrap();
        log.strategy.stop();
    });
}

/// The helper hears of a wait by the wait itself, and not because it looks at the log again and again
/// while there is something in it: that would be late by a tick or two.
#[test]
fn a_wait_is_heard() {
    every_order(3, || {
        let log = log(Fate::Unseen);
        for _ in 0..2 {
            let lsn = log.append();
            log.wait(lsn, Waiter::Task).unwrap();
        }
        log.strategy.stop();
    });
}

/// The helper goes to sleep while a record is staged that nobody waits for.
#[test]
fn a_record_that_nobody_waits_for() {
    every_order(3, || {
        let log = log(Fate::Well);
        log.append();
        while log.numbers.durable() < Lsn::FIRST {
            thread::yield_now();
        }
        log.strategy.stop();
    });
}

/// The same with the helper awake: it goes back to sleep beside the second record, which may take it
/// for awake, while it may take the log for quiet. Not both.
#[test]
fn the_next_record_that_nobody_waits_for() {
    every_order(3, || {
        let log = log(Fate::Well);
        for _ in 0..2 {
            let lsn = log.append();
            while log.numbers.durable() < lsn {
                thread::yield_now();
            }
        }
        log.strategy.stop();
    });
}

/// A sync fails while others wait, lead or are about to.
#[test]
fn poison_during_a_wait() {
    every_order(2, || {
        let log = log(Fate::FailsAtSync);
        let other = log.committer(Waiter::Thread);
        let lsn = log.append();
        assert!(log.wait(lsn, Waiter::Thread).is_err());
        assert!(other.join().unwrap().is_err());
        log.strategy.stop();
    });
}

/// No room at first: the waiters of that moment are told, and their next wait succeeds.
#[test]
fn a_full_disk_during_a_wait() {
    every_order(1, || {
        let log = log(Fate::Full);
        let other = log.clone();
        let other = thread::spawn(move || {
            let lsn = other.append();
            while other.wait(lsn, Waiter::Task).is_err() {}
        });
        let lsn = log.append();
        while log.wait(lsn, Waiter::Thread).is_err() {}
        other.join().unwrap();
        log.strategy.stop();
    });
}
