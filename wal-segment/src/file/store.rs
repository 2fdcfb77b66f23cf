//! [`FileStore`]: one file a segment, in one directory.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};

use wal_core::{
    Durability, Guarantees, Naming, SegmentId, SegmentReader, SegmentStore, SegmentWriter,
    StoreLock, Unwritten,
};

use super::life::{Held, Life, Settings, segments};
use super::listed::Listed;
use super::pending::PendingSegment;
use super::segment::FileWriter;
use super::spare::Spare;
use super::syncs::Syncs;
use super::transfer::uninterrupted;
use super::zeros::Zeros;
use super::{
    Access, Ahead, Caching, FileKind, Files, OpenFile, OsFiles, Preparation, Reading, Recycling,
    Writing, anchor, name, zeros,
};
use crate::sync::{self, Mutex};

/// No file system in use cuts a file in smaller units than this.
const BLOCK: u64 = 4096;

/// Segments as files of one directory: `00000000000000000001.wal` and so on, and the files `LOCK` and
/// `ANCHOR`. Files that are no segments yet, or no more, are called `spare-….tmp`. Every other name
/// there is left alone and never listed.
///
/// Synced bytes survive a power cut, as far as the file system and the disk keep what `fdatasync`
/// and `fsync` promise; a file system in memory keeps nothing. One sync of a segment runs at a
/// time, since Linux tells a failed write-back to only one of two that overlap.
///
/// # Which file is whose
///
/// A segment's file gets the segment's name at the first sync of its writer, all of it durable, by a
/// step that replaces nothing, and is compared with the file that the writer has open then. A name of
/// a segment with anything else behind it is another's: it is listed, refused when it is opened, and
/// left where it is. What has a segment's name and is a link is followed for reading; a file with more
/// than one name, and what a link leads to, is never used again for another segment.
///
/// Only while the lock is held is anything made, changed or removed; without it the methods that
/// would fail with [`io::ErrorKind::PermissionDenied`]. The lock is one of the directory itself, and of
/// the file `LOCK` beside it ([`OsFiles`] says where the first works): to remove or replace `LOCK` lets
/// no second writer in. Where directories cannot be locked, each sync looks whether `LOCK` is still
/// the file that was locked, and fails as [`Fenced`](wal_core::Fenced) where it is not. The lock is
/// free when the value that [`lock`](SegmentStore::lock) gave, and every writer and syncer, is gone:
/// by then the thread that prepares segments has ended and its files are removed. In a process that
/// was forked off, writers and syncers fail as `Fenced`, and dropping them touches nothing.
///
/// After a sync of the directory has failed, this store makes and removes no segment any more: the
/// directory as it reads may then differ from what a power cut leaves. Open a new one.
pub struct FileStore {
    files: Arc<dyn Files>,
    opened: Opened,
    settings: Settings,
    reading: Reading,
    dir_syncs: Arc<Syncs>,
    listed: Arc<Listed>,
    /// The last one that this handle began.
    life: Mutex<Weak<Life>>,
}

#[derive(Clone, Copy, Debug)]
enum Opened {
    ForReading,
    ForWriting,
}

impl FileStore {
    /// The segments in `dir`, which is made if it is missing, durably.
    pub fn open(dir: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::over(Arc::new(OsFiles::create(dir)?)))
    }

    /// The segments in `dir`, to be read and no more: nothing in the directory is made or changed,
    /// and what would do so fails with [`io::ErrorKind::PermissionDenied`]. Fails with
    /// [`io::ErrorKind::NotFound`] where there is no such directory.
    pub fn open_read_only(dir: impl AsRef<Path>) -> io::Result<Self> {
        let mut store = Self::over(Arc::new(OsFiles::open(dir)?));
        store.opened = Opened::ForReading;
        Ok(store)
    }

    /// The segments in these files.
    pub fn over(files: Arc<dyn Files>) -> Self {
        Self {
            files,
            opened: Opened::ForWriting,
            settings: Settings::default(),
            reading: Reading::default(),
            dir_syncs: Arc::default(),
            listed: Arc::default(),
            life: Mutex::new(Weak::new()),
        }
    }

    /// Takes the space of segments in this way. Segments prepared in different ways may lie side by
    /// side, here and in what follows.
    pub fn preparation(mut self, preparation: Preparation) -> Self {
        self.settings.preparation = preparation;
        self
    }

    /// Does this with the files of removed segments.
    pub fn recycling(mut self, recycling: Recycling) -> Self {
        self.settings.recycling = recycling;
        self
    }

    /// Has the next segment prepared by this one.
    pub fn ahead(mut self, ahead: Ahead) -> Self {
        self.settings.ahead = ahead;
        self
    }

    /// Writes appended bytes in this way.
    pub fn writing(mut self, writing: Writing) -> Self {
        self.settings.writing = writing;
        self
    }

    /// Does this with written bytes in the page cache.
    pub fn caching(mut self, caching: Caching) -> Self {
        self.settings.caching = caching;
        self
    }

    /// Reads segments in this way.
    pub fn reading(mut self, reading: Reading) -> Self {
        self.reading = reading;
        self
    }

    /// Prepares the next segment if one is wanted by now, and says whether one was; for
    /// [`Ahead::Caller`]. Also where it fails, nothing is lost: the segment is prepared when it is
    /// needed. Needs the lock, as everything that changes the directory.
    pub fn prepare_next(&self) -> io::Result<bool> {
        self.life()?.spares.prepare_wanted()
    }

    /// What holds the lock of the store, by this handle; fails where nothing does, or no more.
    fn life(&self) -> io::Result<Arc<Life>> {
        self.check_writable()?;
        let life = sync::lock(&self.life).upgrade().filter(|life| life.is_held());
        let Some(life) = life else {
            let what = format!("this handle does not hold the lock: {:?}", self.files);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        };
        life.check()?;
        Ok(life)
    }

    fn check_writable(&self) -> io::Result<()> {
        match self.opened {
            Opened::ForWriting => Ok(()),
            Opened::ForReading => {
                let what = format!("this store is open for reading only: {:?}", self.files);
                Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
            }
        }
    }

    /// Zeros for a segment of this file behind the first `written` bytes, where there are to be some.
    fn zeros_ahead(
        &self,
        file: Arc<dyn OpenFile>,
        syncs: &Arc<Syncs>,
        written: u64,
        size: u64,
    ) -> Option<zeros::Ahead> {
        let Settings { preparation, ahead, .. } = self.settings;
        let Preparation::ZerosAhead(step) = preparation else { return None };
        if written >= size || ahead == Ahead::Never {
            return None;
        }
        // The first block is written before any zero can be.
        let zeros = Zeros::new(file, Arc::clone(syncs), written.max(BLOCK), size);
        Some(zeros::Ahead::new(Arc::new(zeros), step))
    }

    /// There is anything of this name: a segment, or what is none and stands in its place.
    fn holds(&self, name: &str) -> io::Result<bool> {
        match self.files.look(name) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl SegmentStore for FileStore {
    fn guarantees(&self) -> Guarantees {
        let unwritten = match self.settings.recycling {
            Recycling::Off => Unwritten::Zeros,
            Recycling::Keep(_) => Unwritten::Anything,
        };
        let guarantees = Guarantees::new(Durability::Power).unwritten(unwritten);
        self.settings.writing.guarantee(guarantees.naming(Naming::AtSync))
    }

    /// Also syncs the directory: what is listed from here on, and what is not, stays so after a
    /// power cut, also where the process that made or removed it died before its own sync. And
    /// removes what former holders of the lock have left: files whose names prove that a store made
    /// them for itself.
    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.check_writable()?;
        let life = Life::begin(&self.files, self.settings, &self.dir_syncs, &self.listed)?;
        *sync::lock(&self.life) = Arc::downgrade(&life);
        Ok(Box::new(Held(life)))
    }

    /// The numbers of all names that a segment may have, whatever is behind them.
    ///
    /// The first one under the lock, with nothing made or removed before, is answered by what taking
    /// the lock has read: a log is opened with one reading of its directory.
    fn list(&self) -> io::Result<Vec<SegmentId>> {
        match self.listed.take() {
            Some(ids) => Ok(ids),
            None => Ok(segments(&self.files.list()?)),
        }
    }

    /// The segment is there from its first sync on: until then its file has another name, and goes
    /// when its writer and its syncers do. Where this fails, nothing is left of it, and it can be
    /// called again.
    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let life = self.life()?;
        life.check_dir()?;
        if self.holds(&name::of(id))? {
            let what = format!("segment {id} is there already: {:?}", self.files);
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        life.start_thread();
        let Spare { name, file, prepared, written, reused, .. } = life.spares.take(size)?;
        let segment = PendingSegment::new(life, id, name)?;
        let syncs = Arc::default();
        let zeros = self.zeros_ahead(Arc::clone(&file), &syncs, written, size);
        let file = match self.settings.writing.access() {
            Access::Write => file,
            access => self.files.open(segment.name(), access)?,
        };
        let unwritten = if reused { Unwritten::Anything } else { Unwritten::Zeros };
        let writer = FileWriter::new(segment, file, syncs, prepared, unwritten, zeros, size);
        Ok(Box::new(writer))
    }

    /// Fails with [`io::ErrorKind::InvalidData`] where the name is there and no file is behind it: a
    /// directory, a link that leads nowhere.
    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.reading.open(&*self.files, &name::of(id))
    }

    /// Cuts at the end of the block that `len` is in, 4096 bytes or the file system's block,
    /// whichever is larger: cutting inside a block would rewrite it. A file with more than one name
    /// stays as long as it is: under its other name it may be a copy that somebody counts on. So does
    /// one that a link leads to.
    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        let _life = self.life()?;
        let name = name::of(id);
        if self.files.look(&name)?.kind == FileKind::Link {
            return Ok(());
        }
        let file = self.files.open(&name, Access::Write)?;
        let (block, info) = (file.block_size()?.max(BLOCK), file.info()?);
        if let Some(kept) = len.checked_next_multiple_of(block)
            && kept < info.size
            && info.links <= 1
        {
            uninterrupted(|| file.set_len(kept))?;
        }
        // Also where there was nothing to cut: an earlier cut may not have been synced.
        file.sync_all()
    }

    /// Costs one sync of the directory a segment. One for all would do on file systems that keep
    /// the order of changes to a directory; POSIX does not promise it, and a log that lost a
    /// segment from its middle would not open.
    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.life()?.remove(ids)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        anchor::read(&*self.files)
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        anchor::write(&*self.life()?, bytes)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("files", &self.files)
            .field("opened", &self.opened)
            .field("settings", &self.settings)
            .field("reading", &self.reading)
            .finish_non_exhaustive()
    }
}
