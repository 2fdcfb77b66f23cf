//! A poisoned handle that is closed goes on writing zeros, into a file that the next one uses.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use wal::parts::core::{Applied, Transform, TransformId};
use wal::parts::segment::{Ahead, FileStore, Preparation, Recycling};
use wal::{Error, ErrorKind, Lsn, Result, Wal};

use crate::paced::Paced;

/// Fails once, when it is told to.
#[derive(Debug)]
struct Once(Arc<AtomicBool>);

impl Transform for Once {
    fn id(&self) -> TransformId {
        TransformId(200)
    }

    fn apply(&self, _: &[u8], _: &mut Vec<u8>) -> Result<Applied> {
        if self.0.swap(false, SeqCst) {
            return Err(Error::new(ErrorKind::Invalid, "no key just now"));
        }
        Ok(Applied::Skipped)
    }

    fn undo(&self, _: &[u8], _: usize, _: &mut Vec<u8>) -> Result<()> {
        unreachable!("no frame went through it")
    }
}

fn open(dir: &Path, breaks: &Arc<AtomicBool>) -> Wal {
    // Zeros take their time, as they do on many disks: a handle that does not wait for them when it is
    // closed has most of them before it.
    let files = Paced::new(dir, || (), || thread::sleep(Duration::from_millis(3)));
    let store = FileStore::over(Arc::new(files))
        .preparation(Preparation::ZerosAhead(8 << 20))
        .recycling(Recycling::Keep(1))
        .ahead(Ahead::Thread);
    let log = Wal::with_store(Arc::new(store)).segment_size(8 << 20);
    log.transform(Arc::new(Once(Arc::clone(breaks)))).open().unwrap().0
}

/// A transform fails once and poisons the log, which is closed and opened anew as its error advises,
/// while the old handle lives. `close` of a poisoned log gave the lock away and left the writer of
/// zeros going; the new owner took the segment for obsolete and used its file again, and the old
/// handle's zeros overwrote what was acknowledged in it.
#[test]
fn zeros_after_transform() {
    let dir = tempfile::tempdir().unwrap();
    let breaks = Arc::new(AtomicBool::new(false));
    let old = open(dir.path(), &breaks);
    old.append_durable("one").unwrap();
    breaks.store(true, SeqCst);
    old.append_durable("two").unwrap_err();
    old.close().unwrap_err();
    let new = open(dir.path(), &breaks);
    let before = new.last_lsn().get();
    for n in 0..60_u8 {
        new.append_durable(vec![n + 1; 300_000]).unwrap();
    }
    // Whatever it still does is done when this returns.
    drop(old);
    let read = new.read_from(Lsn::new(before + 1)).unwrap();
    for (entry, n) in read.zip(0_u8..) {
        assert_eq!(entry.unwrap().payload[..], vec![n + 1; 300_000][..], "record {n}");
    }
    new.close().unwrap();
    drop(new);
    let again = open(dir.path(), &breaks);
    assert_eq!(again.last_lsn().get(), before + 60);
    assert_eq!(again.read_from(Lsn::FIRST).unwrap().map(Result::unwrap).count(), 60 + 1);
}
