//! The store's lock goes when nothing of the log can change the store any more.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wal_commit::{GroupCommit, Os};
use wal_core::{CommitStrategy, ErrorKind, Lsn, SegmentStore};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{Hooked, Step, left_of, one_segment, start};
use crate::{Gate, within};

fn is_free(disk: &SimDisk) -> bool {
    SimStore::new(disk.clone()).lock().is_ok()
}

/// A thread was inside the store's append, on a disk that hung, when another one's sync failed. A close
/// of the poisoned log came back at once and freed the lock; the log was opened anew, its file was used
/// again, and the late write landed in acknowledged records of the next life. A close takes the turns
/// first, poisoned or not.
#[test]
fn poisoned_close_in_flight() {
    let disk = SimDisk::new(Profile::STRICT);
    let (write, sync) = (Arc::new(Gate::default()), Arc::new(Gate::default()));
    let (at_write, at_sync) = (Arc::clone(&write), Arc::clone(&sync));
    let done = Arc::new(AtomicBool::new(false));
    let is_done = Arc::clone(&done);
    let store = Hooked::new(SimStore::new(disk.clone()), move |step| match step {
        Step::Append(..) if at_write.armed() => {
            at_write.pass();
            is_done.store(true, Ordering::SeqCst);
            Ok(())
        }
        Step::Sync(_) if at_sync.armed() => {
            at_sync.pass();
            Err(io::Error::other("EIO"))
        }
        _ => Ok(()),
    });
    let log = start(store, Arc::new(Os::new()), one_segment()).unwrap();
    log.append(b"written").unwrap();
    write.arm();
    sync.arm();
    thread::scope(|scope| {
        let syncing = scope.spawn(|| log.sync().unwrap_err().kind());
        sync.reached();
        let writing = scope.spawn(|| log.append(b"late"));
        write.reached();
        sync.open();
        assert_eq!(syncing.join().unwrap(), ErrorKind::Poisoned);
        let closing = scope.spawn(|| {
            let closed = log.close().unwrap_err().kind();
            assert!(done.load(Ordering::SeqCst), "closed with a write of its own under way");
            closed
        });
        // Time for a close that does not wait.
        thread::sleep(Duration::from_millis(30));
        assert!(!is_free(&disk), "the lock is free with a write under way");
        write.open();
        assert_eq!(closing.join().unwrap(), ErrorKind::Poisoned);
        let _ = writing.join().unwrap();
    });
    assert!(is_free(&disk), "a close gives the lock free");
}

/// The disk was full, a wait was kept, and the last handle dropped: its close found no room and the lock
/// went. With room the kept wait wrote its record and returned Ok, into a log that somebody else had
/// opened meanwhile. A drop without room gives the writer up, and the wait ends with an error.
#[test]
fn wait_outlives_lock() {
    let disk = SimDisk::new(Profile::STRICT);
    let log = start(SimStore::new(disk.clone()), Arc::new(GroupCommit::new()), one_segment());
    let log = log.unwrap();
    log.append(b"durable").unwrap();
    log.wait(Lsn::FIRST).unwrap();
    disk.set_room(Some(0));
    let lsn = log.append(&vec![0; 100_000]).unwrap();
    let kept = [log.wait_async(lsn), log.wait_async(lsn)];
    // As the last handle of a log does it; what keeps a wait has a share in the pipeline.
    log.give_up();
    assert!(is_free(&disk), "nothing can write any more");
    disk.set_room(None);
    let [blocking, task] = kept;
    let waited = within("a wait that was kept", move || blocking.wait().unwrap_err());
    assert_eq!(waited.kind(), ErrorKind::Poisoned, "{waited:?}");
    let waited = within("a task that was kept", move || pollster::block_on(task).unwrap_err());
    assert_eq!(waited.kind(), ErrorKind::Poisoned, "{waited:?}");
    assert!(log.sync().is_err() && log.append(b"more").is_err());
    assert_eq!(left_of(&disk).records, [b"durable"]);
}

/// A strategy that holds the log for ever, as every one of ours does, does not hold its lock.
#[test]
fn the_lock_goes_with_the_close_and_with_the_drop() {
    let disk = SimDisk::new(Profile::STRICT);
    let strategies: [Arc<dyn CommitStrategy>; 2] =
        [Arc::new(Os::new()), Arc::new(GroupCommit::new())];
    for strategy in strategies {
        let store = SimStore::new(disk.clone());
        let log = start(store, Arc::clone(&strategy), one_segment()).unwrap();
        assert!(!is_free(&disk));
        log.close().unwrap();
        assert!(is_free(&disk));
        // A second log under the same strategy is refused, and leaves no lock behind either.
        let store = SimStore::new(disk.clone());
        assert!(start(store, Arc::clone(&strategy), one_segment()).is_err());
        assert!(is_free(&disk));
    }
    let log = start(SimStore::new(disk.clone()), Arc::new(Os::new()), one_segment()).unwrap();
    drop(log);
    assert!(is_free(&disk));
}
