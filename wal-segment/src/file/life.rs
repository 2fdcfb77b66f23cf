//! [`Life`]: one time that a store is locked, and all that may change its directory meanwhile.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use wal_core::{Fenced, SegmentId, StoreLock};

use super::listed::Listed;
use super::lock::FileLock;
use super::spares::Spares;
use super::syncs::Syncs;
use super::{Ahead, Caching, FileKind, Files, Preparation, Recycling, Writing, anchor, name};
use crate::sync::thread::JoinHandle;
use crate::sync::{AtomicBool, Ordering};
use crate::system;

/// How a store works. Constant once it is locked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settings {
    pub(super) preparation: Preparation,
    pub(super) recycling: Recycling,
    pub(super) ahead: Ahead,
    pub(super) writing: Writing,
    pub(super) caching: Caching,
}

/// One time that a store is locked: from the taking of the lock until the last thing is gone that
/// may change the directory. The lock of the store holds it, and so do its writers and syncers.
///
/// It owns the spare files, the thread that prepares them, and the lock. When it goes, the thread is
/// ended and joined, the spares are removed, and only then is the lock free: another handle never
/// meets anything of this one. A process that was forked off has a copy of it, and ends none of that.
pub(super) struct Life {
    pub(super) files: Arc<dyn Files>,
    pub(super) settings: Settings,
    pub(super) spares: Arc<Spares>,
    pub(super) listed: Arc<Listed>,
    pub(super) anchor: anchor::Durable,
    dir_syncs: Arc<Syncs>,
    thread: OnceLock<Option<JoinHandle<()>>>,
    /// Whether the lock of the store is still there, and not only writers and syncers.
    held: AtomicBool,
    process: u32,
    /// Freed last: fields go in this order, after `drop`.
    lock: FileLock,
}

impl Life {
    /// Takes the lock, and then clears away what former lives have left.
    ///
    /// Those are the files whose names prove that a store made them for itself: spares, and segments
    /// that never got their name. They are removed and never used again: a sync of the directory may
    /// have failed in that life, and then a power cut brings such a file back under a segment's name,
    /// whatever it is called now. One that cannot be removed stays, and is in the way of nothing.
    pub(super) fn begin(
        files: &Arc<dyn Files>,
        settings: Settings,
        dir_syncs: &Arc<Syncs>,
        listed: &Arc<Listed>,
    ) -> io::Result<Arc<Self>> {
        let lock = FileLock::take(&**files)?;
        let spares = Spares::new(Arc::clone(files), settings);
        let life = Arc::new(Self {
            files: Arc::clone(files),
            settings,
            spares: Arc::new(spares),
            listed: Arc::clone(listed),
            anchor: anchor::Durable::new(anchor::Known::default()),
            dir_syncs: Arc::clone(dir_syncs),
            thread: OnceLock::new(),
            held: AtomicBool::new(true),
            process: system::process(),
            lock,
        });
        let mut names = files.list()?;
        if let Some(restored) = anchor::restore(&**files, &names)? {
            names.retain(|name| *name != restored);
        }
        for name in names.iter().filter(|name| name::is_spare(name)) {
            if files.look(name).is_ok_and(|info| info.kind == FileKind::File) {
                files.remove(name).ok();
            }
        }
        life.sync_dir()?;
        life.listed.keep(segments(&names));
        Ok(life)
    }

    /// Whether the lock of the store is still there.
    pub(super) fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    /// This process is not the one that took the lock, but was forked off it. At the price of a load: it is
    /// asked before each write, for a child writes at the end that it knows of, over what its parent has
    /// acknowledged since.
    pub(super) fn is_foreign(&self) -> bool {
        self.process != system::process()
    }

    /// Fails as [`Fenced`] in a process that was forked off.
    pub(super) fn check_process(&self) -> io::Result<()> {
        if self.is_foreign() { Err(Self::forked()) } else { Ok(()) }
    }

    #[cold]
    fn forked() -> io::Error {
        Fenced("the process that opened this was forked since".into()).into()
    }

    /// Fails as [`Fenced`] where another writer may have the lock: in a process that was forked off,
    /// and where only the file `LOCK` could be locked and is not there any more.
    pub(super) fn check(&self) -> io::Result<()> {
        self.check_process()?;
        self.lock.check(&*self.files)
    }

    /// Fails as the first failed sync of the directory did, if there was one.
    pub(super) fn check_dir(&self) -> io::Result<()> {
        self.dir_syncs.check()
    }

    pub(super) fn sync_dir(&self) -> io::Result<()> {
        self.dir_syncs.run(|| self.files.sync_dir())
    }

    /// Starts the thread that prepares what is wanted, where there is to be one. Where the system has
    /// no thread to spare, segments are prepared when they are needed.
    pub(super) fn start_thread(&self) {
        self.thread.get_or_init(|| Spares::start(&self.spares).unwrap_or(None));
    }

    /// Removes these segments, each durably before the next. What cannot be removed does not keep
    /// the ones behind it: the first failure is the result.
    pub(super) fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.listed.forget();
        let mut result = Ok(());
        for id in ids {
            let removed = self.check_dir().and_then(|()| self.remove_one(*id));
            result = result.and(removed);
        }
        result
    }

    fn remove_one(&self, id: SegmentId) -> io::Result<()> {
        let name = name::of(id);
        let kept = self.spares.to_keep(id, || self.files.look(&name))?;
        let removed = match &kept {
            None => self.files.remove(&name),
            Some((spare, _)) => self.files.rename(&name, spare),
        };
        let there = match removed {
            // It may be gone since a moment ago, by a process that died before it could sync.
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            removed => removed.map(|()| true)?,
        };
        self.sync_dir()?;
        // Not before: it must not become another segment and this one again.
        if let Some((spare, info)) = kept.filter(|_| there) {
            self.spares.keep(spare, info);
        }
        Ok(())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if self.is_foreign() {
            // The thread is not in this process, and the files are the other's.
            std::mem::forget(self.thread.take());
            return;
        }
        self.spares.end();
        if let Some(thread) = self.thread.take().flatten() {
            // A panic there was told when it happened, and cost a file that is not ready.
            thread.join().ok();
        }
        self.spares.discard();
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Life").field("files", &self.files).finish_non_exhaustive()
    }
}

/// The lock of a store.
#[derive(Debug)]
pub(super) struct Held(pub(super) Arc<Life>);

impl StoreLock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.0.is_foreign() {
            self.0.held.store(false, Ordering::Release);
            self.0.listed.forget();
        }
    }
}

/// The segments among these files, ascending.
pub(super) fn segments(names: &[String]) -> Vec<SegmentId> {
    let mut ids: Vec<_> = names.iter().filter_map(|name| name::parse(name)).collect();
    ids.sort_unstable();
    ids
}
