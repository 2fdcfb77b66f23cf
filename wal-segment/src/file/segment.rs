//! The writer and the syncer of a segment that is a file.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use wal_core::{SegmentSpace, SegmentSyncer, SegmentWriter, Unwritten};

use super::pending::PendingSegment;
use super::preparation::{Prepared, is_full};
use super::syncs::Syncs;
use super::transfer::uninterrupted;
use super::writing::Block;
use super::{OpenFile, zeros};
use crate::sync::{AtomicU64, Ordering};

/// No file system in use cuts a file in smaller units than this.
const BLOCK: u64 = 4096;

/// Zeros that are written at once.
const PIECE: usize = 1 << 20;

/// Appends to one file. Refuses once a sync of the file has failed.
///
/// It holds the life that its segment is made in: the lock is not free before it is gone.
#[derive(Debug)]
pub(super) struct FileWriter {
    /// The first field, which goes first: zeros are stopped before the lock can be free.
    zeros: Option<zeros::Ahead>,
    syncer: Arc<FileSyncer>,
    prepared: Prepared,
    space: SegmentSpace,
    block: Block,
    end: u64,
    /// Where what a write without room has left behind the end may reach; no further than the end where
    /// there is nothing of the kind.
    garbage_end: u64,
    size: u64,
    /// When a quarter of the segment was written.
    quarter: Option<Instant>,
    next: Next,
}

/// Whether the next segment was said to be worth preparing, which it is from the half on: once in the
/// life of a writer.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    NotYet,
    Wanted,
}

impl FileWriter {
    /// The writer of a segment of `size` bytes that has no name yet.
    pub(super) fn new(
        segment: PendingSegment,
        file: Arc<dyn OpenFile>,
        syncs: Arc<Syncs>,
        prepared: Prepared,
        unwritten: Unwritten,
        zeros: Option<zeros::Ahead>,
        size: u64,
    ) -> Self {
        let (written, forgotten) = (AtomicU64::new(0), AtomicU64::new(0));
        let syncer = Arc::new(FileSyncer { file, segment, syncs, written, forgotten });
        let space = SegmentSpace { durable_len: prepared.end(), unwritten };
        let (block, quarter, next) = (Block::default(), None, Next::NotYet);
        let mut writer = Self {
            zeros,
            syncer,
            prepared,
            space,
            block,
            end: 0,
            garbage_end: 0,
            size,
            quarter,
            next,
        };
        writer.want_zeros();
        writer
    }

    /// Says that the next segment is worth preparing, and how fast this one fills.
    fn pace(&mut self) {
        let quarter = *self.quarter.get_or_insert_with(Instant::now);
        if self.end > self.size / 2 {
            self.next = Next::Wanted;
            self.syncer.segment.life.spares.want(self.size, quarter.elapsed());
        }
    }

    /// Gives back what a write that found no room has left behind the end, and blanks what there is of it
    /// in prepared space and in the last block that stays. Whole frames may be among it, each sound and in
    /// its place. They look like records that were acknowledged: the next open would want room to carry
    /// them over, on a disk that is full of them. And another frame than theirs may come in front of what
    /// is left of them, as one with a new start does: then they are out of order, which is damage.
    ///
    /// So nothing is appended before this has gone well, and is durable: else a kill shows the next life a
    /// log that ends here, and the power cut behind that one that does not, in which a refused record has
    /// the number of one that was read meanwhile.
    fn clear_garbage(&mut self) -> io::Result<()> {
        let FileSyncer { file, syncs, segment, .. } = &*self.syncer;
        let writing = segment.life.settings.writing;
        let size = file.size()?;
        let border = self.end.max(self.prepared.end());
        let border = border.next_multiple_of(file.block_size()?.max(BLOCK));
        if size > border {
            uninterrupted(|| file.set_len(border))?;
        }
        // In whole blocks, where nothing else can be written.
        let unit = if writing.access().passes_cache() { BLOCK } else { 1 };
        let until = size.min(self.garbage_end).next_multiple_of(unit).min(border);
        let zeros = vec![0; PIECE];
        let mut at = self.end;
        while at < until {
            let piece = usize::try_from(until - at).map_or(PIECE, |left| left.min(PIECE));
            writing.write(&**file, at, &zeros[..piece], &mut self.block)?;
            at += piece as u64;
        }
        syncs.run(|| file.sync_data())?;
        self.garbage_end = 0;
        Ok(())
    }

    fn want_zeros(&mut self) {
        if let Some(zeros) = self.zeros.as_mut().and_then(|zeros| zeros.due(self.end)) {
            self.syncer.segment.life.spares.want_zeros(zeros);
        }
    }
}

impl SegmentWriter for FileWriter {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.syncer.segment.life.check_process()?;
        self.syncer.syncs.check()?;
        if self.garbage_end > self.end {
            self.clear_garbage()?;
        }
        let FileSyncer { file, segment, .. } = &*self.syncer;
        let life = &segment.life;
        let end = self.end + bytes.len() as u64;
        self.prepared.reach(&**file, end)?;
        if let Some(zeros) = &mut self.zeros {
            zeros.reach(self.end, end);
        }
        let writing = life.settings.writing;
        let mut written = writing.write(&**file, self.end, bytes, &mut self.block);
        if written.as_ref().is_err_and(is_full) && life.spares.release() {
            written = writing.write(&**file, self.end, bytes, &mut self.block);
        }
        if let Err(error) = written {
            if is_full(&error) {
                self.garbage_end = end;
                // What cannot be cleared now is when the next append comes.
                self.clear_garbage().ok();
            }
            return Err(error);
        }
        self.end = end;
        self.syncer.written.store(end, Ordering::Release);
        if self.next == Next::NotYet && end > self.size / 4 {
            self.pace();
        }
        self.want_zeros();
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn space(&self) -> SegmentSpace {
        self.space
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        Arc::clone(&self.syncer) as _
    }
}

/// Syncs the open file that the writer writes to, so that no failed write-back goes unseen by it.
#[derive(Debug)]
struct FileSyncer {
    file: Arc<dyn OpenFile>,
    segment: PendingSegment,
    syncs: Arc<Syncs>,
    /// Bytes of the appends that have returned.
    written: AtomicU64,
    forgotten: AtomicU64,
}

impl FileSyncer {
    /// One sync at a time: what this changes it changes here alone.
    fn sync_now(&self) -> io::Result<()> {
        if !self.segment.is_published() {
            self.file.sync_all()?;
            return self.segment.publish(&*self.file);
        }
        let settings = &self.segment.life.settings;
        if settings.writing.syncs_itself() {
            return Ok(());
        }
        let written = self.written.load(Ordering::Acquire);
        self.file.sync_data()?;
        let forgotten = self.forgotten.load(Ordering::Relaxed);
        let forgotten = settings.caching.behind(&*self.file, forgotten, written);
        self.forgotten.store(forgotten, Ordering::Relaxed);
        Ok(())
    }
}

impl SegmentSyncer for FileSyncer {
    fn sync(&self) -> io::Result<()> {
        let life = &self.segment.life;
        life.check_process()?;
        self.syncs.run(|| {
            self.sync_now()?;
            // Behind the sync: what another writer does from here on, it does knowing of this.
            life.check()
        })
    }
}
