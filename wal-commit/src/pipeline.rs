//! [`Pipeline`]: the writing half of a log.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use wal_core::format::{MAX_PREFIX_LEN, Start, prefix_len};
use wal_core::{
    Acknowledgement, CommitStrategy, Env, Error, ErrorKind, Flush, Lsn, Reached, Result, Resume,
    SegmentId, SegmentStore, Waiter, Watermark,
};

use crate::Options;
use crate::flusher::{Flusher, closed, lock};
use crate::sync::AtomicBool;
use crate::writer::Writer;

/// The writing half of a log: append, wait, sync, close. Shared between threads behind an `Arc`.
pub struct Pipeline {
    flusher: Arc<Flusher>,
    strategy: Arc<dyn CommitStrategy>,
    store: Arc<dyn SegmentStore>,
    env: Arc<dyn Env>,
    options: Options,
    /// Whether the strategy has been told to stop.
    stopped: AtomicBool,
    /// Why the first close left records in memory, if it did; from then on nobody flushes them by
    /// himself.
    unclosed: OnceLock<Error>,
}

impl Pipeline {
    /// The log that recovery found in `store`, going on under `strategy`. The caller holds the
    /// store's lock as long as the pipeline lives.
    pub fn start(
        store: Arc<dyn SegmentStore>,
        env: Arc<dyn Env>,
        strategy: Arc<dyn CommitStrategy>,
        mut options: Options,
        resume: Resume,
    ) -> Result<Self> {
        options.alignment = options.alignment.max(store.guarantees().alignment);
        options.validate()?;
        options.frame_size = options.frame_size.min(options.frame_that_fits());
        let writer = Writer::new(
            Arc::clone(&store),
            Arc::clone(&env),
            options.clone(),
            strategy.acknowledges(),
            resume,
        );
        let flusher = Arc::new(Flusher::new(writer, &options));
        strategy.start(Arc::clone(&flusher) as Arc<dyn Flush>)?;
        let stopped = AtomicBool::new(false);
        Ok(Self { flusher, strategy, store, env, options, stopped, unclosed: OnceLock::new() })
    }

    /// Stages a record and returns its LSN; what has happened to it by then is the strategy's to
    /// say, with most of them nothing. An error that carries an LSN means that the record is staged
    /// under it all the same, and can be waited for.
    #[inline]
    pub fn append(&self, record: &[u8]) -> Result<Lsn> {
        if record.len() > self.options.record_limit {
            return Err(Error::new(ErrorKind::Invalid, "the record is over the record limit"));
        }
        let lsn = loop {
            let mut stage = lock(&self.flusher.stage);
            if let Some(why) = stage.closed() {
                return Err(why.clone());
            }
            if stage.len() <= self.options.buffer_size {
                break stage.push(record);
            }
            drop(stage);
            self.flusher.write()?;
        };
        self.strategy.staged(lsn).map_err(|error| error.lsn(lsn))?;
        Ok(lsn)
    }

    /// Stages all of these records or none, and returns the LSNs of the first and the last; after a
    /// crash, too, they are all there or not there. An empty batch is refused.
    pub fn append_batch<T: AsRef<[u8]>>(&self, records: &[T]) -> Result<(Lsn, Lsn)> {
        let mut len = 0_usize;
        for record in records {
            let record = record.as_ref().len();
            if record > self.options.record_limit {
                return Err(Error::new(ErrorKind::Invalid, "a record is over the record limit"));
            }
            len = len.saturating_add(prefix_len(record) + record);
        }
        if records.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "the batch is empty"));
        }
        if len > self.options.batch_limit.saturating_add(MAX_PREFIX_LEN) {
            return Err(Error::new(ErrorKind::Invalid, "the batch is over the batch limit"));
        }
        let last = loop {
            let mut stage = lock(&self.flusher.stage);
            if let Some(why) = stage.closed() {
                return Err(why.clone());
            }
            if stage.len() <= self.options.buffer_size {
                break stage.push_batch(records.iter().map(AsRef::as_ref), len);
            }
            drop(stage);
            self.flusher.write()?;
        };
        self.strategy.staged(last).map_err(|error| error.lsn(last))?;
        Ok((Lsn::new(last.get() + 1 - records.len() as u64), last))
    }

    /// Blocks until `lsn` is acknowledged as the strategy understands it.
    pub fn wait(&self, lsn: Lsn) -> Result<()> {
        let mark = self.acknowledged();
        if mark.get() >= lsn {
            return Ok(());
        }
        let waited = mark.wait(lsn, || {
            self.issued(lsn)?;
            self.strategy.waiting(lsn, Waiter::Thread)
        });
        self.blame(lsn, waited)
    }

    /// Resolves when `lsn` is acknowledged as the strategy understands it. May be dropped at any
    /// time: no record is lost or stalled by it.
    pub fn wait_async(self: &Arc<Self>, lsn: Lsn) -> Wait {
        let mark = Arc::clone(self.acknowledged());
        Wait { reached: mark.reached_owned(lsn), pipeline: Arc::clone(self), lsn, asked: Asked::No }
    }

    /// Makes everything staged before the call durable, whatever the strategy; does nothing where
    /// it is so already.
    pub fn sync(&self) -> Result<()> {
        self.flusher.poisoned()?;
        let staged = self.flusher.staged();
        if self.flusher.durable() >= staged {
            return Ok(());
        }
        if self.flusher.written() < staged {
            self.flusher.write()?;
        }
        self.flusher.sync()
    }

    /// The first failure, where the log is poisoned.
    pub fn poisoned(&self) -> Result<()> {
        self.flusher.poisoned()
    }

    /// The last record staged.
    pub fn staged_lsn(&self) -> Lsn {
        self.flusher.staged()
    }

    /// The last record known to be durable.
    pub fn durable_lsn(&self) -> Lsn {
        self.flusher.durable()
    }

    /// The last record handed to the store.
    pub fn written_lsn(&self) -> Lsn {
        self.flusher.written()
    }

    /// The segment being written and its end in bytes, where there is one.
    pub fn current_segment(&self) -> Option<(SegmentId, u64)> {
        self.flusher.current()
    }

    /// Where the log begins, and its newest segment; `None` while it has no segment.
    pub fn extent(&self) -> Option<(Start, SegmentId)> {
        self.flusher.extent()
    }

    /// The last record that is acknowledged, as the strategy understands it.
    pub fn acknowledged_lsn(&self) -> Lsn {
        self.acknowledged().get()
    }

    /// Syncs asked of the store so far, those at the end and the beginning of segments not counted.
    pub fn syncs(&self) -> u64 {
        self.flusher.syncs()
    }

    /// What a wait waits for.
    pub fn acknowledges(&self) -> Acknowledgement {
        self.strategy.acknowledges()
    }

    /// Records durably that the log begins at `start`; what is before may be deleted after this has
    /// returned, and not earlier.
    pub fn set_start(&self, start: Start) -> Result<()> {
        if let Some(why) = lock(&self.flusher.stage).closed() {
            return Err(why.clone());
        }
        self.flusher.set_start(start)
    }

    /// Writes and syncs everything, then has `cut` make a shorter log of it, in a segment of its
    /// own that cuts off the rest. No record may be appended meanwhile.
    pub fn truncate(&self, cut: impl FnOnce(Resume) -> Result<Resume>) -> Result<()> {
        self.sync()?;
        let again = |resume| {
            Writer::new(
                Arc::clone(&self.store),
                Arc::clone(&self.env),
                self.options.clone(),
                self.strategy.acknowledges(),
                resume,
            )
        };
        let gone = |last: Lsn| Error::new(ErrorKind::Invalid, "the log was truncated").lsn(last);
        self.flusher.replace(|resume| cut(resume).map(again), gone)
    }

    /// Takes no more records, writes and syncs what is staged, seals the segment and ends the
    /// strategy. Records that are being waited for are acknowledged by it. A second call finds
    /// nothing to do, and one at the same time returns when that is so.
    ///
    /// Fails with [`StorageFull`](ErrorKind::StorageFull) where there is no room for what is
    /// staged; that stays in memory, and a close after there is room writes it. Until then a
    /// blocking wait still writes it too; a task's wait fails at once.
    pub fn close(&self) -> Result<()> {
        lock(&self.flusher.stage).close(closed());
        // `Relaxed`: it only picks the one who calls.
        if !self.stopped.swap(true, Ordering::Relaxed) {
            self.strategy.stop();
        }
        let finished = self.flusher.finish();
        if let Err(error) = &finished
            && error.kind() == ErrorKind::StorageFull
        {
            // First the reason, then the rejection: a task that registers after the one sees the
            // other.
            self.unclosed.get_or_init(|| error.clone());
            self.flusher.reject(error);
        }
        finished
    }

    fn acknowledged(&self) -> &Arc<Watermark> {
        match self.strategy.acknowledges() {
            Acknowledgement::Durable => &self.flusher.durable,
            _ => &self.flusher.written,
        }
    }

    /// To be asked by a waiter that is in the queue already: a truncation takes numbers back and
    /// then ends the waiting for them, so that one of the two sees the other.
    fn issued(&self, lsn: Lsn) -> Result<()> {
        if lsn > self.flusher.staged() {
            return Err(Error::new(ErrorKind::Invalid, "the LSN was never issued").lsn(lsn));
        }
        Ok(())
    }

    /// A poisoned log is not to blame for a wait that would not have gone well without.
    fn blame(&self, lsn: Lsn, waited: Result<()>) -> Result<()> {
        match &waited {
            Err(error) if error.kind() == ErrorKind::Poisoned => self.issued(lsn).and(waited),
            _ => waited,
        }
    }
}

impl Drop for Pipeline {
    /// Closes the log where nobody has; nobody is left to hear how that went.
    fn drop(&mut self) {
        if !self.stopped.load(Ordering::Relaxed) {
            self.close().ok();
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("strategy", &self.strategy)
            .field("store", &self.store)
            .field("staged", &self.staged_lsn())
            .field("durable", &self.durable_lsn())
            .finish_non_exhaustive()
    }
}

/// Waits for a record to be acknowledged; from [`Pipeline::wait_async`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Wait {
    reached: Reached<Arc<Watermark>>,
    pipeline: Arc<Pipeline>,
    lsn: Lsn,
    asked: Asked,
}

/// Whether the strategy knows of the wait.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    No,
    Yes,
}

impl Wait {
    /// Blocks the thread instead.
    pub fn wait(self) -> Result<()> {
        self.pipeline.wait(self.lsn)
    }

    /// The record waited for.
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }
}

impl Future for Wait {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { reached, pipeline, lsn, asked } = &mut *self;
        let mut polled = Pin::new(&mut *reached).poll(context);
        if polled.is_pending() && *asked == Asked::No {
            *asked = Asked::Yes;
            pipeline.issued(*lsn)?;
            pipeline.strategy.waiting(*lsn, Waiter::Task)?;
            polled = Pin::new(reached).poll(context);
            if polled.is_pending()
                && let Some(error) = pipeline.unclosed.get()
            {
                return Poll::Ready(Err(error.clone()));
            }
        }
        polled.map(|waited| pipeline.blame(*lsn, waited))
    }
}
