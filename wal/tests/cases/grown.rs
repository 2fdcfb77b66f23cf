//! A segment that grows between its opening and what is read of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use wal::parts::core::{Guarantees, SegmentReader, SegmentStore, SegmentWriter, StoreLock};
use wal::parts::segment::{FileStore, Preparation};
use wal::{Lsn, Reader, SegmentId, Verdict, Wal};
use wal_testkit::{Profile, SimDisk, SimFiles};

/// What there was of the segment when it was opened: its header, and a part of its first frame.
const OPENED: u64 = 8192;

/// A store of which every segment has this size when it is opened, and its own at once behind that.
#[derive(Debug)]
struct Growing(FileStore);

#[derive(Debug)]
struct GrowingReader {
    below: Box<dyn SegmentReader>,
    opened: AtomicBool,
}

impl SegmentReader for GrowingReader {
    fn size(&self) -> io::Result<u64> {
        let size = self.below.size()?;
        Ok(if self.opened.swap(false, SeqCst) { size.min(OPENED) } else { size })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.below.read_at(offset, buffer)
    }
}

impl SegmentStore for Growing {
    fn guarantees(&self) -> Guarantees {
        self.0.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.0.lock()
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        self.0.list()
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        self.0.create(id, size)
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        let below = self.0.open(id)?;
        Ok(Box::new(GrowingReader { below, opened: AtomicBool::new(true) }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.0.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.0.remove(ids)
    }

    /// It was read before the writer went on.
    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_anchor(bytes)
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
    let reader = Reader::with_store(Arc::new(Growing(store())));
    let survey = reader.survey().unwrap().unwrap();
    for cursor in [reader.read_from(Lsn::FIRST), reader.read_chain(&survey.chain, Lsn::FIRST)] {
        // It is not of the time at which the reader came, but may be seen.
        let seen: Vec<_> = cursor.unwrap().map(|entry| entry.unwrap().lsn).collect();
        assert!(seen.is_empty() || seen == [Lsn::FIRST], "{seen:?}");
    }
    let found = reader.verify(|_| ()).unwrap();
    assert_ne!(found.verdict, Verdict::Corrupt, "{:?}", found.findings);
}
