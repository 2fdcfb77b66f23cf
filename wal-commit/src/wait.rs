//! [`Wait`]: waiting for a record without blocking a thread.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wal_core::{Lsn, Reached, Result, Waiter, Watermark};

use crate::Pipeline;

/// Waits for a record to be acknowledged; from [`Pipeline::wait_async`]. A poll never waits for the disk.
///
/// Its waker runs on a thread that flushes the log, with no lock of the log in hand: it may append, sync
/// and close. It must not block until a record of the same log is committed ([`Pipeline::wait`], an append
/// that waits for room): that may be its own thread's to do, and would hang.
///
/// One of 64 that find their record acknowledged lets the runtime run others first.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Wait {
    place: Place<Arc<Pipeline>>,
    lsn: Lsn,
    asked: Asked,
}

/// Whether the strategy knows of the wait.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    No,
    /// Nor need it, by the first look; the others run first, once.
    GaveWay,
    Yes,
}

impl Wait {
    pub(crate) fn new(pipeline: Arc<Pipeline>, lsn: Lsn) -> Self {
        let mark = Arc::clone(pipeline.acknowledged());
        Self { place: Place::new(pipeline, mark, lsn), lsn, asked: Asked::No }
    }

    /// Blocks the thread instead.
    pub fn wait(self) -> Result<()> {
        self.place.pipeline.wait(self.lsn)
    }

    /// The record waited for.
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }
}

impl Future for Wait {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { place, lsn, asked } = &mut *self;
        let mut polled = place.poll(context);
        let pipeline = &place.pipeline;
        if polled.is_ready() && *asked == Asked::No && pipeline.gives_way() {
            *asked = Asked::GaveWay;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if polled.is_pending() && *asked != Asked::Yes {
            *asked = Asked::Yes;
            pipeline.issued(*lsn)?;
            let asked = pipeline.strategy().waiting(*lsn, Waiter::Task);
            polled = place.poll(context);
            // The record comes first: what went wrong may be another's.
            if polled.is_pending() {
                asked?;
            }
            if polled.is_pending()
                && let Some(error) = place.pipeline.unclosed()
            {
                return Poll::Ready(Err(error.clone()));
            }
        }
        polled.map(|waited| place.pipeline.blame(*lsn, waited))
    }
}

/// A place in the queue of a mark, which a process that did not open the log neither takes nor leaves.
#[derive(Debug)]
pub(crate) struct Place<P: Deref<Target = Pipeline>> {
    /// `None` from the drop on.
    reached: Option<Reached<Arc<Watermark>>>,
    pub(crate) pipeline: P,
}

impl<P: Deref<Target = Pipeline>> Place<P> {
    pub(crate) fn new(pipeline: P, mark: Arc<Watermark>, lsn: Lsn) -> Self {
        Self { reached: Some(mark.reached_owned(lsn)), pipeline }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.pipeline.check_process()?;
        self.reached.as_mut().map_or(Poll::Pending, |reached| Pin::new(reached).poll(context))
    }
}

impl<P: Deref<Target = Pipeline>> Drop for Place<P> {
    fn drop(&mut self) {
        if self.pipeline.check_process().is_err() {
            // Leaving takes the lock of the queue.
            std::mem::forget(self.reached.take());
        }
    }
}
