//! Logs of small segments, and what they are looked at with.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wal::parts::core::{
    Env, Guarantees, SegmentId, SegmentReader, SegmentStore, SegmentWriter, StoreLock,
};
use wal::parts::segment::MemoryStore;
use wal::{Lsn, Strategy, Wal};

use crate::common::StillEnv;

/// A log in this store with segments of 16 KiB, each record written by itself at once.
pub(crate) fn open(store: Arc<dyn SegmentStore>) -> Wal {
    let builder = Wal::with_store(store).segment_size(16 * 1024).strategy(Strategy::Os);
    builder.env(Arc::new(StillEnv::default())).open().unwrap().0
}

/// What the record of this number is: 500 bytes.
pub(crate) fn record(number: u64) -> Vec<u8> {
    format!("{number:0500}").into_bytes()
}

/// Appends this many records more, each by its number.
pub(crate) fn fill(wal: &Wal, records: u64) {
    for _ in 0..records {
        wal.append(record(wal.last_lsn().next().get())).unwrap();
    }
}

/// A log of this many records, in memory.
pub(crate) fn filled(records: u64) -> (Arc<MemoryStore>, Wal) {
    let store = Arc::new(MemoryStore::new());
    let wal = open(Arc::clone(&store) as Arc<dyn SegmentStore>);
    fill(&wal, records);
    (store, wal)
}

/// Every record of the log is what [`record`] says; its first and last LSN.
pub(crate) fn check(wal: &Wal) -> (u64, u64) {
    let first = wal.first_lsn();
    let mut next = first;
    for entry in wal.read_from(first).unwrap() {
        let entry = entry.unwrap();
        assert_eq!((entry.lsn, &entry.payload[..]), (next, &record(next.get())[..]));
        next = next.next();
    }
    assert_eq!(next, wal.last_lsn().next());
    (first.get(), next.previous().get())
}

pub(crate) fn lsn(number: u64) -> Lsn {
    Lsn::new(number)
}

/// Counts what is opened and read below.
#[derive(Debug)]
pub(crate) struct CountingReads {
    store: Arc<dyn SegmentStore>,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    opens: AtomicU64,
    bytes: AtomicU64,
}

impl CountingReads {
    pub(crate) fn new(store: Arc<dyn SegmentStore>) -> Self {
        Self { store, tally: Arc::default() }
    }

    /// Segments opened and bytes read since the last call.
    pub(crate) fn taken(&self) -> (u64, u64) {
        let Tally { opens, bytes } = &*self.tally;
        (opens.swap(0, Ordering::Relaxed), bytes.swap(0, Ordering::Relaxed))
    }
}

impl SegmentStore for CountingReads {
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
        self.tally.opens.fetch_add(1, Ordering::Relaxed);
        let reader = self.store.open(id)?;
        Ok(Box::new(CountingReader { reader, tally: Arc::clone(&self.tally) }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.store.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.store.remove(ids)
    }
}

#[derive(Debug)]
struct CountingReader {
    reader: Box<dyn SegmentReader>,
    tally: Arc<Tally>,
}

impl SegmentReader for CountingReader {
    fn size(&self) -> io::Result<u64> {
        self.reader.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read_at(offset, buffer)?;
        self.tally.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A clock that a test sets, in seconds.
#[derive(Debug, Default)]
pub(crate) struct HandClock {
    seconds: AtomicU64,
    chance: StillEnv,
}

impl HandClock {
    pub(crate) fn set(&self, seconds: u64) {
        self.seconds.store(seconds, Ordering::Relaxed);
    }
}

impl Env for HandClock {
    fn now(&self) -> u64 {
        self.seconds.load(Ordering::Relaxed) * 1_000_000_000
    }

    fn random(&self) -> u64 {
        self.chance.random()
    }
}
