//! The watermark: nobody wakes early, nobody waits for ever, and a failure is final.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use wal_core::{Error, ErrorKind, Lsn, Reached, Result, Watermark};

/// Counts how often it is woken.
#[derive(Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Alarm {
    fn rung(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A future polled by hand, with an alarm of its own.
struct Sleeper<'a> {
    reached: Pin<Box<Reached<&'a Watermark>>>,
    alarm: Arc<Alarm>,
}

impl<'a> Sleeper<'a> {
    /// A future that has been polled once, and so is in the queue.
    fn queued(mark: &'a Watermark, lsn: u64) -> Self {
        let reached = Box::pin(mark.reached(Lsn::new(lsn)));
        let mut sleeper = Self { reached, alarm: Arc::default() };
        assert!(sleeper.poll().is_pending());
        sleeper
    }

    fn poll(&mut self) -> Poll<Result<()>> {
        let waker = Waker::from(Arc::clone(&self.alarm));
        self.reached.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn result(&mut self) -> Result<()> {
        match self.poll() {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("the future is not ready"),
        }
    }
}

fn at(lsn: u64) -> Watermark {
    Watermark::new(Lsn::new(lsn))
}

fn wait(mark: &Watermark, lsn: u64) -> Result<()> {
    mark.wait(Lsn::new(lsn), || Ok(()))
}

fn disk_error() -> Error {
    Error::io("cannot sync", std::io::Error::other("device gone"))
}

#[test]
fn the_mark_only_grows() {
    let mark = at(5);
    assert_eq!(mark.get(), Lsn::new(5));
    for (published, stands) in [(3, 5), (5, 5), (9, 9), (8, 9), (u64::MAX, u64::MAX), (1, u64::MAX)]
    {
        mark.publish(Lsn::new(published));
        assert_eq!(mark.get(), Lsn::new(stands));
    }
}

#[test]
fn what_is_reached_is_not_waited_for() {
    let mark = at(5);
    for lsn in [0, 1, 5] {
        let never = || panic!("a wait for what is reached does not register");
        assert!(mark.wait(Lsn::new(lsn), never).is_ok());
        assert!(pollster::block_on(mark.reached(Lsn::new(lsn))).is_ok());
    }
}

#[test]
fn publishing_wakes_exactly_those_it_reaches() {
    let mark = at(0);
    // Queued out of order, two for each LSN.
    let mut sleepers: Vec<_> = [7, 2, 9, 4, 1, 10, 3, 8, 6, 5, 5, 6, 8, 3, 10, 1, 4, 9, 2, 7]
        .map(|lsn| (lsn, Sleeper::queued(&mark, lsn)))
        .into();
    for published in [3, 4, 9, 10] {
        mark.publish(Lsn::new(published));
        for (lsn, sleeper) in &mut sleepers {
            assert_eq!(
                sleeper.alarm.rung(),
                usize::from(*lsn <= published),
                "{lsn} at {published}"
            );
            assert_eq!(sleeper.poll().is_ready(), *lsn <= published, "{lsn} at {published}");
        }
    }
}

/// A publisher that holds a lock moves the mark under it, and wakes when it has let go.
#[test]
fn an_advance_wakes_when_its_result_is_dropped() {
    let mark = at(0);
    let mut reached = Sleeper::queued(&mark, 3);
    let above = Sleeper::queued(&mark, 4);
    let woken = mark.advance(Lsn::new(3));
    assert_eq!((mark.get(), reached.alarm.rung()), (Lsn::new(3), 0));
    assert!(reached.result().is_ok(), "who looks before it is woken sees the mark");
    drop(woken);
    assert_eq!((reached.alarm.rung(), above.alarm.rung()), (1, 0));
}

/// A task that moves between executors is woken where it was polled last.
#[test]
fn the_last_waker_is_the_one_woken() {
    let mark = at(0);
    let mut sleeper = Sleeper::queued(&mark, 1);
    let before = std::mem::take(&mut sleeper.alarm);
    assert!(sleeper.poll().is_pending());
    mark.publish(Lsn::FIRST);
    assert_eq!((before.rung(), sleeper.alarm.rung()), (0, 1));
}

#[test]
fn a_future_polled_often_waits_once() {
    let mark = at(0);
    let mut sleeper = Sleeper::queued(&mark, 1);
    for _ in 0..100 {
        assert!(sleeper.poll().is_pending());
    }
    mark.publish(Lsn::FIRST);
    assert_eq!(sleeper.alarm.rung(), 1);
    assert!(sleeper.result().is_ok());
}

/// An abandoned wait holds on to nothing of its task, and is not woken.
#[test]
fn a_dropped_future_lets_go_of_its_waker() {
    let mark = at(0);
    let kept = Sleeper::queued(&mark, 1);
    let dropped = Sleeper::queued(&mark, 1);
    let alarm = Arc::clone(&dropped.alarm);
    assert_eq!(Arc::strong_count(&alarm), 3);
    drop(dropped);
    assert_eq!(Arc::strong_count(&alarm), 1);
    mark.publish(Lsn::FIRST);
    assert_eq!((kept.alarm.rung(), alarm.rung()), (1, 0));
}

/// A caller that waits with a timeout, over and over, while the disk hangs.
#[test]
fn dropped_futures_do_not_pile_up() {
    let queued = |mark: &Watermark| format!("{mark:?}").matches("Waker {").count();
    let mark = at(0);
    let mut kept: Vec<_> = (1..=10).map(|lsn| Sleeper::queued(&mark, lsn * 1000)).collect();
    assert_eq!(queued(&mark), 10, "the count below would not see a leak");
    for lsn in 1..=10_000 {
        drop(Sleeper::queued(&mark, lsn));
    }
    assert!(queued(&mark) < 100, "{} places for 10 futures", queued(&mark));
    for (sleeper, lsn) in kept.iter_mut().zip(1..) {
        mark.publish(Lsn::new(lsn * 1000));
        assert_eq!(sleeper.alarm.rung(), 1);
        assert!(sleeper.result().is_ok());
    }
    assert_eq!(queued(&mark), 0);
}

/// Half of the futures go away between being woken and being polled.
#[test]
fn futures_may_be_dropped_at_any_moment() {
    let mark = at(0);
    drop(mark.reached(Lsn::FIRST));
    for round in 0..100 {
        let first = round * 10 + 1;
        let mut sleepers: Vec<_> =
            (first..first + 10).map(|lsn| Some(Sleeper::queued(&mark, lsn))).collect();
        sleepers.iter_mut().step_by(3).for_each(|sleeper| *sleeper = None);
        mark.publish(Lsn::new(first + 9));
        sleepers.iter_mut().skip(1).step_by(3).for_each(|sleeper| *sleeper = None);
        for sleeper in sleepers.iter_mut().flatten() {
            assert!(sleeper.result().is_ok());
        }
    }
}

#[test]
fn a_future_may_own_its_watermark() {
    let mark = Arc::new(at(0));
    let reached = Arc::clone(&mark).reached_owned(Lsn::new(3));
    let task = thread::spawn(move || pollster::block_on(reached));
    mark.publish(Lsn::new(3));
    assert!(task.join().unwrap().is_ok());
}

/// Threads and tasks alike, each waiting for every LSN of its own in turn. No wait returns before
/// its LSN was published, and none is missed, or this test hangs.
#[test]
fn many_waiters_and_one_publisher() {
    const EACH: u64 = 2000;
    let mark = at(0);
    let published = AtomicUsize::new(0);
    thread::scope(|scope| {
        for first in 1..=8 {
            let (mark, published) = (&mark, &published);
            scope.spawn(move || {
                for lsn in (first..=8 * EACH).step_by(8) {
                    if first % 2 == 0 {
                        wait(mark, lsn).unwrap();
                    } else {
                        pollster::block_on(mark.reached(Lsn::new(lsn))).unwrap();
                    }
                    assert!(published.load(Ordering::SeqCst) as u64 >= lsn, "woken early");
                }
            });
        }
        for lsn in 1..=8 * EACH {
            published.fetch_add(1, Ordering::SeqCst);
            mark.publish(Lsn::new(lsn));
            if lsn % 5 == 0 {
                thread::yield_now();
            }
        }
    });
}

/// Publishers that race never move the mark back, and the last word is the greatest.
#[test]
fn many_publishers() {
    let mark = at(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let seen = scope.spawn(|| {
            let mut last = Lsn::ZERO;
            while !done.load(Ordering::SeqCst) {
                let now = mark.get();
                assert!(now >= last, "the mark went from {last} to {now}");
                last = now;
            }
        });
        let publishers: Vec<_> = (0..4)
            .map(|first| {
                let mark = &mark;
                scope.spawn(move || {
                    (first..=10_000).step_by(4).for_each(|lsn| mark.publish(Lsn::new(lsn)));
                })
            })
            .collect();
        wait(&mark, 10_000).unwrap();
        for publisher in publishers {
            publisher.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
        seen.join().unwrap();
    });
    assert_eq!(mark.get(), Lsn::new(10_000));
}

/// The call that makes the waiting worth it (starting a flush, say) runs when the thread is in
/// the queue: what it publishes itself is not missed.
#[test]
fn a_waiter_is_registered_before_it_asks_for_work() {
    let mark = at(0);
    let mut asked = 0;
    mark.wait(Lsn::new(2), || {
        asked += 1;
        mark.publish(Lsn::new(2));
        Ok(())
    })
    .unwrap();
    assert_eq!(asked, 1);

    let error = mark.wait(Lsn::new(9), || Err(disk_error())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    mark.publish(Lsn::new(9));
}

/// A leader that waits for another mark while others wait for it: one thread, two waits at once.
#[test]
fn a_wait_inside_a_wait_loses_no_wake() {
    let (outer, inner) = (at(0), at(0));
    let inside = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            inside.wait();
            outer.publish(Lsn::FIRST);
            inner.publish(Lsn::FIRST);
        });
        outer
            .wait(Lsn::FIRST, || {
                inside.wait();
                wait(&inner, 1)
            })
            .unwrap();
    });
}

#[test]
fn a_failure_reaches_those_who_wait_and_those_who_come() {
    let mark = at(5);
    let mut queued = Sleeper::queued(&mark, 6);
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            mark.wait(Lsn::new(7), || {
                ready.wait();
                Ok(())
            })
        });
        ready.wait();
        mark.fail(disk_error());
        assert_eq!(waiter.join().unwrap().unwrap_err().at_lsn(), Some(Lsn::new(7)));
    });
    assert_eq!(queued.alarm.rung(), 1);
    for error in [queued.result().unwrap_err(), wait(&mark, 6).unwrap_err()] {
        assert_eq!((error.kind(), error.at_lsn()), (ErrorKind::Poisoned, Some(Lsn::new(6))));
        assert!(error.report().ends_with("cannot sync: device gone"), "{error:?}");
    }
    let error = pollster::block_on(mark.reached(Lsn::new(8))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
}

#[test]
fn a_failure_is_for_ever_and_the_first_cause_stays() {
    let mark = at(5);
    mark.fail(disk_error());
    mark.fail(Error::new(ErrorKind::Fenced, "fenced"));
    mark.reject(Error::new(ErrorKind::StorageFull, "full"));
    mark.publish(Lsn::new(100));
    assert_eq!(mark.get(), Lsn::new(5), "nothing is acknowledged after a failure");
    assert!(wait(&mark, 6).unwrap_err().report().ends_with("cannot sync: device gone"));
}

#[test]
fn what_was_reached_before_a_failure_stays_reached() {
    let mark = at(0);
    let mut sleeper = Sleeper::queued(&mark, 5);
    mark.publish(Lsn::new(5));
    mark.fail(disk_error());
    assert!(sleeper.result().is_ok(), "published, then failed, then polled");
    assert!(wait(&mark, 5).is_ok());
    assert!(pollster::block_on(mark.reached(Lsn::new(5))).is_ok());
}

/// A closed log is no poisoned log: nothing is indeterminate, the call is wrong.
#[test]
fn a_close_is_told_from_a_failure() {
    let mark = at(5);
    mark.fail(Error::new(ErrorKind::Invalid, "the log is closed"));
    let error = wait(&mark, 6).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), "the log is closed: lsn=6");
}

#[test]
fn a_rejection_concerns_only_those_who_wait() {
    let mark = at(0);
    let mut first = Sleeper::queued(&mark, 3);
    mark.reject(Error::new(ErrorKind::StorageFull, "full"));
    assert_eq!(first.alarm.rung(), 1);
    let mut second = Sleeper::queued(&mark, 3);
    assert_eq!(first.result().unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(second.alarm.rung(), 0);
    assert!(second.poll().is_pending());

    mark.publish(Lsn::new(3));
    assert!(second.result().is_ok());
    assert!(wait(&mark, 3).is_ok());
}

/// A record that became durable between the rejection and the poll is durable.
#[test]
fn reached_is_stronger_than_rejected() {
    let mark = at(0);
    let mut sleeper = Sleeper::queued(&mark, 3);
    mark.reject(Error::new(ErrorKind::StorageFull, "full"));
    mark.publish(Lsn::new(3));
    assert!(sleeper.result().is_ok());
}

#[test]
fn a_reset_ends_the_waiting_for_what_is_no_more() {
    let mark = at(10);
    let mut above = Sleeper::queued(&mark, 12);
    mark.reset(Lsn::new(4), Error::new(ErrorKind::NotFound, "truncated"));
    assert_eq!(mark.get(), Lsn::new(4));
    assert_eq!(above.alarm.rung(), 1);
    assert_eq!(above.result().unwrap_err().kind(), ErrorKind::NotFound);
    assert!(wait(&mark, 4).is_ok());

    // The numbers behind the cut are given out anew.
    let mut again = Sleeper::queued(&mark, 5);
    mark.publish(Lsn::new(5));
    assert!(again.result().is_ok());
}

#[test]
fn a_reset_forward_is_a_publication() {
    let mark = at(0);
    let mut below = Sleeper::queued(&mark, 2);
    mark.reset(Lsn::new(3), Error::new(ErrorKind::NotFound, "truncated"));
    assert!(below.result().is_ok());
}

/// A waker may do as it likes: here it waits on the same mark again from inside the wake.
#[test]
fn a_waker_may_use_the_mark() {
    struct Nosy(Arc<Watermark>, AtomicUsize);
    impl Wake for Nosy {
        fn wake(self: Arc<Self>) {
            self.0.publish(self.0.get().next());
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    let mark = Arc::new(at(0));
    let nosy = Arc::new(Nosy(Arc::clone(&mark), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&nosy));
    let mut context = Context::from_waker(&waker);
    let mut one = pin!(mark.reached(Lsn::FIRST));
    let mut two = pin!(mark.reached(Lsn::new(2)));
    assert!(one.as_mut().poll(&mut context).is_pending());
    assert!(two.as_mut().poll(&mut context).is_pending());
    mark.publish(Lsn::FIRST);
    assert_eq!(nosy.1.load(Ordering::SeqCst), 2);
    assert_eq!(mark.get(), Lsn::new(3));
}

/// The last owner of a task may be the queue itself: letting go of the waker then drops the task,
/// and with it whatever the task holds of this mark.
#[test]
fn the_end_of_a_waker_may_use_the_mark() {
    struct Last(Arc<Watermark>);
    impl Wake for Last {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.publish(Lsn::FIRST);
        }
    }
    let mark = Arc::new(at(0));
    let last = || Waker::from(Arc::new(Last(Arc::clone(&mark))));

    let mut replaced = pin!(mark.reached(Lsn::new(9)));
    assert!(replaced.as_mut().poll(&mut Context::from_waker(&last())).is_pending());
    assert!(replaced.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(mark.get(), Lsn::FIRST);

    let mark = Arc::new(at(0));
    let last = Waker::from(Arc::new(Last(Arc::clone(&mark))));
    let mut dropped = Box::pin(mark.reached(Lsn::new(9)));
    assert!(dropped.as_mut().poll(&mut Context::from_waker(&last)).is_pending());
    drop(last);
    drop(dropped);
    assert_eq!(mark.get(), Lsn::FIRST);
}
