//! [`FileStore`]: one file a segment, in one directory.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use wal_core::{
    Durability, Guarantees, SegmentId, SegmentReader, SegmentStore, SegmentWriter, StoreLock,
    Unwritten,
};

use super::listed::{Held, Listed};
use super::lock::FileLock;
use super::segment::{Birth, FileWriter};
use super::spares::{Spare, Spares};
use super::syncs::Syncs;
use super::transfer::uninterrupted;
use super::zeros::Zeros;
use super::{
    Access, Ahead, Caching, Files, OsFiles, Preparation, Reading, Recycling, Writing, anchor, name,
    zeros,
};
use crate::sync::thread::JoinHandle;

/// No file system in use cuts a file in smaller units than this.
const BLOCK: u64 = 4096;

/// Segments as files of one directory: `00000000000000000001.wal` and so on, and a file `LOCK`.
/// Other files there are left alone and never listed.
///
/// Synced bytes survive a power cut, as far as the file system and the disk keep what `fdatasync`
/// and `fsync` promise; a file system in memory keeps nothing. One sync of a segment runs at a
/// time, since Linux tells a failed write-back to only one of two that overlap.
///
/// After a sync of the directory has failed, this store makes and removes no segment any more: the
/// directory as it reads may then differ from what a power cut leaves. Open a new one.
pub struct FileStore {
    files: Arc<dyn Files>,
    opened: Opened,
    preparation: Preparation,
    recycling: Recycling,
    ahead: Ahead,
    writing: Writing,
    caching: Caching,
    reading: Reading,
    dir_syncs: Arc<Syncs>,
    listed: Arc<Listed>,
    spares: OnceLock<Arc<Spares>>,
    thread: OnceLock<Option<JoinHandle<()>>>,
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
            preparation: Preparation::default(),
            recycling: Recycling::default(),
            ahead: Ahead::default(),
            writing: Writing::default(),
            caching: Caching::default(),
            reading: Reading::default(),
            dir_syncs: Arc::default(),
            listed: Arc::default(),
            spares: OnceLock::new(),
            thread: OnceLock::new(),
        }
    }

    /// Takes the space of segments in this way. Segments prepared in different ways may lie side by
    /// side, here and in what follows.
    pub fn preparation(mut self, preparation: Preparation) -> Self {
        self.preparation = preparation;
        self
    }

    /// Does this with the files of removed segments.
    pub fn recycling(mut self, recycling: Recycling) -> Self {
        self.recycling = recycling;
        self
    }

    /// Has the next segment prepared by this one.
    pub fn ahead(mut self, ahead: Ahead) -> Self {
        self.ahead = ahead;
        self
    }

    /// Writes appended bytes in this way.
    pub fn writing(mut self, writing: Writing) -> Self {
        self.writing = writing;
        self
    }

    /// Does this with written bytes in the page cache.
    pub fn caching(mut self, caching: Caching) -> Self {
        self.caching = caching;
        self
    }

    /// Reads segments in this way.
    pub fn reading(mut self, reading: Reading) -> Self {
        self.reading = reading;
        self
    }

    /// Prepares the next segment if one is wanted by now, and says whether one was; for
    /// [`Ahead::Caller`]. Also where it fails, nothing is lost: the segment is prepared when it is
    /// needed.
    pub fn prepare_next(&self) -> io::Result<bool> {
        self.check_writable()?;
        self.spares().prepare_wanted()
    }

    fn spares(&self) -> &Arc<Spares> {
        self.spares.get_or_init(|| {
            let (files, dir_syncs) = (Arc::clone(&self.files), Arc::clone(&self.dir_syncs));
            Arc::new(Spares::new(files, dir_syncs, self.preparation, self.recycling, self.ahead))
        })
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

    fn sync_dir(&self) -> io::Result<()> {
        self.dir_syncs.run(|| self.files.sync_dir())
    }

    /// Zeros for the segment behind the first `written` bytes, where there are to be some.
    fn zeros_ahead(
        &self,
        id: SegmentId,
        syncs: &Arc<Syncs>,
        written: u64,
        size: u64,
    ) -> io::Result<Option<zeros::Ahead>> {
        let Preparation::ZerosAhead(step) = self.preparation else { return Ok(None) };
        if written >= size || self.ahead == Ahead::Never {
            return Ok(None);
        }
        let file = self.files.open(&name::unfinished(id), Access::Write)?;
        // The first block is written before any zero can be.
        let zeros = Zeros::new(file, Arc::clone(syncs), written.max(BLOCK), size);
        Ok(Some(zeros::Ahead::new(Arc::new(zeros), step)))
    }

    fn holds(&self, name: &str) -> io::Result<bool> {
        match self.files.open(name, Access::Read) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl SegmentStore for FileStore {
    fn guarantees(&self) -> Guarantees {
        let unwritten = match self.recycling {
            Recycling::Off => Unwritten::Zeros,
            Recycling::Keep(_) => Unwritten::Anything,
        };
        self.writing.guarantee(Guarantees::new(Durability::Power).unwritten(unwritten))
    }

    /// Also syncs the directory: what is listed from here on, and what is not, stays so after a
    /// power cut, also where the process that made or removed it died before its own sync. And
    /// removes what is left of segments whose making was interrupted, and files that were kept of
    /// removed ones.
    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.check_writable()?;
        let lock = FileLock::take(&*self.files)?;
        let names = self.files.list()?;
        self.spares().tidy(&names)?;
        self.sync_dir()?;
        self.listed.keep(segments(&names));
        Ok(Box::new(Held::new(lock, Arc::clone(&self.listed))))
    }

    /// The first one under the lock, with nothing made or removed before, is answered by what taking
    /// the lock has read: a log is opened with one reading of its directory.
    fn list(&self) -> io::Result<Vec<SegmentId>> {
        match self.listed.take() {
            Some(ids) => Ok(ids),
            None => Ok(segments(&self.files.list()?)),
        }
    }

    /// The segment is there from its first sync on: until then its file has another name, and goes
    /// when its writer and its syncers do.
    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        self.check_writable()?;
        self.dir_syncs.check()?;
        if self.holds(&name::of(id))? {
            let what = format!("segment {id} is there already: {:?}", self.files);
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        let spares = self.spares();
        // Where the system has no thread to spare, segments are prepared when they are needed.
        self.thread.get_or_init(|| spares.start().unwrap_or(None));
        let Spare { prepared, written, reused, .. } = spares.take(id, size)?;
        let birth = Birth {
            id,
            files: Arc::clone(&self.files),
            spares: Arc::clone(spares),
            dir_syncs: Arc::clone(&self.dir_syncs),
            listed: Arc::clone(&self.listed),
            writing: self.writing,
            caching: self.caching,
        };
        let opened = self.files.open(&name::unfinished(id), self.writing.access());
        let syncs = Arc::default();
        let opened =
            opened.and_then(|file| Ok((file, self.zeros_ahead(id, &syncs, written, size)?)));
        let (file, zeros) = opened.inspect_err(|_| birth.miscarry())?;
        Ok(Box::new(FileWriter::new(birth, file, syncs, prepared, reused, zeros, size)))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.reading.open(&*self.files, &name::of(id))
    }

    /// Cuts at the end of the block that `len` is in, 4096 bytes or the file system's block,
    /// whichever is larger: cutting inside a block would rewrite it.
    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let file = self.files.open(&name::of(id), Access::Write)?;
        let block = file.block_size()?.max(BLOCK);
        if let Some(kept) = len.checked_next_multiple_of(block)
            && kept < file.size()?
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
        self.check_writable()?;
        self.listed.forget();
        for id in ids {
            self.dir_syncs.check()?;
            let name = name::of(*id);
            let kept = self.spares().name_to_keep(*id);
            let removed = match &kept {
                None => self.files.remove(&name),
                Some(kept) => self.files.rename(&name, kept),
            };
            let there = match removed {
                // It may be gone since a moment ago, by a process that died before it could sync.
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                removed => removed.map(|()| true)?,
            };
            self.sync_dir()?;
            // Not before: it must not become another segment and this one again.
            if let Some(kept) = kept.filter(|_| there) {
                self.spares().keep(kept);
            }
        }
        Ok(())
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        anchor::read(&*self.files)
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.check_writable()?;
        anchor::write(&*self.files, bytes, || self.sync_dir())
    }
}

/// The segments among these files, ascending.
fn segments(names: &[String]) -> Vec<SegmentId> {
    let mut ids: Vec<_> = names.iter().filter_map(|name| name::parse(name)).collect();
    ids.sort_unstable();
    ids
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("files", &self.files)
            .field("opened", &self.opened)
            .field("preparation", &self.preparation)
            .field("recycling", &self.recycling)
            .field("ahead", &self.ahead)
            .field("writing", &self.writing)
            .field("caching", &self.caching)
            .field("reading", &self.reading)
            .finish_non_exhaustive()
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        if let Some(spares) = self.spares.get() {
            spares.end();
        }
        if let Some(thread) = self.thread.take().flatten() {
            // A panic there was told when it happened, and cost a file that is not ready.
            thread.join().ok();
        }
    }
}
