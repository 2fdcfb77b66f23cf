//! [`Target`]: an empty store that a log is being copied into.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wal_commit::{Options, Pipeline};
use wal_core::format::{MAX_BODY_LEN, Start};
use wal_core::{
    CodecId, Entry, Env, Error, ErrorKind, LogId, Lsn, Result, Resume, SegmentId, SegmentStore,
    Transform,
};
use wal_replay::CopyMark;

use crate::builder::lock_store;
use crate::unfinished::{clear, mark, unmark};

/// How the copy is written.
pub(crate) struct Plan {
    /// The log that is copied.
    pub(crate) source: LogId,
    pub(crate) codec: CodecId,
    /// In bytes.
    pub(crate) segment_size: u64,
    /// In bytes.
    pub(crate) alignment: u32,
    pub(crate) transform: Option<Arc<dyn Transform>>,
    /// Chance is its; the times are those of the source.
    pub(crate) env: Arc<dyn Env>,
}

/// An empty store that a log is being copied into, through the same pipeline as every log. Until it
/// is [finished](Self::finish) the store does not open as a log.
pub(crate) struct Target {
    store: Arc<dyn SegmentStore>,
    pipeline: Pipeline,
    times: Arc<Times>,
    log: LogId,
    first: Lsn,
    last: Lsn,
}

impl Target {
    /// Begins a log of its own identity in `store`, which is empty, or holds the remains of such a copy,
    /// for the records from `first` through `last`.
    pub(crate) fn begin(
        store: Arc<dyn SegmentStore>,
        plan: Plan,
        first: Lsn,
        last: Lsn,
    ) -> Result<Self> {
        let lock = lock_store(&*store)?;
        never_a_log(&*store)?;
        clear(&*store)?;
        let Plan { source, codec, segment_size, alignment, transform, env } = plan;
        let mut log = [0; 16];
        log[..8].copy_from_slice(&env.random().to_le_bytes());
        log[8..].copy_from_slice(&env.random().to_le_bytes());
        let log = LogId(log);
        if last >= first {
            mark(&*store, &CopyMark { source, copy: log, last_lsn: last })?;
        }
        let times = Arc::new(Times { now: AtomicU64::new(env.now()), chance: env });
        let mut resume = Resume::fresh(log);
        resume.last_lsn = first.previous();
        let mut options = Options::default();
        options.segment_size = segment_size;
        options.alignment = alignment;
        options.codec = codec;
        options.transform = transform;
        // Whatever the source has, it fitted there.
        options.batch_limit = MAX_BODY_LEN / 2;
        options.record_limit = options.batch_limit;
        // Writes each frame at once, under its own time, and syncs where a segment ends.
        let strategy = Arc::new(wal_commit::Os::new());
        let env = Arc::clone(&times) as Arc<dyn Env>;
        let pipeline = Pipeline::start(Arc::clone(&store), env, strategy, options, resume, lock)?;
        Ok(Self { store, pipeline, times, log, first, last })
    }

    /// The identity of the log that comes to be.
    pub(crate) fn log(&self) -> LogId {
        self.log
    }

    /// Appends these records, of which there is one, as one frame with the time of the first.
    pub(crate) fn append(&self, frame: &[Entry]) -> Result<()> {
        if let Some(entry) = frame.first() {
            self.times.now.store(entry.timestamp, Ordering::Relaxed);
        }
        let payloads: Vec<_> = frame.iter().map(|entry| &entry.payload).collect();
        self.pipeline.append_batch(&payloads).map(drop)
    }

    /// Makes everything durable, seals the log and lets it be one.
    pub(crate) fn finish(self) -> Result<()> {
        if self.pipeline.staged_lsn() != self.last.max(self.first.previous()) {
            let what = "the copy does not end with the record it was to end with";
            return Err(Error::new(ErrorKind::Invalid, what).lsn(self.pipeline.staged_lsn()));
        }
        if self.last < self.first && self.first > Lsn::FIRST {
            // No record says where the log begins, and so the segment must.
            self.pipeline.set_start(Start { segment: SegmentId::FIRST, lsn: self.first })?;
        }
        let marked = self.last >= self.first;
        self.pipeline.close_then(|| if marked { unmark(&*self.store) } else { Ok(()) })
    }
}

/// Collects the entries of one frame after the other.
#[derive(Default)]
pub(crate) struct Frames {
    entries: Vec<Entry>,
}

impl Frames {
    /// Takes an entry; gives `write` those of the frame before, where a new one begins with it.
    pub(crate) fn push(
        &mut self,
        entry: Entry,
        write: impl FnOnce(&[Entry]) -> Result<()>,
    ) -> Result<()> {
        if self.entries.last().is_some_and(|last| last.position != entry.position) {
            self.flush(write)?;
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Gives `write` what there is, if anything.
    pub(crate) fn flush(&mut self, write: impl FnOnce(&[Entry]) -> Result<()>) -> Result<()> {
        if !self.entries.is_empty() {
            write(&self.entries)?;
            self.entries.clear();
        }
        Ok(())
    }
}

/// The times of the source, with somebody's chance.
#[derive(Debug)]
struct Times {
    now: AtomicU64,
    chance: Arc<dyn Env>,
}

impl Env for Times {
    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn random(&self) -> u64 {
        self.chance.random()
    }

    fn process(&self) -> u32 {
        self.chance.process()
    }
}

/// Refuses a store that has no segment and had some: a person took them away, and what remains says
/// of which log they were.
fn never_a_log(store: &dyn SegmentStore) -> Result<()> {
    let there = store.list().map_err(|cause| Error::io("listing the segments failed", cause))?;
    let anchor = store.read_anchor();
    let anchor = anchor.map_err(|cause| Error::io("reading the log's anchor failed", cause))?;
    if !there.is_empty() || anchor.is_none_or(|bytes| bytes.is_empty()) {
        return Ok(());
    }
    let what = "the store to copy into was a log's: its segments are gone, and its anchor is there (in \
                a directory, the file ANCHOR)";
    Err(Error::new(ErrorKind::Invalid, what))
}
