//! A strategy of one's own, written against the public trait alone.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread::{self, JoinHandle};

use wal_core::{Acknowledgement, CommitStrategy, Error, ErrorKind, Flush, Lsn, Result, Waiter};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{left_of, small_segments, start};
use crate::within;

/// A thread flushes every third record, and whenever somebody waits.
#[derive(Debug, Default)]
struct EveryThird {
    work: OnceLock<mpsc::Sender<Lsn>>,
    flusher: Mutex<Option<JoinHandle<()>>>,
    starts: AtomicU32,
    stops: AtomicU32,
}

impl EveryThird {
    fn ask(&self, lsn: Lsn) -> Result<()> {
        let gone = || Error::new(ErrorKind::Invalid, "the flusher is gone");
        self.work.get().ok_or_else(gone)?.send(lsn).map_err(|_| gone())
    }
}

impl CommitStrategy for EveryThird {
    fn acknowledges(&self) -> Acknowledgement {
        Acknowledgement::Durable
    }

    fn start(&self, log: Arc<dyn Flush>) -> Result<()> {
        self.starts.fetch_add(1, Ordering::SeqCst);
        let (work, asked) = mpsc::channel();
        self.work.set(work).map_err(|_| Error::new(ErrorKind::Invalid, "started twice"))?;
        let flusher = thread::spawn(move || {
            for lsn in asked {
                if lsn == Lsn::MAX {
                    break;
                }
                if log.durable() < lsn {
                    // An error has reached all waiters.
                    let _ = log.write().and_then(|()| log.sync());
                }
            }
        });
        *self.flusher.lock().unwrap() = Some(flusher);
        Ok(())
    }

    fn staged(&self, lsn: Lsn, _: Waiter) -> Result<()> {
        if lsn.get().is_multiple_of(3) { self.ask(lsn) } else { Ok(()) }
    }

    fn waiting(&self, lsn: Lsn, _waiter: Waiter) -> Result<()> {
        self.ask(lsn)
    }

    fn stop(&self) {
        self.stops.fetch_add(1, Ordering::SeqCst);
        // Whoever waits later is served by the pipeline's last flush.
        let _ = self.ask(Lsn::MAX);
        if let Some(flusher) = self.flusher.lock().unwrap().take() {
            flusher.join().unwrap();
        }
    }
}

#[test]
fn a_strategy_of_ones_own() {
    let disk = SimDisk::new(Profile::STRICT);
    let strategy = Arc::new(EveryThird::default());
    let driven = Arc::clone(&strategy) as Arc<dyn CommitStrategy>;
    let log = start(SimStore::new(disk.clone()), driven, small_segments()).unwrap();
    thread::scope(|scope| {
        for name in 0..3_u8 {
            let (log, disk) = (&log, &disk);
            scope.spawn(move || {
                for n in 0..20_u8 {
                    let lsn = log.append(&[name, n]).unwrap();
                    match n % 4 {
                        0 => log.wait(lsn).unwrap(),
                        1 => pollster::block_on(log.wait_async(lsn)).unwrap(),
                        _ => continue,
                    }
                    assert_eq!(left_of(disk).record(lsn), [name, n]);
                }
            });
        }
    });
    let closing = Arc::clone(&log);
    within("a close", move || closing.close().unwrap());
    log.close().unwrap();
    drop(log);
    assert_eq!(left_of(&disk).records.len(), 60);
    let calls = (strategy.starts.load(Ordering::SeqCst), strategy.stops.load(Ordering::SeqCst));
    assert_eq!(calls, (1, 1), "started once and stopped once, however often the log is closed");
}

/// A strategy that cannot start leaves no log.
#[test]
fn a_strategy_drives_one_log() {
    let strategy = Arc::new(wal_commit::GroupCommit::new());
    let store = || SimStore::new(SimDisk::new(Profile::STRICT));
    let log = start(store(), Arc::<wal_commit::GroupCommit>::clone(&strategy), small_segments());
    let second = start(store(), strategy, small_segments());
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Invalid);
    log.unwrap().close().unwrap();
}
