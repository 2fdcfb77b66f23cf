//! The writer and the syncer of a segment that is a file.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use wal_core::{SegmentId, SegmentSpace, SegmentSyncer, SegmentWriter, Unwritten};

use super::listed::Listed;
use super::preparation::{Prepared, is_full};
use super::spares::Spares;
use super::syncs::Syncs;
use super::writing::Block;
use super::{Caching, Files, OpenFile, Writing, name, zeros};
use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// Appends to one file. Refuses once a sync of the file has failed.
#[derive(Debug)]
pub(super) struct FileWriter {
    syncer: Arc<FileSyncer>,
    prepared: Prepared,
    space: SegmentSpace,
    zeros: Option<zeros::Ahead>,
    block: Block,
    end: u64,
    size: u64,
    /// When a quarter of the segment was written.
    quarter: Option<Instant>,
    /// Whether the next segment was said to be worth preparing, which it is from the half on.
    next: Next,
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    NotYet,
    Wanted,
}

impl FileWriter {
    /// The writer of a segment of `size` bytes that has no name yet.
    pub(super) fn new(
        birth: Birth,
        file: Arc<dyn OpenFile>,
        syncs: Arc<Syncs>,
        prepared: Prepared,
        reused: bool,
        zeros: Option<zeros::Ahead>,
        size: u64,
    ) -> Self {
        let syncer = Arc::new(FileSyncer {
            file,
            birth,
            syncs,
            written: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
            named: AtomicBool::new(false),
        });
        let unwritten = if reused { Unwritten::Anything } else { Unwritten::Zeros };
        let space = SegmentSpace { durable_len: prepared.end(), unwritten };
        let (block, quarter, next) = (Block::default(), None, Next::NotYet);
        let mut writer =
            Self { syncer, prepared, space, zeros, block, end: 0, size, quarter, next };
        writer.want_zeros();
        writer
    }
}

impl FileWriter {
    /// Says that the next segment is worth preparing, and how fast this one fills.
    fn pace(&mut self) {
        let quarter = *self.quarter.get_or_insert_with(Instant::now);
        if self.end > self.size / 2 {
            self.next = Next::Wanted;
            let Birth { spares, id, .. } = &self.syncer.birth;
            spares.want(id.next(), quarter.elapsed());
        }
    }

    fn want_zeros(&mut self) {
        if let Some(zeros) = self.zeros.as_mut().and_then(|zeros| zeros.due(self.end)) {
            self.syncer.birth.spares.want_zeros(zeros);
        }
    }
}

impl SegmentWriter for FileWriter {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let FileSyncer { file, syncs, birth, .. } = &*self.syncer;
        syncs.check()?;
        let end = self.end + bytes.len() as u64;
        self.prepared.reach(&**file, end)?;
        if let Some(zeros) = &mut self.zeros {
            zeros.reach(self.end, end);
        }
        let mut written = birth.writing.write(&**file, self.end, bytes, &mut self.block);
        if written.as_ref().is_err_and(is_full) && birth.spares.release() {
            written = birth.writing.write(&**file, self.end, bytes, &mut self.block);
        }
        written?;
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

/// What a file needs to become a segment: until its first sync it has the name of one that is being
/// made, and whatever becomes of it, there is no such segment.
pub(super) struct Birth {
    pub(super) id: SegmentId,
    pub(super) files: Arc<dyn Files>,
    pub(super) spares: Arc<Spares>,
    pub(super) dir_syncs: Arc<Syncs>,
    pub(super) listed: Arc<Listed>,
    pub(super) writing: Writing,
    pub(super) caching: Caching,
}

impl Birth {
    /// Gives the file, all of it durable, the segment's name, durably.
    fn publish(&self) -> io::Result<()> {
        self.listed.forget();
        self.files.rename(&name::unfinished(self.id), &name::of(self.id))?;
        self.dir_syncs.run(|| self.files.sync_dir())?;
        self.spares.born(self.id);
        Ok(())
    }

    /// There is no segment, and never will be, unless its naming failed half way.
    pub(super) fn miscarry(&self) {
        // Where this fails, the next to lock the store does it.
        self.files.remove(&name::unfinished(self.id)).ok();
        self.spares.born(self.id);
    }
}

impl fmt::Debug for Birth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, writing, caching, .. } = self;
        f.debug_struct("Birth")
            .field("id", id)
            .field("writing", writing)
            .field("caching", caching)
            .finish_non_exhaustive()
    }
}

/// Syncs the open file that the writer writes to, so that no failed write-back goes unseen by it.
#[derive(Debug)]
struct FileSyncer {
    file: Arc<dyn OpenFile>,
    birth: Birth,
    syncs: Arc<Syncs>,
    /// Bytes of the appends that have returned.
    written: AtomicU64,
    forgotten: AtomicU64,
    named: AtomicBool,
}

impl SegmentSyncer for FileSyncer {
    fn sync(&self) -> io::Result<()> {
        self.syncs.run(|| {
            // One sync at a time: what these two hold changes here alone.
            if !self.named.load(Ordering::Relaxed) {
                self.file.sync_all()?;
                self.birth.publish()?;
                self.file.is_called(&name::of(self.birth.id));
                self.named.store(true, Ordering::Relaxed);
                return Ok(());
            }
            if self.birth.writing.syncs_itself() {
                return Ok(());
            }
            let written = self.written.load(Ordering::Acquire);
            self.file.sync_data()?;
            let forgotten = self.forgotten.load(Ordering::Relaxed);
            let forgotten = self.birth.caching.behind(&*self.file, forgotten, written);
            self.forgotten.store(forgotten, Ordering::Relaxed);
            Ok(())
        })
    }
}

impl Drop for FileSyncer {
    fn drop(&mut self) {
        if self.named.load(Ordering::Relaxed) {
            return;
        }
        self.birth.miscarry();
    }
}
