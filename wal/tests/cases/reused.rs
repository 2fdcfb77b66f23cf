//! A file that becomes another segment's between its opening and the reading of its header.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use wal::parts::core::SegmentStore;
use wal::parts::segment::FileStore;
use wal::{ErrorKind, Lsn, Reader, SegmentId, Verdict, Wal};

use crate::opening::Opening;

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
        // The reader of the segment has another one's bytes so many times: the writer has used its file
        // again.
        let times = Arc::new(AtomicU64::new(1));
        let open = {
            let times = Arc::clone(&times);
            move |below: &FileStore, asked: SegmentId| {
                let again = asked == id && times.load(SeqCst) > 0;
                times.fetch_sub(u64::from(again), SeqCst);
                below.open(if again { id.next() } else { asked })
            }
        };
        let reader = Reader::with_store(Arc::new(Opening { below, open }));
        let again = || times.store(1, SeqCst);
        assert_eq!(reader.survey().unwrap().unwrap().last_lsn(), last);
        again();
        let read: Result<Vec<_>, _> = reader.read_from(Lsn::FIRST).unwrap().collect();
        assert_eq!(read.unwrap().len(), 20);
        again();
        assert_eq!(reader.verify(|_| ()).unwrap().verdict, Verdict::Clean);
        // A file that stays another segment's is damage.
        times.store(u64::MAX, SeqCst);
        let read = reader.read_from(Lsn::FIRST).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
