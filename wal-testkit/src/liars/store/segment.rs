//! The segments of a store that lies.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use wal_core::{SegmentReader, SegmentSpace, SegmentSyncer, SegmentWriter, Unwritten};

use super::{StoreLie, lock};
use crate::{SimFile, SimLock};

/// Bytes that a lying writer keeps to itself, and where they belong.
pub(super) type Buffer = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) file: SimFile,
    pub(super) lie: StoreLie,
    pub(super) size: u64,
    pub(super) end: u64,
    pub(super) buffer: Buffer,
    pub(super) held: Vec<u8>,
    /// Keeps the store from the next owner.
    pub(super) life: Option<Arc<SimLock>>,
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut at = self.end;
        let moved = self.end + bytes.len() as u64;
        match self.lie {
            StoreLie::AppendsAreBuffered => {
                lock(&self.buffer).push((at, bytes.to_vec()));
                self.end = moved;
                return Ok(());
            }
            StoreLie::AppendsTradePlaces if !self.held.is_empty() => {
                at -= self.held.len() as u64;
                let swapped = [bytes, &self.held].concat();
                self.held.clear();
                self.end = moved;
                return self.file.write_all_at(at, &swapped);
            }
            StoreLie::AppendsTradePlaces => self.held = bytes.to_vec(),
            StoreLie::ShortWritesAreTakenForWhole => {
                while let Err(error) = self.file.write_at(at, bytes) {
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
                self.end = moved;
                return Ok(());
            }
            StoreLie::FailedAppendMovesTheEnd => self.end = moved,
            _ => {}
        }
        self.file.write_all_at(at, bytes).map_err(|error| match self.lie {
            StoreLie::FullIsAnyError => io::Error::other(error),
            _ => error,
        })?;
        self.end = moved;
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn space(&self) -> SegmentSpace {
        let durable_len = match self.lie {
            StoreLie::SpaceIsOverstated => 2 * self.size,
            _ => self.size,
        };
        SegmentSpace { durable_len, unwritten: Unwritten::Zeros }
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        let (file, lie, buffer) = (self.file.clone(), self.lie, Arc::clone(&self.buffer));
        let (thread, synced) = (thread::current().id(), AtomicBool::new(false));
        Arc::new(Syncer { file, lie, buffer, thread, synced, _life: self.life.clone() })
    }
}

#[derive(Debug)]
struct Syncer {
    file: SimFile,
    lie: StoreLie,
    buffer: Buffer,
    thread: ThreadId,
    synced: AtomicBool,
    _life: Option<Arc<SimLock>>,
}

impl SegmentSyncer for Syncer {
    fn sync(&self) -> io::Result<()> {
        for (at, bytes) in lock(&self.buffer).drain(..) {
            self.file.write_all_at(at, &bytes)?;
        }
        let before = self.synced.swap(true, Ordering::Relaxed);
        match self.lie {
            StoreLie::SyncDoesNothing => Ok(()),
            StoreLie::SyncWorksOnce if before => Ok(()),
            StoreLie::SyncErrorsAreSwallowed => self.file.sync_data().or(Ok(())),
            StoreLie::SyncWorksOnItsThreadOnly if thread::current().id() != self.thread => {
                Err(io::Error::other("not my thread"))
            }
            _ => self.file.sync_data(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Reader {
    pub(super) file: SimFile,
    pub(super) lie: StoreLie,
}

impl SegmentReader for Reader {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self.lie {
            StoreLie::ReadsAreShort => {
                let count = buffer.len().min(100);
                self.file.read_all_at(offset, &mut buffer[..count])
            }
            StoreLie::ShortReadsAreTakenForWhole => self.file.read_at(offset, buffer),
            StoreLie::ReadErrorsAreTheEnd => self.file.read_all_at(offset, buffer).or(Ok(0)),
            _ => self.file.read_all_at(offset, buffer),
        }
    }
}
