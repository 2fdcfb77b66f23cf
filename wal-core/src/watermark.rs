//! [`Watermark`]: how far the log has got, and waiting for it, blocking and async on one primitive.

mod sync;

use std::collections::VecDeque;
use std::future::Future;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use self::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, Thread, thread_local};
use crate::{Error, ErrorKind, Lsn, Result};

/// An LSN that only grows, and the queue of those who wait for it.
///
/// Everything at or below the mark has happened; one atomic load tells. A waiter is a waker in a
/// queue sorted by LSN: a task's own, or one that unparks a thread. Publishing wakes exactly those
/// whose LSN has been reached.
///
/// # Orderings
///
/// `mark` is stored with `Release` under the lock of the queue and loaded with `Acquire`: who sees
/// a mark sees everything the publisher did before, also where it never takes the lock. A waiter
/// looks at the mark once more under that lock before it queues up: a publisher that had the lock
/// before is seen there, one that has it after finds the waiter in the queue. So no wake is lost.
#[derive(Debug)]
pub struct Watermark {
    mark: AtomicU64,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Sorted by (LSN, ticket). A waiter that gave up leaves its place with no waker in it.
    waiters: VecDeque<Place>,
    abandoned: usize,
    tickets: u64,
    /// Set once and for ever.
    failed: Option<Error>,
    /// The newest [`Watermark::reject`] and the first ticket it does not concern.
    rejected: Option<(u64, Error)>,
    /// The same of [`Watermark::reset`]. Apart, for a rejection says "wait again", and must not be
    /// said of a record that is no more.
    cut: Option<(u64, Error)>,
}

#[derive(Debug)]
struct Place {
    lsn: Lsn,
    ticket: u64,
    waker: Option<Waker>,
}

impl Watermark {
    /// A mark that stands at `lsn`.
    pub fn new(lsn: Lsn) -> Self {
        Self { mark: AtomicU64::new(lsn.get()), queue: Mutex::default() }
    }

    /// Where the mark stands.
    #[inline]
    pub fn get(&self) -> Lsn {
        Lsn::new(self.mark.load(Ordering::Acquire))
    }

    /// Moves the mark to `lsn`, unless it is there or further already, and wakes everyone it
    /// reaches. After [`fail`](Self::fail) the mark never moves again.
    pub fn publish(&self, lsn: Lsn) {
        drop(self.advance(lsn));
    }

    /// As [`publish`](Self::publish), but those it reaches wake up when the result is dropped: for
    /// a publisher that has a lock to let go of first.
    pub fn advance(&self, lsn: Lsn) -> Woken {
        let mut queue = self.lock();
        if queue.failed.is_some() || lsn <= self.get() {
            return Woken::default();
        }
        self.mark.store(lsn.get(), Ordering::Release);
        let reached = queue.waiters.partition_point(|place| place.lsn <= lsn);
        queue.take_front(reached)
    }

    /// Ends all waiting above the mark, now and for ever, with this error. The first one stays.
    pub fn fail(&self, error: Error) {
        let mut queue = self.lock();
        if queue.failed.is_none() {
            queue.failed = Some(error);
        }
        Self::wake_all(queue);
    }

    /// Ends the waiting of everyone who waits now with this error; who waits later is not concerned.
    ///
    /// Each gets one error: a second rejection before a waiter has looked replaces the first one's.
    /// And the mark comes first: who finds it reached has been waiting successfully.
    pub fn reject(&self, error: Error) {
        let mut queue = self.lock();
        let next = queue.tickets;
        queue.rejected = Some((next, error));
        Self::wake_all(queue);
    }

    /// Puts the mark to `lsn`, also back: for a log whose end was cut off on purpose. Whoever waits
    /// for a record that is no more gets `error`. After [`fail`](Self::fail) the mark stays where
    /// it is, and so does the error.
    ///
    /// The numbers behind `lsn` are given out anew. A waiter from before that looks only when the
    /// mark has passed its number again is told that it is reached: a log that is cut where
    /// everything was reached before tells the truth by that.
    pub fn reset(&self, lsn: Lsn, error: Error) {
        let mut queue = self.lock();
        if queue.failed.is_some() {
            return;
        }
        let next = queue.tickets;
        queue.cut = Some((next, error));
        self.mark.store(lsn.get(), Ordering::Release);
        Self::wake_all(queue);
    }

    /// Resolves when the mark has reached `lsn`, or with the error that ended the waiting. May be
    /// dropped at any time.
    pub fn reached(&self, lsn: Lsn) -> Reached<&Self> {
        Reached { watermark: self, lsn, ticket: None }
    }

    /// As [`reached`](Self::reached), for a future that outlives the borrow.
    pub fn reached_owned(self: Arc<Self>, lsn: Lsn) -> Reached<Arc<Self>> {
        Reached { watermark: self, lsn, ticket: None }
    }

    /// As [`reached`](Self::reached), blocking the thread. `registered` runs once the thread is in
    /// the queue, if it must wait at all.
    pub fn wait(&self, lsn: Lsn, registered: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.get() >= lsn {
            return Ok(());
        }
        PARKER.with(|parker| {
            let waker = Waker::from(Arc::clone(parker));
            let mut context = Context::from_waker(&waker);
            let mut reached = pin!(self.reached(lsn));
            if let Poll::Ready(result) = reached.as_mut().poll(&mut context) {
                return result;
            }
            registered()?;
            loop {
                if let Poll::Ready(result) = reached.as_mut().poll(&mut context) {
                    return result;
                }
                parker.park();
            }
        })
    }

    fn wake_all(mut queue: MutexGuard<'_, Queue>) {
        let all = queue.waiters.len();
        let woken = queue.take_front(all);
        drop(queue);
        drop(woken);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code of others runs under the lock but a waker's clone; the queue is whole also where
        // that panicked. A waker's end is kept out: it may be the end of a task that waits here.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn take_front(&mut self, count: usize) -> Woken {
        let mut woken = Woken::default();
        for place in self.waiters.drain(..count) {
            match (place.waker, &woken.first) {
                (None, _) => self.abandoned -= 1,
                (waker, None) => woken.first = waker,
                (Some(waker), Some(_)) => {
                    if woken.others.is_empty() {
                        woken.others.reserve(count - 1);
                    }
                    woken.others.push(waker);
                }
            }
        }
        woken
    }

    fn find(&self, lsn: Lsn, ticket: u64) -> std::result::Result<usize, usize> {
        self.waiters.binary_search_by_key(&(lsn, ticket), |place| (place.lsn, place.ticket))
    }

    /// Gives the waker back, to be dropped without the lock.
    fn abandon(&mut self, lsn: Lsn, ticket: u64) -> Option<Waker> {
        let at = self.find(lsn, ticket).ok()?;
        let waker = self.waiters[at].waker.take();
        if waker.is_some() {
            self.abandoned += 1;
        }
        // Futures that are made and dropped while the mark stands still must not pile up.
        if self.abandoned > 32 && self.abandoned * 2 > self.waiters.len() {
            self.waiters.retain(|place| place.waker.is_some());
            self.abandoned = 0;
        }
        waker
    }
}

/// Waiters whose waiting is over; they wake when this is dropped. All of them do, also where a
/// waker panics; its panic goes on from here.
#[derive(Debug, Default)]
#[must_use = "the waiters wake when this is dropped: say when"]
pub struct Woken {
    /// Apart, so that a lone waiter costs no allocation.
    first: Option<Waker>,
    others: Vec<Waker>,
}

impl Drop for Woken {
    fn drop(&mut self) {
        let mut panic = None;
        for waker in self.first.take().into_iter().chain(self.others.drain(..)) {
            // Nothing of ours is in there: a waker that is broken half-way is nobody else's.
            if let Err(cause) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                panic.get_or_insert(cause);
            }
        }
        if let Some(cause) = panic
            && !std::thread::panicking()
        {
            resume_unwind(cause);
        }
    }
}

/// Waits for a [`Watermark`] to reach an LSN.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Reached<W: Deref<Target = Watermark>> {
    watermark: W,
    lsn: Lsn,
    ticket: Option<u64>,
}

impl<W: Deref<Target = Watermark> + Unpin> Future for Reached<W> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.watermark.get() >= self.lsn {
            return Poll::Ready(Ok(()));
        }
        let this = &mut *self;
        let lsn = this.lsn;
        let mut queue = this.watermark.lock();
        if this.watermark.get() >= lsn {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = &queue.failed {
            return Poll::Ready(Err(indeterminate(error, lsn)));
        }
        let Some(ticket) = this.ticket else {
            let ticket = queue.tickets;
            queue.tickets += 1;
            let at = queue.find(lsn, ticket).unwrap_or_else(|at| at);
            let waker = Some(context.waker().clone());
            queue.waiters.insert(at, Place { lsn, ticket, waker });
            this.ticket = Some(ticket);
            return Poll::Pending;
        };
        for (next, error) in [&queue.cut, &queue.rejected].into_iter().flatten() {
            if ticket < *next {
                return Poll::Ready(Err(error.clone()));
            }
        }
        match queue.find(lsn, ticket) {
            Ok(at) => {
                let place = &mut queue.waiters[at].waker;
                if !place.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    let old = place.replace(context.waker().clone());
                    drop(queue);
                    drop(old);
                }
            }
            Err(at) => {
                let waker = Some(context.waker().clone());
                queue.waiters.insert(at, Place { lsn, ticket, waker });
            }
        }
        Poll::Pending
    }
}

impl<W: Deref<Target = Watermark>> Drop for Reached<W> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let waker = self.watermark.lock().abandon(self.lsn, ticket);
            drop(waker);
        }
    }
}

fn indeterminate(first: &Error, lsn: Lsn) -> Error {
    if first.kind() == ErrorKind::Invalid {
        return first.clone().lsn(lsn);
    }
    let what = "the log is poisoned; the record is indeterminate, the next recovery tells";
    Error::new(ErrorKind::Poisoned, what).lsn(lsn).because(first.clone())
}

thread_local! {
    static PARKER: Arc<Parker> =
        Arc::new(Parker { thread: sync::current(), woken: AtomicBool::new(false) });
}

/// Wakes a thread as a waker wakes a task.
#[derive(Debug)]
struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Parker {
    fn park(&self) {
        // `Acquire` pairs with the `Release` of the wake: what the waker did before is seen by the
        // poll that follows. The flag is the wake, the thread's own token only ends the sleep: other
        // code on this thread may use the token up, and a token left by an earlier wait costs one
        // turn of this loop.
        while !self.woken.swap(false, Ordering::Acquire) {
            sync::park();
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}
