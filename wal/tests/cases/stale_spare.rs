//! One store, two lives of its log, and another owner in between.

use std::sync::Arc;

use wal::Wal;
use wal::parts::segment::{Ahead, FileStore};

/// What the store had prepared was gone with the other owner's opening, and it went on with it: the
/// first append of the second life poisoned the log.
#[test]
fn stale_spare() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(FileStore::open(dir.path()).unwrap().ahead(Ahead::Caller));
    let open = || Wal::with_store(Arc::clone(&store) as _).segment_size(64 << 10).open().unwrap().0;
    let a = open();
    a.append_durable(vec![7; 40_000]).unwrap();
    assert!(store.prepare_next().unwrap(), "more than half of the segment is written");
    a.close().unwrap();
    // Another owner, that only looks.
    Wal::builder(dir.path()).open().unwrap().0.close().unwrap();
    let again = open();
    again.append_durable("x").unwrap();
    again.append_durable(vec![8; 60_000]).unwrap();
    again.append_durable("y").unwrap();
    again.close().unwrap();
    drop((a, again));
    assert_eq!(Wal::builder(dir.path()).open().unwrap().1.valid_records, 4);
}
