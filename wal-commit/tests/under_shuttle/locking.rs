//! The store's lock is free when nothing of the log that had it can change the store any more.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::AtomicU32;
use shuttle::thread;
use wal_commit::{GroupCommit, Os, Parallel, Pipeline, Pipelined, Sync};
use wal_core::{CommitStrategy, ErrorKind, Resume, SegmentId, SegmentStore, StoreLock};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{Hooked, LOG, StillEnv, left_of, one_segment};
use crate::explore;
use crate::world::join;

/// Tells when the log has let the lock go. The simulated store's own lock is held by its writers and
/// syncers, too; this one tells of the log alone.
#[derive(Debug)]
struct Told {
    // Goes first: by the time that the other is free, a successor gets this one at once.
    _lock: Box<dyn StoreLock>,
    _told: Tells,
}

impl StoreLock for Told {}

#[derive(Debug)]
struct Tells(Arc<AtomicBool>);

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Where the lock of the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    ByTheLog,
    /// Planted: by those who close the log, who let go of it first.
    ByThoseWhoClose,
}

/// Locks nothing.
#[derive(Debug)]
struct Nothing;

impl StoreLock for Nothing {}

/// A new log in this store, whose lock is this one.
fn begin(
    store: impl SegmentStore + 'static,
    strategy: impl CommitStrategy + 'static,
    lock: Box<dyn StoreLock>,
) -> Arc<Pipeline> {
    let (env, resume) = (Arc::new(StillEnv::default()), Resume::fresh(LOG));
    let (store, strategy) = (Arc::new(store), Arc::new(strategy));
    Arc::new(Pipeline::start(store, env, strategy, one_segment(), resume, lock).unwrap())
}

/// C1: threads are inside the store when a step of another one fails, and whoever is told closes the
/// poisoned log. The next owner opens it the moment the lock is free, uses the segment's number again,
/// and must be alone with it. The close came back at once, and a late write of the former life landed in
/// the next one's records.
pub(crate) fn a_poisoned_close(strategy: impl CommitStrategy + 'static, kept: Kept) {
    let disk = SimDisk::new(Profile::STRICT);
    let free = Arc::new(AtomicBool::new(false));
    let is_free = Arc::clone(&free);
    let bad = thread_rng().gen_range(1..8);
    // Shuttle's own, so that threads may change places within every step.
    let (steps, within) = (AtomicU32::new(0), AtomicU32::new(0));
    let store = Hooked::new(SimStore::new(disk.clone()), move |step| {
        let now = steps.fetch_add(1, Ordering::SeqCst);
        within.fetch_add(1, Ordering::SeqCst);
        assert!(!is_free.load(Ordering::SeqCst), "{step:?} of a log that has let its lock go");
        if now == bad { Err(io::Error::other(format!("{step:?} failed"))) } else { Ok(()) }
    });
    let lock = Told { _lock: store.lock().unwrap(), _told: Tells(Arc::clone(&free)) };
    let (given, lock): (Box<dyn StoreLock>, _) = match kept {
        Kept::ByTheLog => (Box::new(lock), None),
        Kept::ByThoseWhoClose => (Box::new(Nothing), Some(lock)),
    };
    let lock = Arc::new(Mutex::new(lock));
    let log = begin(store, strategy, given);
    let appending = (0..3).map(|name| {
        let (log, lock) = (Arc::clone(&log), Arc::clone(&lock));
        thread::spawn(move || {
            let commits = |n: u8| {
                let lsn = log.append(&[name, n])?;
                log.wait(lsn)?;
                log.sync()
            };
            // Ends with the failed step, of which every thread is told.
            let _told = (0..).find_map(|n| commits(n).err()).unwrap();
            let lock = lock.lock().unwrap().take();
            drop(lock);
            assert_eq!(log.close().unwrap_err().kind(), ErrorKind::Poisoned);
        })
    });
    let (next, free) = (disk.clone(), Arc::clone(&free));
    let reopening = thread::spawn(move || {
        while !free.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        let store = SimStore::new(next.clone());
        let lock = store.lock().expect("a writer or a syncer has outlived the log's lock");
        store.remove(&[SegmentId::FIRST]).unwrap();
        let log = begin(store, Sync::new(), lock);
        for n in 0..3 {
            let lsn = log.append(&[n; 20]).unwrap();
            log.wait(lsn).unwrap();
        }
        log.close().unwrap();
        assert_eq!(left_of(&next).records, [[0; 20], [1; 20], [2; 20]]);
    });
    join(appending.chain([reopening]));
    assert_eq!(disk.breach(), None);
    drop(log);
    assert_eq!(left_of(&disk).records.len(), 3, "the drop of the former log changed the next one");
}

#[test]
fn a_poisoned_close_beside_an_append_and_a_new_owner() {
    explore(|| a_poisoned_close(Os::new(), Kept::ByTheLog));
    explore(|| a_poisoned_close(Sync::new(), Kept::ByTheLog));
    explore(|| a_poisoned_close(GroupCommit::new(), Kept::ByTheLog));
    explore(|| a_poisoned_close(Pipelined::new(), Kept::ByTheLog));
    explore(|| a_poisoned_close(Parallel::new(2), Kept::ByTheLog));
}
