//! Several syncs in flight, where the store allows it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use wal_commit::{Options, Parallel, Pipelined};
use wal_core::{CommitStrategy, ErrorKind, Lsn};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{Hooked, Step, left_of, one_segment, small_segments, start};
use crate::{Gate, PATIENCE, eventually, within};

/// Syncs that end when the test says so, one by one.
#[derive(Debug, Default)]
struct Syncs {
    /// Begun, and let go: each sync has the number at which it began.
    state: Mutex<(u32, Vec<u32>)>,
    changed: Condvar,
}

impl Syncs {
    fn begin(&self) {
        let mut state = self.state.lock().unwrap();
        let number = state.0;
        state.0 += 1;
        self.changed.notify_all();
        let wait = self.changed.wait_timeout_while(state, PATIENCE, |s| !s.1.contains(&number));
        assert!(!wait.unwrap().1.timed_out(), "sync {number} was never let go");
    }

    fn let_go(&self, number: u32) {
        self.state.lock().unwrap().1.push(number);
        self.changed.notify_all();
    }

    fn begun(&self) -> u32 {
        self.state.lock().unwrap().0
    }
}

fn log(syncs: &Arc<Syncs>, overlapping: u32) -> (SimDisk, Arc<wal_commit::Pipeline>) {
    let disk = SimDisk::new(Profile::STRICT);
    let at = Arc::clone(syncs);
    let headers = AtomicU32::new(0);
    let store = Hooked::new(SimStore::new(disk.clone()), move |step| {
        // The first sync is that of the segment's header.
        if matches!(step, Step::Sync(_)) && headers.fetch_add(1, Ordering::SeqCst) > 0 {
            at.begin();
        }
        Ok(())
    });
    let store = store.overlapping_syncs(overlapping);
    (disk, start(store, Arc::new(Parallel::new(3)), one_segment()).unwrap())
}

/// A sync that begins later and ends earlier moves the mark, for all that was written before it;
/// the one that ends last moves nothing back. (Once a thread that synced was taken for one that
/// rests, and woken in place of one that did.)
#[test]
fn the_sync_that_ends_first_moves_the_mark() {
    let syncs = Arc::new(Syncs::default());
    let (disk, log) = log(&syncs, 3);
    for n in 1..=3 {
        log.append(b"record").unwrap();
        eventually("one more sync", || syncs.begun() == n);
    }
    assert_eq!(log.durable_lsn(), Lsn::ZERO);
    syncs.let_go(1);
    eventually("the second", || log.durable_lsn() == Lsn::new(2));
    assert_eq!(left_of(&disk).last_lsn(), Lsn::new(3), "the simulated sync takes all there is");
    log.wait(Lsn::new(2)).unwrap();
    syncs.let_go(0);
    syncs.let_go(2);
    eventually("the third", || log.durable_lsn() == Lsn::new(3));
    (3..10).for_each(|number| syncs.let_go(number));
    log.close().unwrap();
}

/// The store that lets no two syncs overlap is not asked to; [`Hooked`] panics otherwise.
#[test]
fn no_more_overlap_than_the_store_allows() {
    for overlapping in [1, 2, 8] {
        let disk = SimDisk::new(Profile::STRICT);
        let store = Hooked::new(SimStore::new(disk.clone()), |step| {
            if matches!(step, Step::Sync(_)) {
                thread::yield_now();
            }
            Ok(())
        });
        let store = store.overlapping_syncs(overlapping);
        let log = start(store, Arc::new(Parallel::new(4)), small_segments()).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let lsn = log.append(&[1; 300]).unwrap();
                        log.wait(lsn).unwrap();
                        assert!(log.durable_lsn() >= lsn);
                    }
                });
            }
        });
        log.close().unwrap();
        assert_eq!(left_of(&disk).last_lsn(), Lsn::new(200));
    }
}

/// One of several syncs in flight fails: everyone above the mark is told, and nothing is
/// acknowledged behind it.
#[test]
fn a_failed_sync_among_several_ends_the_log() {
    let disk = SimDisk::new(Profile::STRICT);
    let count = AtomicU32::new(0);
    let store = Hooked::new(SimStore::new(disk.clone()), move |step| {
        if matches!(step, Step::Sync(_)) && count.fetch_add(1, Ordering::SeqCst) == 20 {
            return Err(std::io::Error::other("made to fail"));
        }
        Ok(())
    });
    let mut options = Options::default();
    options.segment_size = 1 << 20;
    let log = start(store.overlapping_syncs(4), Arc::new(Parallel::new(4)), options).unwrap();
    let ended = Arc::clone(&log);
    let acknowledged = within("waits on a log that fails", move || {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..6)
                .map(|_| {
                    scope.spawn(|| {
                        let mut last = Lsn::ZERO;
                        loop {
                            let waited = ended.append(b"record").and_then(|lsn| {
                                ended.wait(lsn)?;
                                Ok(lsn)
                            });
                            match waited {
                                Ok(lsn) => last = lsn,
                                Err(error) => {
                                    assert_eq!(error.kind(), ErrorKind::Poisoned);
                                    return last;
                                }
                            }
                        }
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
        })
    });
    assert!(left_of(&disk).last_lsn() >= acknowledged);
    assert_eq!(log.append(b"no more").unwrap_err().kind(), ErrorKind::Poisoned);
}

/// A truncation gives numbers out anew, and what is appended under them is flushed again.
#[test]
fn numbers_that_a_truncation_took_back_are_flushed_again() {
    let disk = SimDisk::new(Profile::STRICT);
    let store = SimStore::new(disk.clone());
    let log = start(store, Arc::new(Parallel::new(3)), one_segment()).unwrap();
    for _ in 0..50 {
        log.append(b"first").unwrap();
    }
    log.wait(Lsn::new(50)).unwrap();
    // What a truncation does to the marks; that the records go is for the whole log's tests.
    let cut = |mut resume: wal_core::Resume| {
        resume.last_lsn = Lsn::new(10);
        resume.current = None;
        Ok(resume)
    };
    log.truncate(cut).unwrap();
    assert_eq!(log.durable_lsn(), Lsn::new(10));
    assert_eq!(log.current_segment(), None, "the old segment is no more");
    for _ in 0..40 {
        let lsn = log.append(b"again").unwrap();
        let waits = Arc::clone(&log);
        within("a number given out anew", move || waits.wait(lsn)).unwrap();
    }
}

/// A record that is written while a sync is on its way back is not that sync's: the mark moves to what
/// was written before the sync began, and a power cut at that moment leaves exactly that.
#[test]
fn a_sync_vouches_for_nothing_written_while_it_ran() {
    let strategies: [fn() -> Arc<dyn CommitStrategy>; 2] =
        [|| Arc::new(Pipelined::new()), || Arc::new(Parallel::new(2))];
    for strategy in strategies {
        let disk = SimDisk::new(Profile::STRICT);
        let gates = Arc::new([Gate::default(), Gate::default()]);
        let (at, syncs) = (Arc::clone(&gates), AtomicU32::new(0));
        let store = Hooked::new(SimStore::new(disk.clone()), move |step| {
            // The syncs are that of the header, of the first record, of the second.
            if matches!(step, Step::Sync(_)) && syncs.fetch_add(1, Ordering::SeqCst) == 2 {
                at[1].pass();
            }
            if matches!(step, Step::Synced(_)) && syncs.load(Ordering::SeqCst) == 2 {
                at[0].pass();
            }
            Ok(())
        });
        let log = start(store, strategy(), one_segment()).unwrap();
        log.append(b"one").unwrap();
        gates[0].reached();
        log.append(b"two").unwrap();
        eventually("the second is written", || log.written_lsn() == Lsn::new(2));
        gates[0].open();
        gates[1].reached();
        assert_eq!(log.durable_lsn(), Lsn::FIRST);
        assert_eq!(left_of(&disk).last_lsn(), Lsn::FIRST);
        gates[1].open();
        log.wait(Lsn::new(2)).unwrap();
        assert_eq!(left_of(&disk).last_lsn(), Lsn::new(2));
        log.close().unwrap();
    }
}

/// Where a writer and a syncer share the work, the sync of what is written waits for no later write.
#[test]
fn a_sync_waits_for_no_later_write() {
    let gates = Arc::new([Gate::default(), Gate::default()]);
    let (at, records) = (Arc::clone(&gates), AtomicU32::new(0));
    let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), move |step| {
        if matches!(step, Step::Append(_, end) if end > 0)
            && let Some(gate) = at.get(records.fetch_add(1, Ordering::SeqCst) as usize)
        {
            gate.pass();
        }
        Ok(())
    });
    let log = start(store, Arc::new(Pipelined::new()), one_segment()).unwrap();
    log.append(b"one").unwrap();
    gates[0].reached();
    log.append(b"two").unwrap();
    gates[0].open();
    gates[1].reached();
    eventually("the first is durable", || log.durable_lsn() == Lsn::FIRST);
    gates[1].open();
    log.wait(Lsn::new(2)).unwrap();
    log.close().unwrap();
}

/// Nor do syncs wait for each other behind a truncation, while numbers are given out that have been
/// synced once.
#[test]
fn syncs_overlap_behind_a_truncation() {
    let gate = Arc::new(Gate::default());
    let begun = Arc::new(AtomicU32::new(0));
    let (at, count) = (Arc::clone(&gate), Arc::clone(&begun));
    let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), move |step| {
        if matches!(step, Step::Sync(_)) && at.armed() {
            count.fetch_add(1, Ordering::SeqCst);
            at.pass();
        }
        Ok(())
    });
    let store = store.overlapping_syncs(3);
    let log = start(store, Arc::new(Parallel::new(3)), one_segment()).unwrap();
    for _ in 0..10 {
        log.append(b"first").unwrap();
    }
    log.wait(Lsn::new(10)).unwrap();
    let cut = |mut resume: wal_core::Resume| {
        resume.last_lsn = Lsn::FIRST;
        resume.current = None;
        Ok(resume)
    };
    log.truncate(cut).unwrap();
    let again = log.append(b"again").unwrap();
    log.wait(again).unwrap();
    gate.arm();
    for n in 1..=2 {
        log.append(b"again").unwrap();
        eventually("one more sync", || begun.load(Ordering::SeqCst) >= n);
    }
    gate.open();
    log.wait(Lsn::new(4)).unwrap();
    log.close().unwrap();
}
