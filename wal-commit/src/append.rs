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
        self.stage(self.options().when_full, |stage| stage.push(record))
    }

    /// As [`append`](Self::append), refused with [`Backpressure`](ErrorKind::Backpressure) where
    /// [`buffer_size`](crate::Options::buffer_size) bytes are staged already. The strategy then knows
    /// that room is wanted.
    pub fn try_append(&self, record: &[u8]) -> Result<Lsn> {
        self.check(record)?;
        self.stage(WhenFull::Refuse, |stage| stage.push(record))
    }

    /// As [`append`](Self::append), waiting for room without blocking the thread. Dropping the
    /// future before it is done appends nothing.
    pub async fn append_async(&self, record: &[u8]) -> Result<Lsn> {
        self.check(record)?;
        loop {
            let staged = self.stage(WhenFull::Refuse, |stage| stage.push(record));
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
        self.stage(self.options().when_full, |stage| batch.push(stage)).map(|last| batch.lsns(last))
    }

    /// As [`append_batch`](Self::append_batch), waiting for room without blocking the thread.
    /// Dropping the future before it is done appends nothing.
    pub async fn append_batch_async<T: AsRef<[u8]>>(&self, records: &[T]) -> Result<(Lsn, Lsn)> {
        let batch = self.batch(records)?;
        loop {
            let staged = self.stage(WhenFull::Refuse, |stage| batch.push(stage));
            if !is_full(&staged) {
                return staged.map(|last| batch.lsns(last));
            }
            self.room().await?;
        }
    }

    /// Stages what `push` pushes, where there is room, and tells the strategy.
    #[inline]
    fn stage(&self, when_full: WhenFull, push: impl FnOnce(&mut Stage) -> Lsn) -> Result<Lsn> {
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
            if stage.len() <= self.options().buffer_size {
                let ample = self.options().buffer_size / 8;
                let before = stage.len();
                let lsn = push(&mut stage);
                break (lsn, before <= ample && stage.len() > ample);
            }
            let staged = stage.last_lsn();
            drop(stage);
            match when_full {
                WhenFull::Block => self.flusher().with_room(|| self.flusher().write())?,
                WhenFull::Refuse => {
                    self.strategy().waiting(staged, Waiter::Task)?;
                    let what = "more is staged than buffer_size allows";
                    return Err(Error::new(ErrorKind::Backpressure, what));
                }
            }
        };
        self.tell_staged(lsn, when_full).map_err(|error| error.lsn(lsn))?;
        if ample && self.written_lsn() < lsn {
            // What goes wrong with it reaches those who do wait.
            self.strategy().waiting(lsn, Waiter::Nobody).ok();
        }
        Ok(lsn)
    }

    /// Tells the strategy, which may flush by itself. Where there is no room for that, and the settings
    /// say to wait for some, an append that may block does.
    fn tell_staged(&self, lsn: Lsn, when_full: WhenFull) -> Result<()> {
        match self.strategy().staged(lsn) {
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

    /// Waits until what is staged now is written: then there was room at some moment. So there was
    /// where a truncation has ended the waiting.
    async fn room(&self) -> Result<()> {
        let staged = self.staged_lsn();
        let mut place = Place::new(self, Arc::clone(&self.flusher().written), staged);
        let mut asked = false;
        let written = poll_fn(|context| {
            let mut polled = place.poll(context);
            if polled.is_pending() && !asked {
                // In the queue by now, so that a failure of this very flush is heard.
                asked = true;
                if let Err(error) = self.strategy().waiting(staged, Waiter::Task) {
                    return Poll::Ready(Err(error));
                }
                // A close ends this wait, or is seen here: what is left after one that found no room
                // is nobody's to write.
                if let Some(why) = lock_briefly(&self.flusher().stage).closed() {
                    return Poll::Ready(Err(why.clone()));
                }
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
        if record.len() > self.options().record_limit {
            return Err(Error::new(ErrorKind::Invalid, "the record is over the record limit"));
        }
        Ok(())
    }

    /// Asks each record for its bytes, once and with no lock in hand: that is the caller's code.
    fn batch<'a, T: AsRef<[u8]>>(&self, records: &'a [T]) -> Result<Batch<'a>> {
        let records: Vec<_> = records.iter().map(AsRef::as_ref).collect();
        let mut len = 0_usize;
        for record in &records {
            let record = record.len();
            if record > self.options().record_limit {
                return Err(Error::new(ErrorKind::Invalid, "a record is over the record limit"));
            }
            len = len.saturating_add(prefix_len(record) + record);
        }
        if records.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "the batch is empty"));
        }
        if len > self.options().batch_limit.saturating_add(MAX_PREFIX_LEN) {
            return Err(Error::new(ErrorKind::Invalid, "the batch is over the batch limit"));
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

fn is_full(staged: &Result<Lsn>) -> bool {
    matches!(staged, Err(error) if error.kind() == ErrorKind::Backpressure)
}
