//! [`Pace`]: the preparing thread, and a second process, as parts of the searched world.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use wal::parts::segment::FileStore;
use wal_core::{Files, SegmentId, SegmentStore};
use wal_testkit::{Before, SimDisk, SimFiles, Tape, YieldingFiles};

/// What a preparing thread does of a store: what is wanted by now.
pub(crate) trait Prepares: Send + Sync + fmt::Debug {
    fn prepare_next(&self) -> io::Result<bool>;
}

/// Decides at every file operation of a store whether the preparing thread comes just then, or another
/// process that fights for the lock. It comes
/// early, late, twice for one thing, or never: by chance that depends on the disk alone, so that a case
/// runs the same way every time.
#[derive(Debug)]
pub(crate) struct Pace {
    tape: Mutex<Tape>,
    /// Of so many file operations the thread comes before one; 0 for never.
    one_in: u32,
    syncs: BesideSyncs,
    store: OnceLock<Weak<dyn Prepares>>,
    /// The disk, for another process.
    disk: SimDisk,
    inside: AtomicBool,
}

/// Whether the thread may come in the middle of a sync, where the store holds the lock of one. Where
/// its own work is a sync of the same file it would wait there, and what is one thread here for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BesideSyncs {
    /// It may.
    Comes,
    /// It waits, as a thread would.
    Waits,
}

impl Pace {
    /// A pace for the store that is opened on this disk now.
    pub(crate) fn of(disk: &SimDisk, syncs: BesideSyncs) -> Arc<Self> {
        let mut tape = Tape::random(disk.operations().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let one_in = [2, 1, 3, 8, 0][tape.choose(5) as usize];
        let (store, inside) = (OnceLock::new(), AtomicBool::new(false));
        let (tape, disk) = (Mutex::new(tape), disk.clone());
        Arc::new(Self { tape, one_in, syncs, store, disk, inside })
    }

    /// The files of this disk, between whose operations the thread comes.
    pub(crate) fn files(self: &Arc<Self>, disk: &SimDisk) -> Arc<dyn Files> {
        let pace = Arc::clone(self);
        let files = Arc::new(SimFiles::new(disk.clone()));
        Arc::new(YieldingFiles::new(files, move |before| pace.comes(before)))
    }

    /// The thread works for this store.
    pub(crate) fn drives<S: Prepares + 'static>(&self, store: &Arc<S>) {
        let store: Weak<S> = Arc::downgrade(store);
        self.store.set(store).ok();
    }

    fn comes(&self, before: Before) {
        let waits = matches!(before, Before::Look | Before::Rename | Before::Read);
        if self.one_in == 0
            // Locks are held there that the thread would wait for, and nobody else runs here.
            || matches!(before, Before::Sync | Before::Remove)
            || (waits && self.syncs == BesideSyncs::Waits)
            || self.inside.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        let (turn, other) = (tape.choose(self.one_in), tape.choose(32));
        drop(tape);
        if other == 31 {
            contends(&self.disk);
        }
        if turn == 0
            && let Some(store) = self.store.get().and_then(Weak::upgrade)
        {
            // As in a thread: whoever needs what could not be prepared finds out.
            store.prepare_next().ok();
        }
        self.inside.store(false, Ordering::Relaxed);
    }
}

/// Another process wants the log, and would change something if it got it. Where this one has the lock,
/// the disk sees that two do.
fn contends(disk: &SimDisk) {
    let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())));
    if let Ok(_lock) = store.lock() {
        drop(store.create(SegmentId::new(1 << 40), 4096));
    }
}
