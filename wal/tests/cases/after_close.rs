//! The preparing thread of a closed handle meets the next owner's file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use wal::Wal;
use wal::parts::segment::{Ahead, FileStore, Preparation};

use crate::paced::Paced;

/// The thread is held up before it makes its file until the next owner has appended, or for some time
/// where the close waits for the thread, as it must. It took the next owner's file for the remains of
/// a dead process, removed it and made its own: four records acknowledged, one found.
#[test]
fn after_close() {
    let dir = tempfile::tempdir().unwrap();
    let appended = Arc::new(AtomicBool::new(false));
    let held_up = {
        let appended = Arc::clone(&appended);
        move || {
            for _ in 0..200 {
                if appended.load(SeqCst) {
                    return;
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
    };
    let files = Paced::new(dir.path(), held_up, || ());
    let store =
        FileStore::over(Arc::new(files)).preparation(Preparation::None).ahead(Ahead::Thread);
    let (a, _) = Wal::with_store(Arc::new(store)).segment_size(64 << 10).open().unwrap();
    // Beyond the half: the next segment is wanted.
    a.append_durable(vec![7; 40_000]).unwrap();
    a.close().unwrap();
    let (b, _) = Wal::builder(dir.path()).segment_size(64 << 10).open().unwrap();
    for _ in 0..3 {
        b.append_durable("acknowledged").unwrap();
        appended.store(true, SeqCst);
    }
    let last = b.last_lsn();
    drop(a);
    b.close().unwrap();
    drop(b);
    let (wal, _) = Wal::builder(dir.path()).open().unwrap();
    assert_eq!((last.get(), wal.last_lsn()), (4, last));
}
