//! A reader beside a writer that prunes.

use std::fmt;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex};

use wal::parts::core::{
    Guarantees, SegmentId, SegmentReader, SegmentStore, SegmentWriter, StoreLock,
};
use wal::parts::segment::{FileStore, Preparation, Recycling};
use wal::{Lsn, Reader};

use super::{SEGMENT, append, open, path};

type Race = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// The segments of a directory. Something happens there when the first one was opened and is to be read.
struct Racing {
    store: FileStore,
    race: Race,
}

struct RacingReader {
    segment: Box<dyn SegmentReader>,
    race: Race,
}

impl fmt::Debug for Racing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Racing").field("store", &self.store).finish_non_exhaustive()
    }
}

impl fmt::Debug for RacingReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RacingReader").finish_non_exhaustive()
    }
}

impl SegmentReader for RacingReader {
    fn size(&self) -> io::Result<u64> {
        self.segment.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(race) = self.race.lock().unwrap().take() {
            race();
        }
        self.segment.read_at(offset, buffer)
    }
}

impl SegmentStore for Racing {
    fn guarantees(&self) -> Guarantees {
        self.store.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.store.lock()
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        self.store.list()
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        self.store.create(id, size)
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        let segment = self.store.open(id)?;
        if id == SegmentId::FIRST {
            return Ok(Box::new(RacingReader { segment, race: Arc::clone(&self.race) }));
        }
        Ok(segment)
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.store.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.store.remove(ids)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.store.read_anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.store.write_anchor(bytes)
    }
}

/// A reader had opened a pruned segment to look at its header; then the writer removed that segment, and
/// used its file for the next one. The reader called the log corrupt, for a segment that was none of it
/// and was not there any more.
#[test]
fn a_pruned_segment_whose_file_becomes_another_is_no_stranger() {
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), 60, 700);
    let pruned = fs::read(path(dir.path(), 1)).unwrap();
    let other = fs::read(path(dir.path(), 2)).unwrap();
    let (wal, _) = open(dir.path()).unwrap();
    assert!(wal.prune_before(Lsn::new(40)).unwrap() > Lsn::FIRST);
    wal.close().unwrap();
    drop(wal);
    // The new start is durable, and the removal is about to come.
    fs::write(path(dir.path(), 1), pruned).unwrap();
    let writing = FileStore::open(dir.path()).unwrap().preparation(Preparation::None);
    let writing = writing.recycling(Recycling::Keep(2));
    let lock = writing.lock().unwrap();
    let race = move || {
        let _lock = lock;
        writing.remove(&[SegmentId::FIRST]).unwrap();
        let mut next = writing.create(SegmentId::new(50), SEGMENT).unwrap();
        next.append(&other[..4096]).unwrap();
    };
    let race: Race = Arc::new(Mutex::new(Some(Box::new(race))));
    let store = FileStore::open_read_only(dir.path()).unwrap();
    let reader = Reader::with_store(Arc::new(Racing { store, race: Arc::clone(&race) }));
    let survey = reader.survey().unwrap().unwrap();
    assert!(race.lock().unwrap().is_none(), "it was looked at");
    assert_eq!(survey.last_lsn(), Lsn::new(60));
}
