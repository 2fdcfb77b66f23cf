//! Those beside what the log does: a reader, a thread that ends, a process that has no more threads.

use std::cell::RefCell;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use wal::parts::core::CommitStrategy;
use wal::parts::segment::MemoryStore;
use wal::{ErrorKind, Lsn, Strategy, Wal};
use wal_testkit::Throttled;

use crate::hooked::{Gate, Hooked, Step};
use crate::within;

/// While `truncate_after` ran, records far before the cut read as "not found", which means pruned.
#[test]
fn read_beside_truncation() {
    let (gate, armed) = (Arc::new(Gate::default()), Arc::new(AtomicBool::new(false)));
    let (at, is_armed) = (Arc::clone(&gate), Arc::clone(&armed));
    let store = Hooked::new(MemoryStore::new(), move |step| {
        if step == Step::Trim && is_armed.load(Ordering::SeqCst) {
            at.pass();
        }
        Ok(())
    });
    let (wal, _) = Wal::with_store(store).segment_size(16 << 10).open().unwrap();
    for _ in 0..30 {
        wal.append_durable([0; 1000]).unwrap();
    }
    armed.store(true, Ordering::SeqCst);
    gate.shut();
    let cuts = wal.clone();
    let cut = thread::spawn(move || cuts.truncate_after(Lsn::new(20)));
    gate.reached();
    let reads = wal.clone();
    let read = thread::spawn(move || {
        for lsn in [1, 5, 19, 20] {
            let found = reads.get(Lsn::new(lsn)).unwrap_or_else(|error| panic!("{lsn}: {error:?}"));
            assert!(found.is_some(), "{lsn}");
        }
        let read = reads.read_from(Lsn::FIRST).unwrap().take(20);
        read.map(|entry| entry.unwrap().lsn).last()
    });
    // The reader is given time to come to a wrong answer.
    thread::sleep(Duration::from_millis(50));
    gate.open();
    cut.join().unwrap().unwrap();
    let last = within("reading", move || read.join().unwrap());
    assert_eq!(last, Some(Lsn::new(20)));
}

/// A buffer in a thread-local that commits when its thread ends: the wait used another thread-local,
/// which is gone by then, and the process aborted.
#[test]
fn at_thread_exit() {
    static COMMITTED: AtomicU64 = AtomicU64::new(0);
    struct Batch(Option<Wal>);
    impl Drop for Batch {
        fn drop(&mut self) {
            let Some(wal) = self.0.take() else { return };
            for _ in 0..3 {
                let lsn = wal.append("last words").unwrap();
                wal.wait_for_lsn(lsn).wait().unwrap();
                COMMITTED.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
    thread_local! {
        static BATCH: RefCell<Batch> = const { RefCell::new(Batch(None)) };
    }
    let strategies = [Strategy::FlushThread, Strategy::GroupCommit, Strategy::Pipelined];
    for strategy in strategies {
        // Which of the two is destroyed first is decided by which was used first.
        for waits_before in [false, true] {
            COMMITTED.store(0, Ordering::SeqCst);
            let store = Throttled::new(Arc::new(MemoryStore::new()), Duration::from_millis(5));
            let (wal, _) = Wal::with_store(Arc::new(store)).strategy(strategy).open().unwrap();
            let handle = wal.clone();
            let ends = thread::spawn(move || {
                BATCH.with(|batch| batch.borrow_mut().0 = Some(handle.clone()));
                if waits_before {
                    let lsn = handle.append("before").unwrap();
                    handle.wait_for_lsn(lsn).wait().unwrap();
                }
            });
            within("a thread's end", move || ends.join().unwrap());
            assert_eq!(COMMITTED.load(Ordering::SeqCst), 3, "{strategy:?}, {waits_before}");
            wal.close().unwrap();
        }
    }
}

const CHILD: &str = "WAL_CASES_FAILED_START";

/// An open that failed because the third of four threads did not start left the first two behind, with
/// the log's writer and its store. The child has stacks of a gigabyte and address space for two.
#[cfg(target_os = "linux")]
#[test]
fn failed_start_leaks() {
    if std::env::var_os(CHILD).is_none() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "bystanders::failed_start_leaks", "--nocapture"]);
        child.args(["--test-threads", "1"]).env(CHILD, "").env("RUST_MIN_STACK", "1073741824");
        let output = child.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let status = |key: &str| -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let most = (status("VmSize:") + (5 << 19)) << 10;
    let limit = rustix::process::Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();

    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let strategies: [fn() -> Arc<dyn CommitStrategy>; 1] =
        [|| Arc::new(wal::parts::commit::Parallel::new(4))];
    for strategy in strategies {
        let dir = tempfile::tempdir().unwrap();
        let before = (status("Threads:"), open_files());
        for round in 0..4 {
            let opened = Wal::builder(dir.path()).custom_strategy(strategy()).open();
            // Not `Locked`: the one before has let go of everything.
            assert_eq!(opened.unwrap_err().kind(), ErrorKind::Io, "round {round}");
            assert_eq!((status("Threads:"), open_files()), before, "round {round}");
        }
    }
}
