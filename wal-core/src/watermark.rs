//! [`Watermark`]: how far the log has got, and waiting for it, blocking and async on one primitive.

mod sync;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    /// Waits begun; changed under the lock of the queue.
    tickets: AtomicU64,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// By LSN and ticket. A tree, so that waiters who come in any order cost the same.
    waiters: BTreeMap<(Lsn, u64), Waker>,
    /// Set once and for ever.
    failed: Option<Error>,
    /// The newest [`Watermark::reject`].
    rejected: Option<Rejection>,
    /// The newest [`Watermark::reset`]. Apart, for a rejection says "wait again", and must not be
    /// said of a record that is no more.
    cut: Option<Rejection>,
}

/// A moment in the life of a [`Watermark`]: [`Watermark::moment`].
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

#[derive(Debug)]
struct Rejection {
    /// The first ticket that it does not concern.
    next: u64,
    /// It concerns only waits for what is above this.
    above: Lsn,
    error: Error,
}

impl Watermark {
    /// A mark that stands at `lsn`.
    pub fn new(lsn: Lsn) -> Self {
        let (mark, tickets) = (AtomicU64::new(lsn.get()), AtomicU64::new(0));
        Self { mark, tickets, queue: Mutex::default() }
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
        queue.take_through(lsn)
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
        self.reject_above(Lsn::ZERO, error);
    }

    /// As [`reject`](Self::reject), for those who wait for what is above this LSN; the others wait on.
    pub fn reject_above(&self, above: Lsn, error: Error) {
        let now = self.moment();
        self.reject_before(now, above, error);
    }

    /// As [`reject_above`](Self::reject_above), for those who waited at this moment already: what was
    /// tried from then on is no answer to a wait that began later.
    pub fn reject_before(&self, moment: Moment, above: Lsn, error: Error) {
        let mut queue = self.lock();
        // An older one may end later, and concerns no more than the newer one did.
        let next = queue.rejected.as_ref().map_or(0, |before| before.next).max(moment.0);
        queue.rejected = Some(Rejection { next, above, error });
        let woken = queue.take_above(above);
        drop(queue);
        drop(woken);
    }

    /// Now, as the queue counts: each wait began before it, or begins after. Takes no lock.
    pub fn moment(&self) -> Moment {
        Moment(self.tickets.load(Ordering::Acquire))
    }

    /// Puts the mark to `lsn`, also back: for a log whose end was cut off on purpose. Whoever waits
    /// for a record that is no more gets `error`. After [`fail`](Self::fail) the mark stays where
    /// it is, and so does the error.
    ///
    /// The numbers behind `lsn` are given out anew. A waiter from before that looks only when the
    /// mark has passed its number again is told that it is reached: a log that is cut where
    /// everything was reached before tells the truth by that.
    pub fn reset(&self, lsn: Lsn, error: Error) {
        drop(self.retreat(lsn, error));
    }

    /// As [`reset`](Self::reset), but those whose waiting ends wake up when the result is dropped.
    pub fn retreat(&self, lsn: Lsn, error: Error) -> Woken {
        let mut queue = self.lock();
        if queue.failed.is_some() {
            return Woken::default();
        }
        let next = self.moment().0;
        queue.cut = Some(Rejection { next, above: Lsn::ZERO, error });
        self.mark.store(lsn.get(), Ordering::Release);
        queue.take_above(Lsn::ZERO)
    }

    /// Resolves when the mark has reached `lsn`, or with the error that ended the waiting. May be
    /// dropped at any time.
    ///
    /// The waker runs on the thread that moves the mark, and must not block until the mark moves again:
    /// that may be its own thread's to do.
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
        // At the end of a thread, in the destructor of another thread-local, it may be gone.
        let parker = PARKER.try_with(Arc::clone).unwrap_or_else(|_| Arc::new(Parker::new()));
        let waker = Waker::from(Arc::clone(&parker));
        let mut context = Context::from_waker(&waker);
        let mut reached = pin!(self.reached(lsn));
        if let Poll::Ready(result) = reached.as_mut().poll(&mut context) {
            return result;
        }
        if let Err(error) = registered() {
            // The record comes first: what went wrong may be another's.
            return if self.get() >= lsn { Ok(()) } else { Err(error) };
        }
        loop {
            if let Poll::Ready(result) = reached.as_mut().poll(&mut context) {
                return result;
            }
            parker.park();
        }
    }

    fn wake_all(mut queue: MutexGuard<'_, Queue>) {
        let woken = queue.take_above(Lsn::ZERO);
        drop(queue);
        drop(woken);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code of others runs under the lock: a waker is cloned before it and dropped behind it,
        // for its end may be the end of a task that waits here.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Those who wait for this LSN or an earlier one.
    fn take_through(&mut self, lsn: Lsn) -> Woken {
        let mut woken = Woken::default();
        while let Some(first) = self.waiters.first_entry()
            && first.key().0 <= lsn
        {
            woken.push(first.remove());
        }
        woken
    }

    /// Those who wait for a later LSN than this.
    fn take_above(&mut self, lsn: Lsn) -> Woken {
        let mut woken = Woken::default();
        let above = self.waiters.split_off(&(lsn.next(), 0));
        for waker in above.into_values() {
            woken.push(waker);
        }
        woken
    }
}

/// Waiters whose waiting is over; they wake when this is dropped. All of them do, also where a
/// waker panics: that is the waker's own affair, told by the hook for panics, and ends here. The
/// thread that wakes is another's most often, and has a log to flush.
#[derive(Debug, Default)]
#[must_use = "the waiters wake when this is dropped: say when"]
pub struct Woken {
    /// Apart, so that a lone waiter costs no allocation.
    first: Option<Waker>,
    others: Vec<Waker>,
}

impl Woken {
    /// Whether there is nobody to wake.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Takes these along, to wake together.
    pub fn merge(&mut self, mut more: Self) {
        if let Some(first) = more.first.take() {
            self.push(first);
            self.others.append(&mut more.others);
        }
    }

    fn push(&mut self, waker: Waker) {
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.others.push(waker),
        }
    }
}

impl Drop for Woken {
    fn drop(&mut self) {
        if self.is_empty() || WakeLater::takes(self) {
            return;
        }
        for waker in self.first.take().into_iter().chain(self.others.drain(..)) {
            // Nothing of ours is in there: a waker that is broken half-way is nobody else's.
            if let Err(cause) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                // What was thrown may throw again at its end.
                std::mem::forget(cause);
            }
        }
    }
}

/// As long as there is one of these on a thread, those whom the thread would wake wake later: when the
/// first one of them is dropped. For a caller that holds a lock of its own across calls that wake, and
/// drops this behind the lock: a waker is other people's code, and may want that lock.
///
/// Of every mark, not of one: what runs meanwhile must not wait for what a waker does.
#[derive(Debug)]
#[must_use = "the waiters wake when this is dropped: say when"]
pub struct WakeLater {
    /// Whether this is the first one of the thread.
    first: bool,
    /// It belongs to its thread.
    of_thread: PhantomData<*const ()>,
}

impl WakeLater {
    /// From here on.
    pub fn begin() -> Self {
        let first = LATER.try_with(|later| {
            let mut later = later.borrow_mut();
            later.is_none() && later.replace(Woken::default()).is_none()
        });
        Self { first: first.unwrap_or(false), of_thread: PhantomData }
    }

    /// Takes these over, where the thread is to wake later.
    fn takes(woken: &mut Woken) -> bool {
        let taken = LATER.try_with(|later| {
            let mut later = later.borrow_mut();
            let Some(later) = &mut **later else { return false };
            if later.is_empty() {
                // Without an allocation.
                std::mem::swap(later, woken);
            } else {
                later.merge(std::mem::take(woken));
            }
            true
        });
        taken.unwrap_or(false)
    }
}

impl Drop for WakeLater {
    fn drop(&mut self) {
        if self.first {
            let woken = LATER.try_with(|later| later.borrow_mut().take());
            drop(woken);
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
        // The caller's code, and so not under the lock.
        let waker = context.waker().clone();
        let mut queue = this.watermark.lock();
        let looked = queue.look(&this.watermark, lsn, this.ticket);
        if let Some(result) = looked {
            drop(queue);
            return Poll::Ready(result);
        }
        let tickets = &this.watermark.tickets;
        let ticket = *this.ticket.get_or_insert_with(|| tickets.fetch_add(1, Ordering::Release));
        let old = queue.waiters.insert((lsn, ticket), waker);
        drop(queue);
        drop(old);
        Poll::Pending
    }
}

impl Queue {
    /// Whether the waiting for `lsn` under this ticket is over, and how.
    fn look(&self, watermark: &Watermark, lsn: Lsn, ticket: Option<u64>) -> Option<Result<()>> {
        if watermark.get() >= lsn {
            return Some(Ok(()));
        }
        if let Some(error) = &self.failed {
            return Some(Err(indeterminate(error, lsn)));
        }
        let ticket = ticket?;
        let rejections = [&self.cut, &self.rejected].into_iter().flatten();
        let mut concerning = rejections.filter(|it| ticket < it.next && lsn > it.above);
        concerning.next().map(|rejection| Err(rejection.error.clone()))
    }
}

impl<W: Deref<Target = Watermark>> Drop for Reached<W> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let waker = self.watermark.lock().waiters.remove(&(self.lsn, ticket));
            drop(waker);
        }
    }
}

fn indeterminate(first: &Error, lsn: Lsn) -> Error {
    let (kind, what) = match first.kind() {
        ErrorKind::Invalid => return first.clone().lsn(lsn),
        ErrorKind::Fenced => {
            (ErrorKind::Fenced, "another writer has the log; the record is indeterminate")
        }
        _ => {
            let what = "the log is poisoned; the record is indeterminate, the next recovery tells";
            (ErrorKind::Poisoned, what)
        }
    };
    Error::new(kind, what).lsn(lsn).because(first.clone())
}

thread_local! {
    static PARKER: Arc<Parker> = Arc::new(Parker::new());

    /// Those who wake later, where there is a [`WakeLater`]. Without a destructor it is there until the thread
    /// has ended: a destructor of the caller's that appends would else wake within the log's turns.
    static LATER: RefCell<ManuallyDrop<Option<Woken>>> = RefCell::default();
}

/// Wakes a thread as a waker wakes a task.
#[derive(Debug)]
struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Parker {
    /// Of the thread that calls.
    fn new() -> Self {
        Self { thread: sync::current(), woken: AtomicBool::new(false) }
    }

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
