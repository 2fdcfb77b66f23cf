//! A waker is other people's code: it appends, syncs, closes the log, prunes, or is its last handle.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use wal::parts::core::{Acknowledgement, CommitStrategy, Flush, Waiter};
use wal::parts::segment::MemoryStore;
use wal::{ErrorKind, Lsn, Result, Strategy, Wal};

use crate::hooked::{Hooked, Step};
use crate::non_blocking::strategies;
use crate::within;

/// Does something with its handle when it is woken, and lets go of it.
struct Bell {
    wal: Mutex<Option<Wal>>,
    does: fn(&Wal),
    rang: AtomicBool,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let wal = self.wal.lock().unwrap().take();
        if let Some(wal) = wal {
            (self.does)(&wal);
            drop(wal);
            self.rang.store(true, Ordering::SeqCst);
        }
    }
}

/// A log with a record that somebody waits for, and the bell that this one rings.
fn log(strategy: Strategy, does: fn(&Wal)) -> (Wal, Arc<Bell>, impl Sized) {
    let open = Wal::with_store(Arc::new(MemoryStore::new())).strategy(strategy).open();
    let (wal, _) = open.unwrap();
    let bell = ring(&wal, does);
    let lsn = wal.try_append(b"record").unwrap();
    let mut wait = wal.wait_for_lsn(lsn);
    let waker = Waker::from(Arc::clone(&bell));
    if Pin::new(&mut wait).poll(&mut Context::from_waker(&waker)).is_ready() {
        waker.wake();
    }
    (wal, bell, wait)
}

fn ring(wal: &Wal, does: fn(&Wal)) -> Arc<Bell> {
    let rang = AtomicBool::new(false);
    Arc::new(Bell { wal: Mutex::new(Some(wal.clone())), does, rang })
}

fn rings(name: &str, bell: &Bell) {
    let began = Instant::now();
    while !bell.rang.load(Ordering::SeqCst) {
        assert!(began.elapsed() < Duration::from_secs(60), "{name}: hangs");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Under `sync` the helper woke within the turn that an append needs.
#[test]
fn a_waker_appends_and_syncs() {
    let (strategies, _runtime) = strategies();
    for strategy in strategies {
        let name = format!("{strategy:?}");
        let (wal, bell, _wait) = log(strategy, |wal| {
            wal.append(b"from a waker").unwrap();
            wal.sync().unwrap();
        });
        rings(&name, &bell);
        within(&name, move || wal.close()).unwrap();
    }
}

/// Under `tokio` the thread that flushed woke within the turn that a close waits for.
#[test]
fn a_waker_closes_the_log() {
    let (strategies, _runtime) = strategies();
    for strategy in strategies {
        let name = format!("{strategy:?}");
        let (_wal, bell, _wait) = log(strategy, |wal| wal.close().unwrap());
        rings(&name, &bell);
    }
}

/// A close held the turn at pruning while it woke, and while it waited for a thread that did.
#[test]
fn a_waker_closes_a_log_that_is_being_closed() {
    let (strategies, _runtime) = strategies();
    for strategy in strategies {
        let name = format!("{strategy:?}");
        for _ in 0..20 {
            let (wal, bell, _wait) = log(strategy, |wal| wal.close().unwrap());
            within(&name, move || wal.close()).unwrap();
            rings(&name, &bell);
        }
    }
}

/// A prune and a truncation held their turn while they woke.
#[test]
fn a_waker_prunes_a_log_that_is_being_pruned() {
    for truncates in [false, true] {
        let (wal, bell, _wait) = log(Strategy::FlushThread, |wal| {
            // Within a prune on this thread it is refused.
            let _ = wal.prune_before(wal.first_lsn());
        });
        within("a prune", move || {
            wal.prune_before(wal.first_lsn()).unwrap();
            if truncates {
                wal.truncate_after(Lsn::ZERO).unwrap();
            }
        });
        rings("a prune", &bell);
    }
}

/// Writes at each append, and leaves the syncs to whoever asks for one.
#[derive(Default)]
struct Unsynced(OnceLock<Arc<dyn Flush>>);

impl fmt::Debug for Unsynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unsynced")
    }
}

impl CommitStrategy for Unsynced {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        assert!(self.0.set(log).is_ok(), "started once");
        Ok(())
    }

    fn staged(&self, _: Lsn, _: Waiter) -> Result<()> {
        self.0.get().unwrap().write()
    }

    fn waiting(&self, _: Lsn, _: Waiter) -> Result<()> {
        Ok(())
    }

    fn stop(&self) {}
}

/// A prune wakes those whom its sync reaches within its turn. What wants that turn there is refused, and
/// has changed nothing: a close had ended the strategy by then.
#[test]
fn a_waker_within_a_prune_is_refused() {
    let store = Arc::new(MemoryStore::new());
    let builder = Wal::with_store(store).segment_size(16 << 10);
    let (wal, _) = builder.custom_strategy(Arc::new(Unsynced::default())).open().unwrap();
    let bell = ring(&wal, |wal| {
        let refused = |done: Result<()>| assert_eq!(done.unwrap_err().kind(), ErrorKind::Invalid);
        refused(wal.close());
        refused(wal.truncate_after(Lsn::FIRST));
        refused(wal.prune_before(wal.last_lsn()).map(|_| ()));
    });
    for _ in 0..40 {
        wal.append([0; 900]).unwrap();
    }
    let last = wal.last_lsn();
    let mut wait = wal.wait_for_lsn(last);
    let waker = Waker::from(Arc::clone(&bell));
    assert!(Pin::new(&mut wait).poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(wal.prune_before(last).unwrap() > Lsn::FIRST);
    assert!(bell.rang.load(Ordering::SeqCst), "its sync has reached the record");
    let lsn = wal.append(b"the log goes on").unwrap();
    wal.sync().unwrap();
    assert_eq!(wal.durable_lsn(), lsn);
    wal.close().unwrap();
}

/// A waker was the last handle: its end closed the log on the thread that woke.
#[test]
fn a_waker_is_the_last_handle() {
    let (strategies, _runtime) = strategies();
    for strategy in strategies {
        let name = format!("{strategy:?}");
        for _ in 0..20 {
            let (wal, bell, _wait) = log(strategy, |_| {});
            drop(wal);
            rings(&name, &bell);
        }
    }
}

/// Appends when its thread ends; made before what the log keeps for a thread, and so gone behind that.
struct AtEnd(RefCell<Option<Wal>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(wal) = self.0.borrow_mut().take() {
            wal.append(b"at the end of the thread").unwrap();
        }
    }
}

thread_local! { static AT_END: AtEnd = const { AtEnd(RefCell::new(None)) }; }

/// At the end of a thread there was no place any more for those who are to wake later: they woke within the
/// turn, and a waker that appends wanted that one. Found by reading.
#[test]
fn a_waker_appends_at_the_end_of_a_thread() {
    let (strategies, _runtime) = strategies();
    for strategy in strategies {
        for _ in 0..20 {
            let name = format!("{strategy:?}");
            let store = Arc::new(MemoryStore::new());
            let (wal, _) = Wal::with_store(store).strategy(strategy).open().unwrap();
            within(&name, move || {
                let ended = thread::spawn(move || {
                    AT_END.with(|it| it.0.replace(Some(wal.clone())));
                    wal.append(b"first").unwrap();
                    let waker =
                        Waker::from(ring(&wal, |wal| assert!(wal.append(b"from a waker").is_ok())));
                    let lsn = wal.try_append(b"a task's").unwrap();
                    let mut wait = wal.wait_for_lsn(lsn);
                    let _ = Pin::new(&mut wait).poll(&mut Context::from_waker(&waker));
                    // As a task that is still there.
                    std::mem::forget(wait);
                });
                ended.join().unwrap();
            });
        }
    }
}

/// A truncation that found no room told those that its end concerns, and took them down behind it: a record
/// that was appended in between, and is there still, was told to be truncated. Found by reading.
#[test]
fn a_refused_truncation_tells_nobody_that_a_record_is_gone() {
    let full = Arc::new(AtomicBool::new(false));
    let is_full = Arc::clone(&full);
    let store = Hooked::new(MemoryStore::new(), move |step| {
        if step == Step::Create && is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    });
    let (wal, _) = Wal::with_store(store).strategy(Strategy::Os).open().unwrap();
    wal.append(b"1").unwrap();
    wal.append(b"2").unwrap();
    wal.sync().unwrap();
    full.store(true, Ordering::SeqCst);
    let over = Arc::new(AtomicBool::new(false));
    let cutter = thread::spawn({
        let (wal, over) = (wal.clone(), Arc::clone(&over));
        move || {
            while !over.load(Ordering::SeqCst) {
                wal.truncate_after(Lsn::FIRST).unwrap_err();
            }
        }
    });
    for _ in 0..5000 {
        match wal.try_append(b"x") {
            Ok(lsn) => pollster::block_on(wal.wait_for_lsn(lsn)).unwrap(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Backpressure, "{error}"),
        }
    }
    over.store(true, Ordering::SeqCst);
    cutter.join().unwrap();
}
