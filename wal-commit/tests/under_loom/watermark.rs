//! The watermark: no wake is lost, and nobody is told of more than has happened.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread::{self, JoinHandle};
use wal_core::{Error, ErrorKind, Lsn, Result, Watermark};

use crate::every_order;

fn at_zero() -> Arc<Watermark> {
    Arc::new(Watermark::new(Lsn::ZERO))
}

fn wait(mark: &Watermark, lsn: u64) -> Result<()> {
    mark.wait(Lsn::new(lsn), || Ok(()))
}

fn waiter(mark: &Arc<Watermark>, lsn: u64) -> JoinHandle<Result<()>> {
    let mark = Arc::clone(mark);
    thread::spawn(move || wait(&mark, lsn))
}

fn full() -> Error {
    Error::new(ErrorKind::StorageFull, "full")
}

/// Both waiters wake, from one publication or from two, and see what was done before it, although
/// that is stored with no ordering of its own.
#[test]
fn who_wakes_sees_what_the_publisher_did() {
    every_order(3, || {
        let (mark, done) = (at_zero(), Arc::new(AtomicU64::new(0)));
        let waiters = [1, 2].map(|lsn| {
            let (mark, done) = (Arc::clone(&mark), Arc::clone(&done));
            thread::spawn(move || {
                wait(&mark, lsn).unwrap();
                assert!(done.load(Ordering::Relaxed) >= lsn, "woken early");
            })
        });
        for lsn in 1..=2 {
            done.store(lsn, Ordering::Relaxed);
            mark.publish(Lsn::new(lsn));
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

/// The fast path takes no lock, and sees as much.
#[test]
fn who_reads_the_mark_sees_what_the_publisher_did() {
    every_order(3, || {
        let (mark, done) = (at_zero(), Arc::new(AtomicU64::new(0)));
        let reader = {
            let (mark, done) = (Arc::clone(&mark), Arc::clone(&done));
            thread::spawn(move || {
                let seen = mark.get();
                assert!(done.load(Ordering::Relaxed) >= seen.get());
                assert!(mark.get() >= seen, "the mark went back");
            })
        };
        for lsn in 1..=2 {
            done.store(lsn, Ordering::Relaxed);
            mark.publish(Lsn::new(lsn));
        }
        reader.join().unwrap();
    });
}

/// Two publishers at once: the greater one stays, and the waiter wakes once it is there.
#[test]
fn publishers_that_race_lose_nobody() {
    every_order(3, || {
        let mark = at_zero();
        let waiter = waiter(&mark, 2);
        let other = {
            let mark = Arc::clone(&mark);
            thread::spawn(move || mark.publish(Lsn::FIRST))
        };
        drop(mark.advance(Lsn::new(2)));
        waiter.join().unwrap().unwrap();
        other.join().unwrap();
        assert_eq!(mark.get(), Lsn::new(2));
    });
}

/// A failure ends the waiting above the mark, and only there.
#[test]
fn a_failure_reaches_a_waiter_at_any_moment() {
    every_order(3, || {
        let mark = at_zero();
        let waiters = [1, 2].map(|lsn| waiter(&mark, lsn));
        mark.publish(Lsn::FIRST);
        mark.fail(Error::new(ErrorKind::Io, "gone"));
        mark.publish(Lsn::new(2));
        let [first, second] = waiters.map(|waiter| waiter.join().unwrap());
        first.unwrap();
        assert_eq!(second.unwrap_err().kind(), ErrorKind::Poisoned);
        assert_eq!(mark.get(), Lsn::FIRST);
    });
}

/// A rejection ends the waiting of those who wait then; who comes later waits for the mark.
#[test]
fn a_rejection_is_followed_by_a_new_wait() {
    every_order(3, || {
        let mark = at_zero();
        let waiter = {
            let mark = Arc::clone(&mark);
            thread::spawn(move || {
                let mut rejections = 0;
                while let Err(error) = wait(&mark, 1) {
                    assert_eq!(error.kind(), ErrorKind::StorageFull);
                    rejections += 1;
                }
                assert!(rejections <= 1, "one rejection was told twice");
            })
        };
        mark.reject(full());
        mark.publish(Lsn::FIRST);
        waiter.join().unwrap();
    });
}

/// A rejection beside somebody who is about to wait, asking for its reason once it is in the queue, as
/// a task does beside a close that finds no room: one of the two sees the other, also where nothing
/// ever happens on the log again.
#[test]
fn a_rejection_or_a_last_look_ends_the_waiting() {
    every_order(3, || {
        let mark = at_zero();
        let reason = Arc::new(Mutex::new(None));
        let waiter = {
            let (mark, reason) = (Arc::clone(&mark), Arc::clone(&reason));
            thread::spawn(move || {
                mark.wait(Lsn::FIRST, || reason.lock().unwrap().clone().map_or(Ok(()), Err))
            })
        };
        *reason.lock().unwrap() = Some(full());
        mark.reject(full());
        assert_eq!(waiter.join().unwrap().unwrap_err().kind(), ErrorKind::StorageFull);
    });
}

/// A truncation takes the mark back. Who waits for a number that is no more is told so, or finds it
/// given out again; nobody waits for ever.
#[test]
fn a_reset_ends_the_waiting_and_the_numbers_begin_again() {
    every_order(3, || {
        let mark = Arc::new(Watermark::new(Lsn::new(2)));
        let waiter = waiter(&mark, 3);
        mark.reset(Lsn::FIRST, Error::new(ErrorKind::NotFound, "cut"));
        // A rejection after it hides nothing of it.
        mark.reject(full());
        mark.publish(Lsn::new(3));
        match waiter.join().unwrap() {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
        }
        assert_eq!(mark.get(), Lsn::new(3));
    });
}

/// A truncation beside somebody who is about to wait for a number that it takes back, asking for the
/// number once it is in the queue, as the pipeline does: one of the two sees the other, also where
/// nothing ever happens on the log again.
#[test]
fn a_reset_or_a_last_look_ends_the_waiting() {
    every_order(3, || {
        let mark = Arc::new(Watermark::new(Lsn::FIRST));
        let issued = Arc::new(Mutex::new(2));
        let cut = || Error::new(ErrorKind::NotFound, "cut");
        let waiter = {
            let (mark, issued) = (Arc::clone(&mark), Arc::clone(&issued));
            thread::spawn(move || {
                mark.wait(Lsn::new(2), || {
                    if *issued.lock().unwrap() < 2 { Err(cut()) } else { Ok(()) }
                })
            })
        };
        *issued.lock().unwrap() = 1;
        mark.reset(Lsn::FIRST, cut());
        assert_eq!(waiter.join().unwrap().unwrap_err().kind(), ErrorKind::NotFound);
    });
}

/// Who reads a mark that a truncation has put back sees what was done before it was first reached.
#[test]
fn who_reads_a_mark_put_back_sees_what_the_publisher_did() {
    every_order(3, || {
        let (mark, done) = (at_zero(), Arc::new(AtomicU64::new(0)));
        let reader = {
            let (mark, done) = (Arc::clone(&mark), Arc::clone(&done));
            thread::spawn(move || {
                let seen = mark.get();
                assert!(done.load(Ordering::Relaxed) >= seen.get());
            })
        };
        done.store(2, Ordering::Relaxed);
        mark.publish(Lsn::new(2));
        mark.reset(Lsn::FIRST, Error::new(ErrorKind::NotFound, "cut"));
        reader.join().unwrap();
    });
}

/// One wait after the other on the same thread: the wake of the one is not the other's, and none is
/// used up for both.
#[test]
fn a_thread_that_waits_twice_is_woken_twice() {
    every_order(3, || {
        let mark = at_zero();
        let waiter = {
            let mark = Arc::clone(&mark);
            thread::spawn(move || {
                wait(&mark, 1).unwrap();
                wait(&mark, 2).unwrap();
                assert_eq!(mark.get(), Lsn::new(2));
            })
        };
        mark.publish(Lsn::FIRST);
        mark.publish(Lsn::new(2));
        waiter.join().unwrap();
    });
}

#[test]
fn a_reset_after_a_failure_moves_nothing() {
    every_order(3, || {
        let mark = Arc::new(Watermark::new(Lsn::new(2)));
        let failing = {
            let mark = Arc::clone(&mark);
            thread::spawn(move || mark.fail(Error::new(ErrorKind::Io, "gone")))
        };
        mark.reset(Lsn::FIRST, Error::new(ErrorKind::NotFound, "cut"));
        let stands = mark.get();
        failing.join().unwrap();
        mark.reset(Lsn::new(9), Error::new(ErrorKind::NotFound, "cut"));
        assert_eq!(mark.get(), stands);
    });
}

/// A future is polled and dropped while the mark passes it; the thread beside it is woken.
#[test]
fn a_dropped_future_takes_no_wake_along() {
    every_order(3, || {
        let mark = at_zero();
        let waiter = waiter(&mark, 1);
        let dropping = {
            let mark = Arc::clone(&mark);
            thread::spawn(move || {
                let mut reached = pin!(mark.reached(Lsn::FIRST));
                let mut context = Context::from_waker(Waker::noop());
                let _ = reached.as_mut().poll(&mut context);
            })
        };
        mark.publish(Lsn::FIRST);
        waiter.join().unwrap().unwrap();
        dropping.join().unwrap();
    });
}

/// A future that moves to another task between two polls is woken by the waker of the last one.
#[test]
fn the_waker_of_the_last_poll_is_woken() {
    struct Bell(AtomicU64);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.store(1, Ordering::Release);
        }
    }
    every_order(3, || {
        let mark = at_zero();
        let polling = {
            let mark = Arc::clone(&mark);
            thread::spawn(move || {
                let mut reached = mark.reached_owned(Lsn::FIRST);
                let first = Pin::new(&mut reached).poll(&mut Context::from_waker(Waker::noop()));
                if first.is_ready() {
                    return;
                }
                let bell = Arc::new(Bell(AtomicU64::new(0)));
                let waker = Waker::from(Arc::clone(&bell));
                let mut context = Context::from_waker(&waker);
                let Poll::Pending = Pin::new(&mut reached).poll(&mut context) else { return };
                while bell.0.load(Ordering::Acquire) == 0 {
                    thread::yield_now();
                }
                assert!(Pin::new(&mut reached).poll(&mut context).is_ready());
            })
        };
        mark.publish(Lsn::FIRST);
        polling.join().unwrap();
    });
}
