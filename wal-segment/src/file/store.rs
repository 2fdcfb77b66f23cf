//! [`FileStore`]: one file a segment, in one directory.

use std::io;
use std::path::Path;
use std::sync::Arc;

use wal_core::{
    Durability, Guarantees, SegmentId, SegmentReader, SegmentStore, SegmentWriter, StoreLock,
};

use super::lock::FileLock;
use super::segment::{FileReader, FileWriter};
use super::syncs::Syncs;
use super::transfer::uninterrupted;
use super::{Access, Files, OsFiles, Preparation, name};

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
#[derive(Debug)]
pub struct FileStore {
    files: Arc<dyn Files>,
    access: Access,
    preparation: Preparation,
    dir_syncs: Syncs,
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
        Ok(Self { access: Access::Read, ..Self::over(Arc::new(OsFiles::open(dir)?)) })
    }

    /// The segments in these files.
    pub fn over(files: Arc<dyn Files>) -> Self {
        let preparation = Preparation::default();
        Self { files, access: Access::Write, preparation, dir_syncs: Syncs::default() }
    }

    /// Takes the space of segments made from here on in this way. Segments prepared in different
    /// ways may lie side by side.
    pub fn preparation(mut self, preparation: Preparation) -> Self {
        self.preparation = preparation;
        self
    }

    fn check_writable(&self) -> io::Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => {
                let what = format!("this store is open for reading only: {:?}", self.files);
                Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
            }
        }
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.dir_syncs.run(|| self.files.sync_dir())
    }

    /// Makes a file under its unfinished name, prepares it, and gives it its own name once that is
    /// durable: a crash in the middle leaves no segment, whatever became of its bytes.
    fn make(&self, id: SegmentId, size: u64) -> io::Result<FileWriter> {
        let (unfinished, name) = (name::unfinished(id), name::of(id));
        let file = match self.files.create_new(&unfinished) {
            // Left by a process that died.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.files.remove(&unfinished)?;
                self.files.create_new(&unfinished)?
            }
            made => made?,
        };
        let prepared = self.preparation.prepare(&*file, size)?;
        file.sync_all()?;
        self.files.rename(&unfinished, &name)?;
        self.sync_dir()?;
        Ok(FileWriter::new(self.files.open(&name, Access::Write)?, prepared))
    }

    fn holds(&self, name: &str) -> io::Result<bool> {
        match self.files.open(name, Access::Read) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes what is left of segments whose making was interrupted.
    fn tidy(&self) -> io::Result<()> {
        for name in self.files.list()?.iter().filter(|name| name::is_unfinished(name)) {
            self.files.remove(name)?;
        }
        Ok(())
    }
}

impl SegmentStore for FileStore {
    fn guarantees(&self) -> Guarantees {
        Guarantees::new(Durability::Power)
    }

    /// Also syncs the directory: what is listed from here on, and what is not, stays so after a
    /// power cut, also where the process that made or removed it died before its own sync. And
    /// removes what is left of segments whose making was interrupted.
    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.check_writable()?;
        let lock = FileLock::take(&*self.files)?;
        self.tidy()?;
        self.sync_dir()?;
        Ok(Box::new(lock))
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        let names = self.files.list()?;
        let mut ids: Vec<_> = names.iter().filter_map(|name| name::parse(name)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        self.check_writable()?;
        self.dir_syncs.check()?;
        if self.holds(&name::of(id))? {
            let what = format!("segment {id} is there already: {:?}", self.files);
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        self.make(id, size).map(|writer| Box::new(writer) as Box<dyn SegmentWriter>).inspect_err(
            |_| {
                // Where this fails too, what remains is no segment, or one that reads as zeros.
                self.files.remove(&name::unfinished(id)).ok();
                self.files.remove(&name::of(id)).ok();
            },
        )
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        Ok(Box::new(FileReader::new(self.files.open(&name::of(id), Access::Read)?)))
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
        for id in ids {
            self.dir_syncs.check()?;
            match self.files.remove(&name::of(*id)) {
                // It may be gone since a moment ago, by a process that died before it could sync.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
            self.sync_dir()?;
        }
        Ok(())
    }
}
