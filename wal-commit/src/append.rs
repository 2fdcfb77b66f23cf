//! Appending: a record or a batch is staged, where there is room.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use wal_core::format::{MAX_PREFIX_LEN, prefix_len};
use wal_core::{Acknowledgement, Error, ErrorKind, Flush, Lsn, Result, Waiter};

use crate::stage::Stage;
use crate::sync::lock_briefly;
use crate::wait::Place;
use crate::{Pipeline, WhenFull};

/// Nothing is staged behind this record: no batch that fits a frame then goes behind [`Lsn::LAST`], where
/// no header makes sense. No log comes here by counting; a crafted or damaged header can.
const END: Lsn = Lsn::new(Lsn::LAST.get() - u32::MAX as u64);

impl Pipeline {
    /// Stages a record and returns its LSN; what has happened to it by then is the strategy's to
    /// say, with most of them nothing. An error that carries an LSN means that the record is staged
    /// under it all the same, and can be waited for.
    ///
    /// Where [`buffer_size`](crate::Options::buffer_size) bytes are staged already, it does what
    /// [`when_full`](crate::Options::when_full) says.
    #[inline]
    pub fn append(&self, record: &[u8]) -> Result<Lsn> {
        self.check(record)?;
        self.stage(self.options().when_full, Waiter::Thread, |stage| stage.push(record))
    }

    /// As [`append`](Self::append), refused with [`Backpressure`](ErrorKind::Backpressure) where
    /// [`buffer_size`](crate::Options::buffer_size) bytes are staged already, or a truncation is under
    /// way. The strategy then knows that room is wanted.
    ///
    /// Never waits for the disk: under a strategy that writes or syncs at an append, a thread does, and
    /// a wait tells.
    pub fn try_append(&self, record: &[u8]) -> Result<Lsn> {
        self.check(record)?;
        self.stage(WhenFull::Refuse, Waiter::Task, |stage| stage.push(record))
    }

    /// As [`append`](Self::append), waiting for room without blocking the thread. Dropping the
    /// future before it is done appends nothing.
    ///
    /// A poll never waits for the disk: under a strategy that writes or syncs at an append, a thread
    /// does, and a wait tells. Now and then it lets the runtime run others first. What the waker must not
    /// do is told at [`Wait`](crate::Wait).
    pub async fn append_async(&self, record: &[u8]) -> Result<Lsn> {
        self.check(record)?;
        self.give_way().await;
        loop {
            let staged = self.stage(WhenFull::Refuse, Waiter::Task, |stage| stage.push(record));
            if !is_full(&staged) {
                return staged;
            }
            self.room().await?;
        }
    }

    /// Stages a record and blocks until it is durable, whatever the strategy acknowledges. Of those
    /// who call at the same time few sync, and the others find it done.
    pub fn append_durable(&self, record: &[u8]) -> Result<Lsn> {
        let lsn = self.append(record)?;
        let durable = match self.acknowledges() {
            Acknowledgement::Durable => self.wait(lsn),
            _ => self.make_durable(lsn),
        };
        durable.map(|()| lsn).map_err(|error| error.lsn(lsn))
    }

    /// Stages all of these records or none, and returns the LSNs of the first and the last; after a
    /// crash, too, they are all there or not there. An empty batch is refused. Room is as for
    /// [`append`](Self::append): a batch is staged whole where there is any.
    pub fn append_batch<T: AsRef<[u8]>>(&self, records: &[T]) -> Result<(Lsn, Lsn)> {
        let batch = self.batch(records)?;
        let staged =
            self.stage(self.options().when_full, Waiter::Thread, |stage| batch.push(stage));
        staged.map(|last| batch.lsns(last))
    }

    /// As [`append_batch`](Self::append_batch), waiting for room without blocking the thread.
    /// Dropping the future before it is done appends nothing.
    pub async fn append_batch_async<T: AsRef<[u8]>>(&self, records: &[T]) -> Result<(Lsn, Lsn)> {
        let batch = self.batch(records)?;
        self.give_way().await;
        loop {
            let staged = self.stage(WhenFull::Refuse, Waiter::Task, |stage| batch.push(stage));
            if !is_full(&staged) {
                return staged.map(|last| batch.lsns(last));
            }
            self.room().await?;
        }
    }

    /// Stages what `push` pushes, where there is room, and tells the strategy. Blocks for a
    /// [`Waiter::Thread`] only.
    #[inline]
    fn stage(
        &self,
        when_full: WhenFull,
        appender: Waiter,
        push: impl FnOnce(&mut Stage) -> Lsn,
    ) -> Result<Lsn> {
        self.check_process()?;
        let (lsn, ample) = loop {
            let mut stage = lock_briefly(&self.flusher().stage);
            if let Some(why) = stage.closed() {
                return Err(why.clone());
            }
            if stage.last_lsn() >= END {
                let what = "the LSNs are used up: no record has one behind this";
                return Err(Error::new(ErrorKind::Invalid, what).lsn(stage.last_lsn()));
            }
            let cut = stage.is_being_cut();
            if !cut && stage.len() <= self.options().buffer_size {
                let ample = self.options().buffer_size / 8;
                let before = stage.len();
                let lsn = push(&mut stage);
                break (lsn, before <= ample && stage.len() > ample);
            }
            let staged = stage.last_lsn();
            drop(stage);
            match (cut, appender, when_full) {
                // The turn at writing is free when the truncation has ended.
                (true, Waiter::Thread, _) | (false, _, WhenFull::Block) => {
                    self.flusher().with_room(|| self.flusher().write())?;
                }
                (true, ..) => return Err(full("the log is being truncated")),
                (false, _, WhenFull::Refuse) => {
                    let told = self.strategy().waiting(staged, Waiter::Task);
                    // Room that there is by now comes first: what went wrong may be another's.
                    if !self.has_room() {
                        told?;
                    }
                    return Err(full("more is staged than buffer_size allows"));
                }
            }
        };
        self.tell_staged(lsn, when_full, appender).map_err(|error| error.lsn(lsn))?;
        if ample && self.written_lsn() < lsn {
            // What goes wrong with it reaches those who do wait.
            self.strategy().waiting(lsn, Waiter::Nobody).ok();
        }
        Ok(lsn)
    }

    fn has_room(&self) -> bool {
        let stage = lock_briefly(&self.flusher().stage);
        stage.closed().is_none() && stage.len() <= self.options().buffer_size
    }

    /// Tells the strategy, which may flush by itself. Where there is no room for that, and the settings
    /// say to wait for some, an append that may block does.
    fn tell_staged(&self, lsn: Lsn, when_full: WhenFull, appender: Waiter) -> Result<()> {
        match self.strategy().staged(lsn, appender) {
            // The record comes first: what went wrong may be another's.
            Err(_) if self.acknowledged_lsn() >= lsn => Ok(()),
            Err(error)
                if error.kind() == ErrorKind::StorageFull && when_full == WhenFull::Block =>
            {
                let mark = self.acknowledged();
                let again = || match self.strategy().waiting(lsn, Waiter::Thread) {
                    Err(_) if mark.get() >= lsn => Ok(()),
                    told => told,
                };
                if self.waits_for_room() { self.flusher().with_room(again) } else { Err(error) }
            }
            told => told,
        }
    }

    /// Lets the runtime run others, every now and then: a task whose appends find room and whose waits
    /// find their records acknowledged would else keep its thread for itself.
    async fn give_way(&self) {
        let mut gives = self.gives_way();
        poll_fn(|context| {
            if !std::mem::take(&mut gives) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Waits until what is staged now is written: then there was room at some moment. So there was
    /// where a truncation has ended the waiting, which each does.
    async fn room(&self) -> Result<()> {
        let (staged, cut) = {
            let stage = lock_briefly(&self.flusher().stage);
            (stage.last_lsn(), stage.is_being_cut())
        };
        // What is staged is written where the log is cut; so this waits for what is not there.
        let awaited = if cut { staged.next() } else { staged };
        let mut place = Place::new(self, Arc::clone(&self.flusher().written), awaited);
        let mut asked = false;
        let written = poll_fn(|context| {
            let mut polled = place.poll(context);
            if polled.is_pending() && !asked {
                // In the queue by now, so that a failure of this very flush is heard.
                asked = true;
                if !cut && let Err(error) = self.strategy().waiting(staged, Waiter::Task) {
                    polled = place.poll(context);
                    // The room comes first: what went wrong may be another's.
                    return if polled.is_ready() { polled } else { Poll::Ready(Err(error)) };
                }
                // A close or the end of a truncation ends this wait, or is seen here: what is left
                // after a close that found no room, no thread of the log writes any more.
                let stage = lock_briefly(&self.flusher().stage);
                if let Some(why) = stage.closed() {
                    return Poll::Ready(Err(why.clone()));
                }
                if cut && !stage.is_being_cut() {
                    return Poll::Ready(Ok(()));
                }
                drop(stage);
                polled = place.poll(context);
            }
            polled
        });
        let Err(error) = written.await else { return Ok(()) };
        self.poisoned()?;
        match lock_briefly(&self.flusher().stage).closed() {
            Some(why) => Err(why.clone()),
            // What was staged by others is no more, and with it the LSN that this was waiting for.
            None if error.kind() == ErrorKind::Invalid => Ok(()),
            // What failed is what others staged; of this record nothing is.
            None => Err(error),
        }
    }

    fn check(&self, record: &[u8]) -> Result<()> {
        let limit = self.options().record_limit;
        if record.len() > limit { Err(over(record.len(), limit)) } else { Ok(()) }
    }

    /// Asks each record for its bytes, once and with no lock in hand: that is the caller's code.
    fn batch<'a, T: AsRef<[u8]>>(&self, records: &'a [T]) -> Result<Batch<'a>> {
        let records: Vec<_> = records.iter().map(AsRef::as_ref).collect();
        let mut len = 0_usize;
        for record in &records {
            let (record, limit) = (record.len(), self.options().record_limit);
            if record > limit {
                return Err(over(record, limit));
            }
            len = len.saturating_add(prefix_len(record) + record);
        }
        if records.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "the batch is empty"));
        }
        let limit = self.options().batch_limit;
        if len > limit.saturating_add(MAX_PREFIX_LEN) {
            let what = format!(
                "the batch takes {len} bytes, over the limit of {limit} (the setting batch_limit)"
            );
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        Ok(Batch { records, len })
    }
}

/// Records that go into one frame, and their bytes with prefixes.
struct Batch<'a> {
    records: Vec<&'a [u8]>,
    len: usize,
}

impl Batch<'_> {
    fn push(&self, stage: &mut Stage) -> Lsn {
        stage.push_batch(&self.records, self.len)
    }

    fn lsns(&self, last: Lsn) -> (Lsn, Lsn) {
        (Lsn::new(last.get() + 1 - self.records.len() as u64), last)
    }
}

fn full(what: &'static str) -> Error {
    Error::new(ErrorKind::Backpressure, what)
}

fn is_full(staged: &Result<Lsn>) -> bool {
    matches!(staged, Err(error) if error.kind() == ErrorKind::Backpressure)
}

/// A record of so many bytes is over the limit.
fn over(record: usize, limit: usize) -> Error {
    let what = format!(
        "a record of {record} bytes is over the limit of {limit} (the setting record_limit)"
    );
    Error::new(ErrorKind::Invalid, what)
}
