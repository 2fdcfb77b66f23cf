//! A segment that grows between its opening and what is read of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use wal::parts::core::{SegmentReader, SegmentStore};
use wal::parts::segment::{FileStore, Preparation};
use wal::{Lsn, Reader, SegmentId, Verdict, Wal};
use wal_testkit::{Profile, SimDisk, SimFiles};

use crate::opening::Opening;

/// What there was of the segment when it was opened: its header, and a part of its first frame.
const OPENED: u64 = 8192;

/// A segment that has this size when it is opened, and its own at once behind that.
#[derive(Debug)]
struct Growing {
    below: Box<dyn SegmentReader>,
    opened: AtomicBool,
}

impl SegmentReader for Growing {
    fn size(&self) -> io::Result<u64> {
        let size = self.below.size()?;
        Ok(if self.opened.swap(false, SeqCst) { size.min(OPENED) } else { size })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.below.read_at(offset, buffer)
    }
}

/// A reader opened the newest segment while its first frame was being written, and called it damaged once the
/// frame was whole and the seal behind it: the seal was read, which vouches for the frame, and the frame was
/// not, since it reached behind the size that the segment had had. Found by `stress`, seed 20261211, after ten
/// minutes: frames of 100 KiB, each written into a file that grew with it.
#[test]
fn a_segment_that_grows_while_it_is_read_is_not_damaged() {
    let disk = SimDisk::new(Profile::STRICT);
    let store = || {
        let files = Arc::new(SimFiles::new(disk.clone()));
        FileStore::over(files).preparation(Preparation::Chunks(OPENED))
    };
    let (wal, _) = Wal::with_store(Arc::new(store())).open().unwrap();
    wal.append_durable(vec![7; 100_000]).unwrap();
    wal.close().unwrap();
    // It was read before the writer went on.
    disk.remove("ANCHOR").unwrap();
    let open = |below: &FileStore, id: SegmentId| -> io::Result<Box<dyn SegmentReader>> {
        Ok(Box::new(Growing { below: below.open(id)?, opened: AtomicBool::new(true) }))
    };
    let reader = Reader::with_store(Arc::new(Opening { below: store(), open }));
    let survey = reader.survey().unwrap().unwrap();
    for cursor in [reader.read_from(Lsn::FIRST), reader.read_chain(&survey.chain, Lsn::FIRST)] {
        // It is not of the time at which the reader came, but may be seen.
        let seen: Vec<_> = cursor.unwrap().map(|entry| entry.unwrap().lsn).collect();
        assert!(seen.is_empty() || seen == [Lsn::FIRST], "{seen:?}");
    }
    let found = reader.verify(|_| ()).unwrap();
    assert_ne!(found.verdict, Verdict::Corrupt, "{:?}", found.findings);
}
