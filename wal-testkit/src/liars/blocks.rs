//! A store that keeps each segment in files of one length, and lies behind the first of them.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wal_core::{
    Durability, Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer,
    SegmentWriter, StoreLock,
};

use crate::life::Life;
use crate::{SimDisk, SimFile, SimLock};

/// The one way in which a [`LyingBlocks`] lies. All is well in the first block of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BlockLie {
    /// It is honest.
    None,
    /// What is appended behind the first block is thrown away.
    AppendForgetsTheRest,
    /// The names of new blocks are not synced.
    NamesAreNotSynced,
    /// A read ends with the block that it began in.
    ReadsEndWithABlock,
    /// The block that makes the segment listed is deleted last: a crash leaves a segment that is
    /// there, with its end gone.
    RemovesTheFirstBlockLast,
    /// Of many dirty blocks only the first is synced.
    SyncsOneDirtyBlock,
    /// The block that holds the new end goes too.
    TrimsABlockTooMany,
}

impl BlockLie {
    /// Every lie, with the laws that are there to catch it. A lie may break others too.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::AppendForgetsTheRest, &["appends_keep_their_order", "synced_bytes_survive_a_crash"]),
        (Self::NamesAreNotSynced, &["synced_bytes_survive_a_crash"]),
        (Self::ReadsEndWithABlock, &["reads_stop_only_at_the_end"]),
        (Self::RemovesTheFirstBlockLast, &["an_interrupted_removal_leaves_the_last"]),
        (
            Self::SyncsOneDirtyBlock,
            &["synced_bytes_survive_a_crash", "a_sync_covers_every_append_before_it"],
        ),
        (Self::TrimsABlockTooMany, &["trim_keeps_what_is_before"]),
    ];
}

/// A store on a simulated disk whose segments are files of one length, the block, that lies in one
/// way, or, with [`BlockLie::None`], in none. A segment is there as long as its first block is.
#[derive(Debug)]
pub struct LyingBlocks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    disk: SimDisk,
    block: u64,
    lie: BlockLie,
    life: Life,
}

impl LyingBlocks {
    /// The store that is on this disk, in blocks of so many bytes.
    pub fn new(disk: SimDisk, block: u64, lie: BlockLie) -> Self {
        Self(Arc::new(Shared { disk, block, lie, life: Life::default() }))
    }
}

fn name_of(id: SegmentId, block: u64) -> String {
    format!("{:020}.{block:06}", id.get())
}

impl Shared {
    /// How many blocks there are, from the first on without a gap.
    fn blocks(&self, id: SegmentId) -> u64 {
        (0..u64::MAX).take_while(|&block| self.disk.open(&name_of(id, block)).is_ok()).count()
            as u64
    }

    /// The names of all blocks, also of those that a crash has parted from the first; newest first.
    fn names(&self, id: SegmentId) -> io::Result<Vec<String>> {
        let prefix = format!("{:020}.", id.get());
        let names = self.disk.list()?.into_iter();
        let is_block = |name: &String| {
            let number = name.strip_prefix(&prefix);
            number.is_some_and(|it| it.len() == 6 && it.bytes().all(|digit| digit.is_ascii_digit()))
        };
        Ok(names.filter(is_block).rev().collect())
    }

    fn remove(&self, id: SegmentId) -> io::Result<()> {
        let mut names = self.names(id)?;
        if self.lie != BlockLie::RemovesTheFirstBlockLast {
            names.reverse();
        }
        for name in names {
            self.disk.remove(&name)?;
            self.disk.sync_dir()?;
        }
        // Also where it is gone: an earlier removal may have failed at its sync.
        self.disk.sync_dir()
    }
}

impl SegmentStore for LyingBlocks {
    fn guarantees(&self) -> Guarantees {
        Guarantees::new(Durability::Power)
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        Ok(Box::new(Lock { _lock: self.0.life.begin(self.0.disk.lock("LOCK")?) }))
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        let names = self.0.disk.list()?;
        let first = |name: &String| name.strip_suffix(".000000").and_then(|id| id.parse().ok());
        Ok(names.iter().filter_map(first).map(SegmentId::new).collect())
    }

    fn create(&self, id: SegmentId, _: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let Shared { disk, .. } = &*self.0;
        // Blocks that a crash left of a removed segment: without the first one they are nothing.
        if disk.open(&name_of(id, 0)).is_err() {
            self.0.remove(id)?;
        }
        let first = disk.create_new(&name_of(id, 0))?;
        disk.sync_dir()?;
        let dirty = Arc::new(Mutex::new(Dirty::default()));
        let (shared, held) = (Arc::clone(&self.0), self.0.life.share());
        Ok(Box::new(Writer { shared, id, end: 0, blocks: vec![first], dirty, held }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.0.disk.open(&name_of(id, 0))?;
        Ok(Box::new(Reader { shared: Arc::clone(&self.0), id }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        let Shared { disk, block, lie, .. } = &*self.0;
        let kept = match lie {
            BlockLie::TrimsABlockTooMany => (len / block).max(1),
            _ => len.div_ceil(*block).max(1),
        };
        disk.open(&name_of(id, 0))?;
        for number in (kept..self.0.blocks(id)).rev() {
            disk.remove(&name_of(id, number))?;
            disk.sync_dir()?;
        }
        if let Ok(last) = disk.open(&name_of(id, kept - 1)) {
            let end = len.saturating_sub((kept - 1) * block);
            if last.size()? > end && end < *block {
                last.set_len(end)?;
            }
            last.sync_data()?;
        }
        disk.sync_dir()
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        // One that cannot go does not keep the ones behind it.
        let mut first = Ok(());
        for &id in ids {
            let removed = self.0.remove(id);
            first = first.and(removed);
        }
        first
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.0.disk.anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.disk.set_anchor(bytes)
    }
}

#[derive(Debug)]
struct Lock {
    _lock: Arc<SimLock>,
}

impl StoreLock for Lock {}

/// What the next sync has to do.
#[derive(Debug, Default)]
struct Dirty {
    blocks: BTreeSet<u64>,
    names: bool,
}

#[derive(Debug)]
struct Writer {
    shared: Arc<Shared>,
    id: SegmentId,
    end: u64,
    blocks: Vec<SimFile>,
    dirty: Arc<Mutex<Dirty>>,
    held: Option<Arc<SimLock>>,
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let block = self.shared.block;
        let (mut at, mut rest) = (self.end, bytes);
        while !rest.is_empty() {
            let number = at / block;
            let here = usize::try_from(block - at % block).unwrap_or(usize::MAX).min(rest.len());
            if number == 0 || self.shared.lie != BlockLie::AppendForgetsTheRest {
                self.block(number)?.write_all_at(at % block, &rest[..here])?;
                lock(&self.dirty).blocks.insert(number);
            }
            (at, rest) = (at + here as u64, &rest[here..]);
        }
        self.end = at;
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn space(&self) -> SegmentSpace {
        SegmentSpace::default()
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        let (shared, id, dirty) = (Arc::clone(&self.shared), self.id, Arc::clone(&self.dirty));
        Arc::new(Syncer { shared, id, dirty, _held: self.held.clone() })
    }
}

impl Writer {
    fn block(&mut self, number: u64) -> io::Result<&SimFile> {
        while self.blocks.len() as u64 <= number {
            let name = name_of(self.id, self.blocks.len() as u64);
            self.blocks.push(self.shared.disk.create_new(&name)?);
            lock(&self.dirty).names = true;
        }
        Ok(&self.blocks[usize::try_from(number).map_err(io::Error::other)?])
    }
}

#[derive(Debug)]
struct Syncer {
    shared: Arc<Shared>,
    id: SegmentId,
    dirty: Arc<Mutex<Dirty>>,
    _held: Option<Arc<SimLock>>,
}

impl SegmentSyncer for Syncer {
    fn sync(&self) -> io::Result<()> {
        let Shared { disk, lie, .. } = &*self.shared;
        let mut dirty = lock(&self.dirty);
        let names = std::mem::take(&mut dirty.names);
        let mut blocks = std::mem::take(&mut dirty.blocks);
        if *lie == BlockLie::SyncsOneDirtyBlock {
            blocks = blocks.into_iter().take(1).collect();
        }
        // Also where nothing is dirty: a sync that could not be done fails.
        for number in blocks.into_iter().chain([0]) {
            disk.open(&name_of(self.id, number))?.sync_data()?;
        }
        if names && *lie != BlockLie::NamesAreNotSynced { disk.sync_dir() } else { Ok(()) }
    }
}

#[derive(Debug)]
struct Reader {
    shared: Arc<Shared>,
    id: SegmentId,
}

impl SegmentReader for Reader {
    fn size(&self) -> io::Result<u64> {
        let Some(last) = self.shared.blocks(self.id).checked_sub(1) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let size = self.shared.disk.open(&name_of(self.id, last))?.size()?;
        Ok(last * self.shared.block + size)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let Shared { disk, block, lie, .. } = &*self.shared;
        let there = usize::try_from(self.size()?.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = there.min(buffer.len());
        let mut filled = 0;
        while filled < wanted {
            let at = offset + filled as u64;
            let here = usize::try_from(block - at % block).unwrap_or(usize::MAX);
            let here = here.min(wanted - filled);
            let part = &mut buffer[filled..filled + here];
            // A block that a crash left short has zeros behind its end.
            part.fill(0);
            disk.open(&name_of(self.id, at / block))?.read_all_at(at % block, part)?;
            filled += here;
            if *lie == BlockLie::ReadsEndWithABlock {
                break;
            }
        }
        Ok(filled)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
