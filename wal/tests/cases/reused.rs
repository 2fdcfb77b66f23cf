//! A file that becomes another segment's between its opening and the reading of its header.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use wal::parts::core::{Guarantees, SegmentReader, SegmentStore, SegmentWriter, StoreLock};
use wal::parts::segment::FileStore;
use wal::{ErrorKind, Lsn, Reader, SegmentId, Verdict, Wal};

/// A store whose reader of a segment has another segment's bytes so many times: the writer has used its
/// file again.
#[derive(Debug)]
struct Reused {
    below: FileStore,
    id: SegmentId,
    times: AtomicU64,
}

impl SegmentStore for Reused {
    fn guarantees(&self) -> Guarantees {
        self.below.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.below.lock()
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        self.below.list()
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        self.below.create(id, size)
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        let left = self.times.load(SeqCst);
        if id != self.id || left == 0 {
            return self.below.open(id);
        }
        self.times.store(left - 1, SeqCst);
        self.below.open(id.next())
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.below.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.below.remove(ids)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.below.read_anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.below.write_anchor(bytes)
    }
}

/// Found by reading, and never met: an open beside recycling gets the file that has the name, and by the
/// time its header is read it is another segment's. It was called corrupt, in a sound log.
#[test]
fn a_header_read_beside_recycling_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).segment_size(16 << 10).open().unwrap();
    for _ in 0..20 {
        wal.append_durable([7; 3000]).unwrap();
    }
    let last = wal.last_lsn();
    wal.close().unwrap();
    for id in [1, 2, 3].map(SegmentId::new) {
        let below = FileStore::open_read_only(dir.path()).unwrap();
        let store = Arc::new(Reused { below, id, times: AtomicU64::new(1) });
        let reader = Reader::with_store(store.clone());
        let again = || store.times.store(1, SeqCst);
        assert_eq!(reader.survey().unwrap().unwrap().last_lsn(), last);
        again();
        let read: Result<Vec<_>, _> = reader.read_from(Lsn::FIRST).unwrap().collect();
        assert_eq!(read.unwrap().len(), 20);
        again();
        assert_eq!(reader.verify(|_| ()).unwrap().verdict, Verdict::Clean);
        // A file that stays another segment's is damage.
        store.times.store(u64::MAX, SeqCst);
        let read = reader.read_from(Lsn::FIRST).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
