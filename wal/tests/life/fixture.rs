//! Logs of small segments, and what they are looked at with.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use wal::parts::core::format::{FrameHeader, FrameKind};
use wal::parts::core::{
    Applied, Env, Guarantees, SegmentId, SegmentReader, SegmentStore, SegmentWriter, StoreLock,
    Transform, TransformId,
};
use wal::parts::segment::MemoryStore;
use wal::{Lsn, Reader, Result, Strategy, Verdict, Wal};

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

    fn process(&self) -> u32 {
        0
    }
}

/// The frames with records that a store holds: first LSN, records, time, transform.
pub(crate) fn frames(store: &Arc<dyn SegmentStore>) -> Vec<(Lsn, u32, u64, u8)> {
    let mut frames = Vec::new();
    let found = Reader::with_store(Arc::clone(store)).verify(|note| {
        let FrameHeader { kind, first_lsn, count, timestamp, transform, .. } = note.header;
        if kind == FrameKind::Records {
            frames.push((first_lsn, count, timestamp, transform.0));
        }
    });
    assert_eq!(found.unwrap().verdict, Verdict::Clean);
    frames
}

/// Does something else when a segment is made in it.
pub(crate) struct Meddling {
    store: MemoryStore,
    meddle: Mutex<Box<dyn FnMut() + Send>>,
}

impl Meddling {
    /// At the first.
    pub(crate) fn new(meddle: impl FnOnce() + Send + 'static) -> Arc<Self> {
        let mut meddle = Some(meddle);
        Self::each_time(move || {
            if let Some(meddle) = meddle.take() {
                meddle();
            }
        })
    }

    pub(crate) fn each_time(meddle: impl FnMut() + Send + 'static) -> Arc<Self> {
        Arc::new(Self { store: MemoryStore::new(), meddle: Mutex::new(Box::new(meddle)) })
    }
}

impl fmt::Debug for Meddling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meddling").field("store", &self.store).finish_non_exhaustive()
    }
}

impl SegmentStore for Meddling {
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
        self.meddle.lock().unwrap()();
        self.store.create(id, size)
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.store.open(id)
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

/// Turns every bit over.
#[derive(Debug)]
pub(crate) struct Inverting;

impl Transform for Inverting {
    fn id(&self) -> TransformId {
        TransformId(200)
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        out.extend(body.iter().map(|byte| !byte));
        Ok(Applied::Stored)
    }

    fn undo(&self, stored: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        assert!(stored.len() <= limit);
        out.extend(stored.iter().map(|byte| !byte));
        Ok(())
    }
}
