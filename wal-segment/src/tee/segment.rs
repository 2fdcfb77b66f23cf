//! One segment in both halves: its writer, its syncer, its reader.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;

use wal_core::{SegmentId, SegmentReader, SegmentSpace, SegmentSyncer, SegmentWriter, Unwritten};

use super::pair::Pair;
use super::{Half, OnLoss};

#[derive(Debug)]
pub(super) struct TeeWriter {
    pair: Arc<Pair>,
    writers: [Option<Box<dyn SegmentWriter>>; 2],
    space: SegmentSpace,
    end: u64,
    /// One half took an append that failed in the other.
    apart: bool,
}

impl TeeWriter {
    pub(super) fn new(pair: Arc<Pair>, writers: [Option<Box<dyn SegmentWriter>>; 2]) -> Self {
        let spaces = writers.iter().flatten().map(|writer| writer.space());
        let space = spaces.reduce(weaker).unwrap_or_default();
        Self { pair, writers, space, end: 0, apart: false }
    }
}

impl SegmentWriter for TeeWriter {
    /// Where one half takes the bytes and the other fails, and the pair does not go on without it,
    /// their ends differ: this append fails, though not as for want of space, and so does every
    /// later one.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.apart {
            return Err(io::Error::other("an earlier append reached one half only"));
        }
        let Self { pair, writers, apart, .. } = self;
        let mut taken = false;
        let appended = pair.each(|half| {
            let writer = writers[half.index()].as_mut()?;
            Some(writer.append(bytes).inspect(|()| taken = true))
        });
        if let Err(error) = appended {
            if !taken {
                return Err(error);
            }
            *apart = true;
            return Err(io::Error::other(format!("an append reached one half only: {error}")));
        }
        // What is lost is never written again.
        if let Some(lost) = pair.lost() {
            writers[lost.index()] = None;
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn space(&self) -> SegmentSpace {
        self.space
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        let syncers = self.writers.each_ref().map(|writer| Some(writer.as_ref()?.syncer()));
        Arc::new(TeeSyncer { pair: Arc::clone(&self.pair), syncers })
    }
}

#[derive(Debug)]
struct TeeSyncer {
    pair: Arc<Pair>,
    syncers: [Option<Arc<dyn SegmentSyncer>>; 2],
}

impl SegmentSyncer for TeeSyncer {
    /// Both halves at the same time, one of them on a thread of its own for as long.
    fn sync(&self) -> io::Result<()> {
        let live =
            |half: Half| self.syncers[half.index()].as_deref().filter(|_| self.is_live(half));
        let results = match (live(Half::First), live(Half::Second)) {
            (Some(first), Some(second)) => both(first, second).map(Some),
            (first, second) => [first, second].map(|syncer| syncer.map(SegmentSyncer::sync)),
        };
        if self.pair.on_loss() == OnLoss::Fail {
            return results.into_iter().flatten().collect();
        }
        self.pair.settle(results).map(drop)
    }
}

impl TeeSyncer {
    fn is_live(&self, half: Half) -> bool {
        self.pair.store(half).is_some()
    }
}

/// What both halves promise.
fn weaker(one: SegmentSpace, other: SegmentSpace) -> SegmentSpace {
    let unwritten = match one.unwritten {
        Unwritten::Zeros => other.unwritten,
        anything => anything,
    };
    SegmentSpace { durable_len: one.durable_len.min(other.durable_len), unwritten }
}

fn both(first: &dyn SegmentSyncer, second: &dyn SegmentSyncer) -> [io::Result<()>; 2] {
    thread::scope(|scope| {
        let name = thread::Builder::new().name("wal-tee-sync".to_owned());
        match name.spawn_scoped(scope, || second.sync()) {
            // One behind the other, where there is no thread to be had.
            Err(_) => [first.sync(), second.sync()],
            Ok(beside) => {
                let first = first.sync();
                let second = beside.join();
                [first, second.unwrap_or_else(|_| Err(io::Error::other("a sync panicked")))]
            }
        }
    })
}

pub(super) struct TeeReader {
    pair: Arc<Pair>,
    id: SegmentId,
    readers: [OnceLock<Box<dyn SegmentReader>>; 2],
}

impl TeeReader {
    pub(super) fn open(pair: Arc<Pair>, id: SegmentId) -> io::Result<Self> {
        let reader = Self { pair, id, readers: Default::default() };
        reader.read(|_| Ok(()))?;
        Ok(reader)
    }

    /// Reads from the one half that all is read from, never from both. Where it fails and the pair
    /// may go on without it, that half is lost and the other read.
    fn read<T>(&self, mut work: impl FnMut(&dyn SegmentReader) -> io::Result<T>) -> io::Result<T> {
        loop {
            let source = self.pair.source();
            match self.reader(source).and_then(&mut work) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    if !self.pair.may_lose_by_reading() {
                        return Err(error);
                    }
                    self.pair.lose(source, error)?;
                }
                read => return read,
            }
        }
    }

    fn reader(&self, half: Half) -> io::Result<&dyn SegmentReader> {
        let place = &self.readers[half.index()];
        if place.get().is_none() {
            let Some(store) = self.pair.store(half) else {
                return Err(io::Error::other(format!("{half} is lost")));
            };
            // Where another thread was quicker, its reader is as good.
            place.set(store.open(self.id)?).ok();
        }
        place.get().map(|reader| &**reader).ok_or_else(|| io::Error::other("no reader"))
    }
}

impl SegmentReader for TeeReader {
    fn size(&self) -> io::Result<u64> {
        self.read(|reader| reader.size())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(|reader| reader.read_at(offset, buffer))
    }
}

impl fmt::Debug for TeeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TeeReader").field("id", &self.id).finish_non_exhaustive()
    }
}
