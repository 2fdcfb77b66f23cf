//! A fork after opening.
//!
//! Each test starts itself again as a process of its own, and that one forks: the harness has threads
//! that a child of it would have to live without.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, Stdio, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use fork::Fork;
use wal::{ErrorKind, Lsn, Result, Strategy, Wal};

use crate::child;

/// Long enough for any machine; only a hang takes as long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the test of this name as a process of its own, which must end.
fn in_a_process(test: &str, dir: &Path) {
    let program = std::env::current_exe().unwrap();
    let mut launcher = Command::new("env");
    let mut process =
        child::again(&mut launcher, &program, test, dir).stdout(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > PATIENCE {
            process.kill().unwrap();
            panic!("{test}: hangs");
        }
        thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{test}: {status}");
}

/// Forks; what the child makes of it is its exit code, and 0 is well.
fn in_a_fork(run: impl FnOnce() -> i32) {
    match fork::fork().unwrap() {
        Fork::Child => exit(run()),
        Fork::Parent(pid) => assert_eq!(fork::waitpid(pid).unwrap(), 0, "the child"),
    }
}

fn fenced<T>(result: &Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::Fenced)
}

fn polled<T>(future: impl Future<Output = Result<T>>) -> bool {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    matches!(polled, Poll::Ready(result) if fenced(&result))
}

/// The number of the first call that was not refused at once, or 0.
fn use_in_a_child(wal: &Wal, staged: Lsn) -> i32 {
    let refused = [
        fenced(&wal.append(b"child")),
        fenced(&wal.try_append(b"child")),
        fenced(&wal.append_batch([b"child"])),
        fenced(&wal.append_durable(b"child")),
        polled(wal.append_async(b"child")),
        fenced(&wal.wait_for_lsn(staged).wait()),
        polled(wal.wait_for_lsn(staged)),
        fenced(&wal.sync()),
        fenced(&wal.read_from(Lsn::FIRST)),
        fenced(&wal.prune_before(staged)),
        fenced(&wal.truncate_after(Lsn::FIRST)),
        fenced(&wal.hold("child", staged)),
        fenced(&wal.close()),
    ];
    let _ = (wal.last_lsn(), wal.durable_lsn(), wal.first_lsn(), wal.current_segment());
    refused.iter().position(|refused| !refused).map_or(0, |at| i32::try_from(at).unwrap() + 1)
}

fn strategies() -> Vec<Strategy> {
    vec![
        Strategy::GroupCommit,
        Strategy::FlushThread,
        Strategy::Sync,
        Strategy::Interval(Duration::from_millis(5)),
        Strategy::Os,
        Strategy::Pipelined,
        Strategy::Parallel,
    ]
}

/// F7: a log that was open when its process forked. Under group commit five commits of the child were
/// acknowledged and the sixth waited for ever, under the flush thread the first did; under sync the
/// close panicked, and parent and child acknowledged different records under the same LSNs, of which
/// one's were lost. Nothing knew the process that had opened it. Here threads of the parent commit
/// while it forks, so that locks are held which nobody in the child gives back.
#[test]
fn f7_a_fork_after_opening_is_refused_in_the_child() {
    let Some(dir) = child::dir() else {
        let dir = tempfile::tempdir().unwrap();
        return in_a_process("fork::f7_a_fork_after_opening_is_refused_in_the_child", dir.path());
    };
    for (number, strategy) in strategies().into_iter().enumerate() {
        let dir = dir.join(number.to_string());
        let open = || Wal::builder(&dir).segment_size(64 << 10).strategy(strategy).open().unwrap();
        let (wal, _) = open();
        wal.append(b"before").unwrap();
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !ended.load(Ordering::SeqCst) {
                        let lsn = wal.append(vec![7; 1000]).unwrap();
                        wal.wait_for_lsn(lsn).wait().unwrap();
                    }
                });
            }
            for _ in 0..5 {
                let staged = wal.append(b"staged").unwrap();
                let (kept, hold) = (wal.wait_for_lsn(staged), wal.hold("parent", staged).unwrap());
                let child = wal.clone();
                in_a_fork(|| {
                    let refused = use_in_a_child(&child, staged);
                    drop((kept, hold, child));
                    refused
                });
                // The parent knows nothing of it.
                wal.wait_for_lsn(staged).wait().unwrap();
            }
            ended.store(true, Ordering::SeqCst);
        });
        let last = wal.last_lsn();
        wal.close().unwrap();
        drop(wal);
        let (wal, found) = open();
        assert_eq!((found.valid_records, wal.last_lsn()), (last.get(), last), "{strategy:?}");
    }
}

/// The last handle of a child, and whatever it kept, end there: the lock is the parent's still, its files
/// are there, and its threads go on.
#[test]
fn f7_the_end_of_a_child_touches_nothing() {
    let Some(dir) = child::dir() else {
        let dir = tempfile::tempdir().unwrap();
        return in_a_process("fork::f7_the_end_of_a_child_touches_nothing", dir.path());
    };
    for (number, strategy) in strategies().into_iter().enumerate() {
        let dir = dir.join(number.to_string());
        let (wal, _) = Wal::builder(&dir).strategy(strategy).open().unwrap();
        let lsn = wal.append_durable(b"durable").unwrap();
        wal.append(b"staged").unwrap();
        let wal = match fork::fork().unwrap() {
            Fork::Child => {
                drop(wal);
                exit(0);
            }
            Fork::Parent(pid) => {
                assert_eq!(fork::waitpid(pid).unwrap(), 0);
                wal
            }
        };
        let second = Wal::builder(&dir).open().map(|_| ()).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::Locked, "{strategy:?}");
        assert_eq!(wal.append_durable(b"more").unwrap().get(), lsn.get() + 2);
        wal.close().unwrap();
    }
}

/// What a child opens by itself is its own, and a child of that one is refused.
#[test]
fn f7_a_child_opens_logs_of_its_own() {
    let Some(dir) = child::dir() else {
        let dir = tempfile::tempdir().unwrap();
        return in_a_process("fork::f7_a_child_opens_logs_of_its_own", dir.path());
    };
    let (parent, _) = Wal::builder(dir.join("parent")).open().unwrap();
    in_a_fork(|| {
        let (own, _) = Wal::builder(dir.join("child")).open().unwrap();
        let lsn = own.append_durable(b"own").unwrap();
        in_a_fork(|| use_in_a_child(&own, lsn));
        i32::from(own.close().is_err() || parent.append(b"not mine").is_ok())
    });
    parent.append_durable(b"on").unwrap();
    parent.close().unwrap();
}
