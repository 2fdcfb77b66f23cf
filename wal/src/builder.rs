//! [`Builder`]: puts a log together and opens it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use wal_commit::Pipeline;
use wal_core::{
    CodecId, CommitStrategy, Env, Error, ErrorKind, Result, SegmentStore, StoreLock, Transform,
};
use wal_replay::{RecoverOptions, Recovery, Transforms, prune_first, recover};

use wal_segment::Capped;

use crate::log::Parts;
use crate::{Config, Retention, Strategy, SystemEnv, Wal};

/// Puts a log together out of settings and parts, and opens it. Every part has a default; any of
/// them can be a trait object of your own.
#[derive(Debug)]
pub struct Builder {
    place: Place,
    config: Config,
    strategy: Option<Arc<dyn CommitStrategy>>,
    env: Arc<dyn Env>,
    codec: CodecId,
    transform: Option<Arc<dyn Transform>>,
    readable: Vec<Arc<dyn Transform>>,
    prune_if_full: Option<Retention>,
}

#[derive(Debug)]
enum Place {
    Directory(PathBuf),
    Store(Arc<dyn SegmentStore>),
}

impl Builder {
    pub(crate) fn in_directory(dir: PathBuf) -> Self {
        Self::new(Place::Directory(dir))
    }

    pub(crate) fn in_store(store: Arc<dyn SegmentStore>) -> Self {
        Self::new(Place::Store(store))
    }

    fn new(place: Place) -> Self {
        Self {
            place,
            config: Config::default(),
            strategy: None,
            env: Arc::new(SystemEnv),
            codec: CodecId::RAW,
            transform: None,
            readable: Vec::new(),
            prune_if_full: None,
        }
    }

    /// Takes all settings from here.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// A segment ends before it would grow beyond this many bytes.
    pub fn segment_size(mut self, bytes: u64) -> Self {
        self.config.segment_size = bytes;
        self
    }

    /// Commits by a strategy of the kit. Ages and numbers of records at which it flushes are
    /// [`Config::group_commit`]'s.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.config.strategy = strategy;
        self
    }

    /// Commits by a strategy of your own, made for this one log.
    pub fn custom_strategy(mut self, strategy: Arc<dyn CommitStrategy>) -> Self {
        self.strategy = Some(strategy);
        self
    }

    /// Names the codec of the records in every segment header. A log that was written with another
    /// one is then refused, instead of decoded into nonsense; so is one with records that were written
    /// without naming any. Name it from the first record on.
    pub fn codec(mut self, codec: CodecId) -> Self {
        self.codec = codec;
        self
    }

    /// Sends every frame through this on its way to the store, and back.
    pub fn transform(mut self, transform: Arc<dyn Transform>) -> Self {
        self.readable.push(Arc::clone(&transform));
        self.transform = Some(transform);
        self
    }

    /// Reads frames that went through this, without writing any.
    pub fn also_reads(mut self, transform: Arc<dyn Transform>) -> Self {
        self.readable.push(transform);
        self
    }

    /// Where the repair of the log finds the disk full, the oldest segments go first, as far as
    /// `retention` asks for it: for a log that has filled its disk and cannot be opened to be pruned.
    /// Where there is room, nothing goes by this. [`Recovery::segments_pruned`] says what went, and
    /// [`Recovery::pruned_damaged`] what was wrong with it.
    ///
    /// The new beginning is durable before anything is deleted. Holds are of open logs, and keep
    /// nothing here.
    pub fn prune_if_full(mut self, retention: Retention) -> Self {
        self.prune_if_full = Some(retention);
        self
    }

    /// Takes time and chance from here.
    pub fn env(mut self, env: Arc<dyn Env>) -> Self {
        self.env = env;
        self
    }

    /// Opens the log, repairing what a crash left, and says what was found. Makes the directory if
    /// there is none; the log's first segment is made when something is written.
    ///
    /// What the log holds when this returns is durable, whatever it was before. A crash in the middle
    /// leaves the log as it was. Reads the newest segment and the header of the one before it,
    /// however long the log is.
    ///
    /// - [`Locked`](ErrorKind::Locked): somebody has it open for writing.
    /// - [`Corrupt`](ErrorKind::Corrupt): something that the log vouches for is damaged or missing, or
    ///   something that is no segment of this log has the name of one; nothing has been changed.
    /// - [`Invalid`](ErrorKind::Invalid): a setting that no log can work with, by its name.
    /// - [`StorageFull`](ErrorKind::StorageFull): the repair needs a segment, and there is no room for
    ///   it; nothing is lost. [`prune_if_full`](Self::prune_if_full) makes room.
    /// - [`Unsupported`](ErrorKind::Unsupported): written by a newer version, or with another codec;
    ///   or the settings ask for direct writing, which the file system refuses.
    pub fn open(self) -> Result<(Wal, Recovery)> {
        self.config.validate()?;
        let strategy = match self.strategy {
            Some(strategy) => strategy,
            None => self.config.build_strategy()?,
        };
        let (store, fit): (Arc<dyn SegmentStore>, _) = match self.place {
            Place::Store(store) => (store, None),
            Place::Directory(dir) => {
                let (store, fit) = self.config.store_in(&dir)?;
                (Arc::new(store), Some(fit))
            }
        };
        // A header has so many bytes, and is the first append of a segment. No block of ours is larger.
        let blocks = store.guarantees().alignment;
        if blocks > 4096 {
            let what = format!("the store takes appends in blocks of {blocks} bytes, above 4096");
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        let lock = lock_store(&*store)?;
        let mut options = self.config.options();
        let mut recovering = RecoverOptions::default();
        recovering.codec = self.codec;
        options.alignment = options.alignment.max(blocks);
        recovering.alignment = options.alignment;
        recovering.segment_size = options.segment_size;
        let recovered = match (recover(&*store, &*self.env, &recovering), &self.prune_if_full) {
            (Err(error), Some(retention)) if error.kind() == ErrorKind::StorageFull => {
                let now = self.env.now();
                let pruned = prune_first(&*store, |infos| retention.asks(infos, now))?;
                let again = recover(&*store, &*self.env, &recovering);
                again.map(|(resume, mut recovery)| {
                    recovery.segments_pruned = pruned.segments;
                    recovery.bytes_pruned = pruned.bytes;
                    recovery.pruned_damaged = pruned.damaged;
                    (resume, recovery)
                })
            }
            (recovered, _) => recovered,
        };
        let (resume, recovery) = recovered?;
        // What protects the log is in its headers, whatever these settings say.
        options.alignment = recovery.alignment;
        recovering.alignment = recovery.alignment;
        options.codec = if self.codec == CodecId::RAW { recovery.codec } else { self.codec };
        options.transform.clone_from(&self.transform);
        recovering.codec = options.codec;
        let codec = options.codec;
        // A recovery is not held up: what it makes is what can be pruned.
        let store = match self.config.max_size {
            None => store,
            Some(most) => Arc::new(Capped::new(store, most)),
        };
        let pipeline = Pipeline::start(
            Arc::clone(&store),
            Arc::clone(&self.env),
            strategy,
            options,
            resume,
            lock,
        )?;
        let transforms = Transforms::new(self.readable);
        let env = self.env;
        let (pipeline, transform) = (Arc::new(pipeline), self.transform);
        let parts = Parts { pipeline, store, env, transforms, transform, recovering, codec, fit };
        Ok((Wal::assemble(parts), recovery))
    }
}

/// Takes the store for writing.
pub(crate) fn lock_store(store: &dyn SegmentStore) -> Result<Box<dyn StoreLock>> {
    store.lock().map_err(|cause| match cause.kind() {
        io::ErrorKind::WouldBlock => {
            Error::new(ErrorKind::Locked, "the log is open for writing").because(cause)
        }
        io::ErrorKind::InvalidData => {
            Error::new(ErrorKind::Corrupt, "the store found itself damaged").because(cause)
        }
        _ => Error::io("locking the log failed", cause),
    })
}
