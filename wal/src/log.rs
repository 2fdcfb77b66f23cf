//! [`Wal`]: the log.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use wal_commit::{Pipeline, Wait};
use wal_core::format::Start;
use wal_core::{
    Acknowledgement, Codec, CodecId, Env, Error, ErrorKind, Lsn, Result, SegmentId, SegmentStore,
    Transform, WakeLater,
};
use wal_replay::{Chain, Cursor, RecoverOptions, Transforms, Until, survey, truncate};

use wal_segment::Fit;

use crate::hold::Holds;
use crate::{Builder, Typed};

/// A write-ahead log. A handle: clones share the log, from any thread.
///
/// An append stages a record and gives it its LSN; a wait returns when the record is acknowledged,
/// which under the default strategy means durable. The last handle to go away closes the log; call
/// [`close`](Self::close) to know that it went well.
///
/// A log belongs to the process that opened it. In a child that was forked after that, appending,
/// waiting, syncing, reading, pruning and closing are errors of kind [`Fenced`](ErrorKind::Fenced), at
/// once, and the end of a handle there changes nothing: fork first, open after.
#[derive(Clone)]
pub struct Wal {
    inner: Arc<Inner>,
}

pub(crate) struct Parts {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) store: Arc<dyn SegmentStore>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) transforms: Transforms,
    /// What frames go through on their way to the store.
    pub(crate) transform: Option<Arc<dyn Transform>>,
    pub(crate) recovering: RecoverOptions,
    pub(crate) codec: CodecId,
    pub(crate) fit: Option<Fit>,
}

struct Inner {
    parts: Parts,
    /// One change of the list of segments at a time, and none behind a close.
    pruning: Mutex<()>,
    /// The thread that has the turn at that.
    pruner: Mutex<Option<ThreadId>>,
    holds: Arc<Holds>,
    /// Counted up before and after each truncation.
    truncations: Arc<AtomicU64>,
}

impl Wal {
    /// A log in the files of this directory.
    ///
    /// ```no_run
    /// # fn main() -> wal::Result<()> {
    /// let (wal, recovery) = wal::Wal::builder("orders.wal").open()?;
    /// println!("{} orders so far", recovery.valid_records);
    /// # wal.close() }
    /// ```
    pub fn builder(dir: impl Into<PathBuf>) -> Builder {
        Builder::in_directory(dir.into())
    }

    /// A log in this store.
    pub fn with_store(store: Arc<dyn SegmentStore>) -> Builder {
        Builder::in_store(store)
    }

    pub(crate) fn assemble(parts: Parts) -> Self {
        let holds = Arc::new(Holds::new(Arc::clone(&parts.env)));
        let truncations = Arc::new(AtomicU64::new(0));
        let (pruning, pruner) = (Mutex::default(), Mutex::default());
        Self { inner: Arc::new(Inner { parts, pruning, pruner, holds, truncations }) }
    }

    /// Stages a record and returns its LSN. Under the default strategy this never waits for the
    /// disk, unless more is staged than [`buffer_size`](crate::Config::buffer_size) and
    /// [`when_full`](crate::Config::when_full) says to.
    ///
    /// - [`Backpressure`](ErrorKind::Backpressure): there is no room, and the settings say not to
    ///   wait for any. Nothing was staged.
    /// - [`Invalid`](ErrorKind::Invalid): over the record limit, or the log is closed. Nothing was
    ///   staged.
    /// - [`StorageFull`](ErrorKind::StorageFull): nothing is lost. Where the error carries an LSN
    ///   the record is staged under it and can be waited for, else it was not staged.
    /// - [`Poisoned`](ErrorKind::Poisoned): an earlier write or sync failed; close and reopen.
    #[inline]
    pub fn append(&self, record: impl AsRef<[u8]>) -> Result<Lsn> {
        self.pipeline().append(record.as_ref())
    }

    /// As [`append`](Self::append), and never waits: neither for room, nor beside a truncation, which is
    /// [`Backpressure`](ErrorKind::Backpressure) with nothing staged; nor for the disk, also under the
    /// strategies `sync` and `os`, whose own thread then writes, and a wait tells.
    pub fn try_append(&self, record: impl AsRef<[u8]>) -> Result<Lsn> {
        self.pipeline().try_append(record.as_ref())
    }

    /// As [`append`](Self::append), waiting for room without blocking the thread. Dropping the future
    /// before it is done appends nothing.
    ///
    /// A poll never waits for the disk: under the strategies `sync` and `os`, too, the record is staged
    /// when this is done, a thread of the log writes it, and
    /// [`wait_for_lsn`](Self::wait_for_lsn) tells. A loop of appends and waits lets the runtime run
    /// others now and then, also where nothing has to be waited for. What the waker must not do is told at
    /// [`wait_for_lsn`](Self::wait_for_lsn).
    pub async fn append_async(&self, record: impl AsRef<[u8]>) -> Result<Lsn> {
        self.pipeline().append_async(record.as_ref()).await
    }

    /// Appends a record and blocks until it is durable, whatever the strategy acknowledges: for the
    /// one record that must not be lost in a log that may lose some. Where the error carries an LSN
    /// the record is staged under it, and indeterminate.
    pub fn append_durable(&self, record: impl AsRef<[u8]>) -> Result<Lsn> {
        self.pipeline().append_durable(record.as_ref())
    }

    /// Stages all of these records or none and returns their LSNs, which follow each other. After a
    /// crash, too, they are all there or not there. Errors as for [`append`](Self::append); an empty
    /// batch gives no LSNs.
    pub fn append_batch<T: AsRef<[u8]>>(
        &self,
        records: impl IntoIterator<Item = T>,
    ) -> Result<Vec<Lsn>> {
        let records: Vec<T> = records.into_iter().collect();
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let (first, last) = self.pipeline().append_batch(&records)?;
        Ok((first.get()..=last.get()).map(Lsn::new).collect())
    }

    /// As [`append_batch`](Self::append_batch), waiting for room without blocking the thread. Dropping
    /// the future before it is done appends nothing.
    pub async fn append_batch_async<T: AsRef<[u8]>>(
        &self,
        records: impl IntoIterator<Item = T>,
    ) -> Result<Vec<Lsn>> {
        let records: Vec<T> = records.into_iter().collect();
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let (first, last) = self.pipeline().append_batch_async(&records).await?;
        Ok((first.get()..=last.get()).map(Lsn::new).collect())
    }

    /// Waits until this record, and so every one before it, is acknowledged: `.await` in any async
    /// runtime, or `.wait()` to block the thread. Dropping it never loses or stalls a record.
    ///
    /// Its waker runs on a thread that flushes the log, with none of the log's locks in hand: it may
    /// append, sync and close. It must not block until a record of the same log is committed, by a
    /// `.wait()` or an append that waits for room: that may be its own thread's to do, and would hang.
    ///
    /// An LSN that was never issued is an error of kind [`Invalid`](ErrorKind::Invalid), not a hang.
    /// After [`Poisoned`](ErrorKind::Poisoned) the record is indeterminate: the next recovery finds
    /// it or not.
    #[must_use = "the record is not known to be durable before this is awaited"]
    pub fn wait_for_lsn(&self, lsn: Lsn) -> Wait {
        self.pipeline().wait_async(lsn)
    }

    /// Makes everything appended before the call durable, whatever the strategy, and blocks until it
    /// is. Does nothing where it is so already.
    ///
    /// - [`StorageFull`](ErrorKind::StorageFull): what had no room stays staged; with room, the same
    ///   call makes it durable.
    /// - [`Poisoned`](ErrorKind::Poisoned): an earlier write or sync failed. Where it is this one, the
    ///   error is its own, most often [`Io`](ErrorKind::Io). What was staged is indeterminate.
    pub fn sync(&self) -> Result<()> {
        self.pipeline().sync()
    }

    /// The entries from this LSN on, through the last one acknowledged at the time of the call;
    /// across segments, and beside writers.
    ///
    /// A record that was pruned is [`NotFound`](ErrorKind::NotFound); an LSN behind the end gives no
    /// entries. Where the log is truncated meanwhile, the cursor goes on with what is in force, or says
    /// [`Changed`](ErrorKind::Changed); it gives nothing that was cut off before it was asked.
    pub fn read_from(&self, lsn: Lsn) -> Result<Cursor> {
        let Parts { store, transforms, .. } = self.parts();
        let cursor = self.over_chain(|chain, last| {
            let (until, seen) = (Until::Lsn(last), self.truncations());
            let cursor = Cursor::new(Arc::clone(store), transforms.clone(), chain, lsn, until)?;
            Ok(cursor.watching(self.cuts(), seen))
        })?;
        if let Some(cursor) = cursor {
            return Ok(cursor);
        }
        if lsn.max(Lsn::FIRST) < self.first_lsn() {
            return Err(Error::new(ErrorKind::NotFound, "the record was pruned").lsn(lsn));
        }
        Ok(Cursor::empty(Arc::clone(store)))
    }

    /// Drops every record behind `lsn`, durably; their LSNs are given out again. For a log that is
    /// overruled, as in consensus. What is appended when it begins makes it refuse, with
    /// [`Invalid`](ErrorKind::Invalid), and nothing is dropped; what is appended later waits for its
    /// end, or is [`Backpressure`](ErrorKind::Backpressure) where it must not wait.
    ///
    /// After a crash in the middle the log is whole or cut; nothing cut off ever comes back. A
    /// [`Hold`](crate::Hold) does not stop it, and one behind the cut moves to it.
    ///
    /// Also [`Invalid`](ErrorKind::Invalid): the LSN was never issued, or was pruned.
    pub fn truncate_after(&self, lsn: Lsn) -> Result<()> {
        let Parts { store, env, transforms, recovering, pipeline, .. } = &self.inner.parts;
        pipeline.check_process()?;
        // First without the turn: where this waits for room, it is pruning that makes some.
        if lsn < pipeline.staged_lsn() {
            pipeline.sync()?;
        }
        // Behind the turn: a waker may want it.
        let _later = WakeLater::begin();
        let _one_at_a_time = self.pruning()?;
        if lsn > pipeline.staged_lsn() {
            return Err(Error::new(ErrorKind::Invalid, "the LSN was never issued").lsn(lsn));
        }
        if lsn < self.first_lsn().previous() {
            return Err(Error::new(ErrorKind::Invalid, "the LSN was pruned").lsn(lsn));
        }
        if lsn == pipeline.staged_lsn() {
            return Ok(());
        }
        // Before anything is gone, so that who reads and misses it knows why.
        self.inner.truncations.fetch_add(1, Ordering::SeqCst);
        let cut = pipeline
            .truncate(|resume| truncate(&**store, &**env, recovering, transforms, resume, lsn));
        // And behind it, for a cursor that has looked in between.
        self.inner.truncations.fetch_add(1, Ordering::SeqCst);
        cut?;
        self.holds().cut(lsn.next());
        pipeline.room_made();
        Ok(())
    }

    /// How the log is kept in its directory, which it says in one line for people: what was asked for,
    /// and what suits the file system for the rest. `None` in a store of your own.
    pub fn fit(&self) -> Option<&Fit> {
        self.inner.parts.fit.as_ref()
    }

    /// The first record of the log, or the one that will be.
    pub fn first_lsn(&self) -> Lsn {
        let none = || self.pipeline().written_lsn().next();
        self.pipeline().extent().map_or_else(none, |(start, _)| start.lsn)
    }

    /// The last record appended, or [`Lsn::ZERO`].
    pub fn last_lsn(&self) -> Lsn {
        self.pipeline().staged_lsn()
    }

    /// The last record known to be durable, or [`Lsn::ZERO`].
    pub fn durable_lsn(&self) -> Lsn {
        self.pipeline().durable_lsn()
    }

    /// What an acknowledgement means under the log's strategy.
    pub fn acknowledges(&self) -> Acknowledgement {
        self.pipeline().acknowledges()
    }

    /// The segment being written and its end in bytes, where there is one.
    pub fn current_segment(&self) -> Option<(SegmentId, u64)> {
        self.pipeline().current_segment()
    }

    /// How often the store was asked to sync records, since the log was opened.
    pub fn syncs(&self) -> u64 {
        self.pipeline().syncs()
    }

    /// The codec that the segment headers name.
    pub fn codec(&self) -> CodecId {
        self.inner.parts.codec
    }

    /// The same log over records of type `R`. Refused with [`Invalid`](ErrorKind::Invalid) where the
    /// log names another codec; name it in the [`Builder`] before the first record is written, and the log
    /// itself remembers.
    pub fn typed<R, C: Codec<R> + 'static>(&self, codec: C) -> Result<Typed<R>> {
        Typed::new(self.clone(), Arc::new(codec))
    }

    /// Writes and syncs everything, seals the log and lets go of it, so that it can be opened again.
    /// Later appends of all handles are refused; reading goes on. A second close finds nothing to do;
    /// beside one that is still at work it returns before the threads of the strategy have ended, and until
    /// they have the lock is held.
    ///
    /// - [`StorageFull`](ErrorKind::StorageFull): nothing is lost, and the log is still held. What is
    ///   staged stays in memory, and a close once there is room writes it.
    /// - [`Invalid`](ErrorKind::Invalid): a waker calls it on a thread that is pruning the log just now.
    ///   Nothing has changed.
    /// - Any other error means that something may be missing on disk; the next open recovers what is
    ///   there.
    pub fn close(&self) -> Result<()> {
        // First, so that a close that is refused has changed nothing.
        self.refuse_within_own_turn()?;
        // A waker may close the log, too: on a thread of the strategy, which is waited for here, and on
        // this one, where it runs behind the turn.
        self.pipeline().end_strategy()?;
        let _later = WakeLater::begin();
        // What prunes removes segments under the store's lock, which goes below. It waits for nothing
        // but the disk.
        let _no_pruning = self.pruning()?;
        self.pipeline().close()
    }

    /// What `look` finds in the chain as it is now, for the records through the last acknowledged
    /// one, which it is given; `None` where the log has no segment.
    pub(crate) fn over_chain<T>(
        &self,
        look: impl Fn(&Chain, Lsn) -> Result<T>,
    ) -> Result<Option<T>> {
        let Parts { store, pipeline, .. } = self.parts();
        pipeline.check_process()?;
        let mut attempts = 0;
        loop {
            let last = pipeline.acknowledged_lsn();
            let Some((start, newest)) = pipeline.extent() else { return Ok(None) };
            let chain = Chain::of_live(&**store, start, newest);
            match chain.and_then(|chain| look(&chain, last)) {
                // A rotation, pruning or truncation in between: look again.
                Err(_) if attempts < 3 && pipeline.extent() != Some((start, newest)) => {
                    attempts += 1;
                }
                // A truncation or a prune that has not come to its end: look again behind it.
                Err(_) if attempts < 3 => {
                    attempts = 3;
                    drop(self.pruning()?);
                }
                Err(error)
                    if error.kind() == ErrorKind::Corrupt && self.is_another(start, newest) =>
                {
                    let what =
                        "another handle has the log, and has changed it: look again by that one";
                    return Err(Error::new(ErrorKind::Changed, what).because(error));
                }
                looked => return looked.map(Some),
            }
        }
    }

    /// Whether the log is sound and goes on behind what this handle knows: another handle has opened it
    /// since this one was closed. Numbers only grow, so a log that ends or begins before that has lost
    /// what this handle knows.
    fn is_another(&self, start: Start, newest: SegmentId) -> bool {
        // Till then the lock keeps all others out.
        if !self.parts().pipeline.is_closed() {
            return false;
        }
        let found = survey(&*self.parts().store).ok().flatten();
        found.is_some_and(|found| {
            let goes_on = found.newest.id > newest || found.chain.start.segment > start.segment;
            goes_on && found.missing.is_none()
        })
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.inner.parts
    }

    pub(crate) fn holds(&self) -> &Arc<Holds> {
        &self.inner.holds
    }

    /// Another number from the beginning of a truncation on.
    pub(crate) fn truncations(&self) -> u64 {
        self.inner.truncations.load(Ordering::SeqCst)
    }

    /// What a cursor watches.
    pub(crate) fn cuts(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.inner.truncations)
    }

    /// The turn at changing the list of segments, in the process that opened the log. Refused to a waker
    /// that runs within this thread's own turn: a prune wakes those whom its sync has reached before it
    /// removes anything, which may take its time.
    pub(crate) fn pruning(&self) -> Result<Pruning<'_>> {
        self.refuse_within_own_turn()?;
        let Inner { pruning, pruner, .. } = &*self.inner;
        let turn = lock(pruning);
        *lock(pruner) = Some(thread::current().id());
        Ok(Pruning { pruner, _turn: turn })
    }

    fn refuse_within_own_turn(&self) -> Result<()> {
        self.pipeline().check_process()?;
        if *lock(&self.inner.pruner) == Some(thread::current().id()) {
            let what = "the log is being pruned by this thread, which wakes the caller meanwhile";
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        Ok(())
    }

    #[inline]
    fn pipeline(&self) -> &Arc<Pipeline> {
        &self.inner.parts.pipeline
    }
}

/// A turn at changing the list of segments.
pub(crate) struct Pruning<'a> {
    pruner: &'a Mutex<Option<ThreadId>>,
    _turn: MutexGuard<'a, ()>,
}

impl Drop for Pruning<'_> {
    fn drop(&mut self) {
        *lock(self.pruner) = None;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.parts.pipeline.check_process().is_err() {
            return;
        }
        // Nobody is left to tell; who must know calls `close`. A wait that somebody keeps has the
        // pipeline, which must not write any more when the lock is another's.
        self.parts.pipeline.give_up();
    }
}

impl fmt::Debug for Wal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wal")
            .field("store", &self.inner.parts.store)
            .field("last_lsn", &self.last_lsn())
            .field("durable_lsn", &self.durable_lsn())
            .finish_non_exhaustive()
    }
}

/// A panic in between leaves nothing half done: each lock guards a moment, or data that is whole
/// whenever other code can panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
