//! The product, wrapped in parts that lie.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use wal::parts::segment::{Access, FileInfo, FileStore, Files, OpenFile};
use wal::{Error, ErrorKind, Lsn, Result};
use wal_testkit::liars::LandedStore;
use wal_testkit::model::World;
use wal_testkit::{LogUnderTest, Profile, SimDisk, SimFiles};

use crate::full;
use crate::pace::{BesideSyncs, Pace, Prepares};
use crate::product::{Product, Setup, Way, in_child, paced, settings};

/// A defect of the files under the real file store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileLie {
    /// The sync of a file does nothing.
    SyncDoesNothing,
    /// The sync of the directory does nothing.
    DirectorySyncDoesNothing,
    /// A sync that fails is called again, and the second answer counts.
    SyncIsTriedAgain,
    /// A write that fails is taken for done.
    WriteErrorsAreSwallowed,
    /// Every lock is had at once.
    LocksAreNotTaken,
}

/// A defect of a log around the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// A batch is appended record by record.
    BatchIsSplit,
    /// Every record read has the bytes of the one before.
    ReadsTheOneBefore,
    /// After a wait has failed, the next ones succeed.
    ForgetsTheFailure,
    /// On damage the log is cut there, and opened again.
    DamageIsCut,
    /// The durable LSN is the last one staged.
    DurableIsStaged,
    /// A log with a torn tail is refused.
    RefusesATornTail,
    /// Once the disk was full it is full for ever.
    FullForEver,
    /// A file says that a log is open, and a dead process does not take it away.
    StaysOpen,
    /// A failure is written down, and counts for ever.
    NeverForgives,
    /// Every file is read once for every two files.
    ReadsAgainAndAgain,
}

/// The real file store on files that lie.
pub(crate) fn on_lying_files(lie: FileLie) -> World {
    World::new(format!("{lie:?}"), Profile::STRICT, move |disk: SimDisk| {
        let files = LyingFiles { files: SimFiles::new(disk.clone()), lie };
        Product::open(&disk, Arc::new(FileStore::over(Arc::new(files))), Setup::PLAIN, Way::Whole)
    })
}

/// A defect of how a log on a full disk goes on, or of what it knows of other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorldLie {
    /// A log that is too full to be opened is never pruned.
    NeverPrunes,
    /// Pruning begins at the end: the newest segment goes, and what remembers it.
    PrunesTheNewest,
    /// The log does not see that it was forked.
    KnowsNoFork,
    /// Who reads the log recovers it.
    ReadersRecover,
    /// Who reads a damaged log takes the damage for its end.
    DamageIsTheEnd,
    /// What is before the damage is believed to the last record, also where what is damaged may have
    /// overruled it.
    PrefixIsBelieved,
}

/// The product, in a world that has this defect.
pub(crate) fn in_lying_world(lie: WorldLie) -> World {
    let open = |disk: &SimDisk| {
        let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())));
        Product::open(disk, Arc::new(store), Setup::PLAIN, Way::Whole)
    };
    let world = World::new(format!("{lie:?}"), Profile::STRICT, move |disk: SimDisk| open(&disk));
    match lie {
        WorldLie::NeverPrunes => world.way_on(move |disk: SimDisk| open(&disk), full::dead_end),
        WorldLie::PrunesTheNewest => world.way_on(
            move |disk: SimDisk| {
                let disk = disk.outside();
                let names = disk.list().unwrap_or_default();
                let newest = names.iter().rfind(|name| name.strip_suffix(".wal").is_some());
                for name in newest.into_iter().map(String::as_str).chain(["ANCHOR"]) {
                    disk.remove(name).ok();
                }
                open(&disk)
            },
            full::dead_end,
        ),
        WorldLie::KnowsNoFork => world.forks(|work| work()),
        WorldLie::ReadersRecover => world.beside(move |disk: SimDisk| match open(&disk) {
            Ok(log) => log.entries(Lsn::FIRST),
            Err(error) if error.kind() == ErrorKind::Locked => full::read(&disk),
            Err(error) => Err(error),
        }),
        WorldLie::DamageIsTheEnd => world.beside(|disk: SimDisk| {
            let reader = full::reader(&disk);
            let Some(survey) = reader.survey()? else { return Ok(Vec::new()) };
            full::read_chain(&reader, &survey.chain)
        }),
        WorldLie::PrefixIsBelieved => world.before_damage(|disk: SimDisk| {
            let reader = full::reader(&disk);
            let Some(mut chain) = reader.prefix()? else { return Ok(Vec::new()) };
            chain.until = Lsn::MAX;
            full::read_chain(&reader, &chain)
        }),
    }
}

/// Settings change at each opening, and a log knows the transform of this opening alone.
pub(crate) fn of_one_transform() -> World {
    paced("one-transform", Profile::STRICT, BesideSyncs::Comes, |store, tape| {
        let (store, setup) = settings(store, tape);
        (store, Setup { others: Vec::new, limit: None, ..setup })
    })
}

/// Every lock is had at once, and others try.
pub(crate) fn unlocked() -> World {
    on_lying_files(FileLie::LocksAreNotTaken).forks(in_child)
}

/// The file store as it landed once, with its preparing thread between any two file operations.
pub(crate) fn landed() -> World {
    World::new("landed", Profile::STRICT, |disk: SimDisk| {
        let pace = Pace::of(&disk, BesideSyncs::Comes);
        let files = pace.files(&disk);
        let rest = Arc::new(FileStore::over(Arc::clone(&files)));
        let store = Arc::new(LandedStore::new(files, rest, std::thread::yield_now));
        pace.drives(&store);
        Product::open(&disk, store, Setup::PLAIN, Way::Whole)
    })
}

impl Prepares for LandedStore {
    fn prepare_next(&self) -> io::Result<bool> {
        Self::prepare_next(self)
    }
}

/// The product on the real file store, and a lie around it.
pub(crate) fn lying(lie: Lie) -> World {
    World::new(format!("{lie:?}"), Profile::STRICT, move |disk: SimDisk| Lying::open(&disk, lie))
}

#[derive(Debug)]
struct LyingFiles {
    files: SimFiles,
    lie: FileLie,
}

#[derive(Debug)]
struct LyingFile {
    file: Arc<dyn OpenFile>,
    lie: FileLie,
}

impl LyingFiles {
    fn lying(&self, file: Arc<dyn OpenFile>) -> Arc<dyn OpenFile> {
        Arc::new(LyingFile { file, lie: self.lie })
    }
}

impl Files for LyingFiles {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        Ok(self.lying(self.files.create_new(name)?))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        Ok(self.lying(self.files.open(name, access)?))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }

    fn look(&self, name: &str) -> io::Result<FileInfo> {
        self.files.look(name)
    }

    fn open_dir(&self) -> io::Result<Arc<dyn OpenFile>> {
        Ok(self.lying(self.files.open_dir()?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn sync_dir(&self) -> io::Result<()> {
        if self.lie == FileLie::DirectorySyncDoesNothing { Ok(()) } else { self.files.sync_dir() }
    }

    fn random(&self) -> u64 {
        self.files.random()
    }
}

impl OpenFile for LyingFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn info(&self) -> io::Result<FileInfo> {
        self.file.info()
    }

    fn block_size(&self) -> io::Result<u64> {
        self.file.block_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write_at(offset, bytes) {
            Err(_) if self.lie == FileLie::WriteErrorsAreSwallowed => Ok(bytes.len()),
            written => written,
        }
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.file.allocate(offset, len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.lie {
            FileLie::SyncDoesNothing => Ok(()),
            FileLie::SyncIsTriedAgain => self.file.sync_data().or_else(|_| self.file.sync_data()),
            _ => self.file.sync_data(),
        }
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn try_lock(&self) -> io::Result<()> {
        if self.lie == FileLie::LocksAreNotTaken { Ok(()) } else { self.file.try_lock() }
    }

    fn forget(&self, offset: u64, len: u64) {
        self.file.forget(offset, len);
    }

    fn reads_on(&self) {
        self.file.reads_on();
    }

    fn as_file(&self) -> Option<&File> {
        self.file.as_file()
    }

    fn is_called(&self, name: &str) {
        self.file.is_called(name);
    }

    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }
}

#[derive(Debug)]
struct Lying {
    log: Box<Product>,
    lie: Lie,
    failed: AtomicBool,
    staged: AtomicU64,
    disk: SimDisk,
}

/// What [`Lie::StaysOpen`] leaves behind.
const OPEN: &str = "open";

/// What [`Lie::NeverForgives`] leaves behind.
const FAILED: &str = "failed";

impl Lying {
    fn open(disk: &SimDisk, lie: Lie) -> Result<Self> {
        // What a lie does to the disk is not checked; what the product does is.
        let disk = &disk.outside();
        let open = || {
            let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())));
            Product::open(disk, Arc::new(store), Setup::PLAIN, Way::Whole)
        };
        if lie == Lie::ReadsAgainAndAgain {
            reads_all(disk)?;
        }
        if lie == Lie::StaysOpen {
            let made = disk.create_new(OPEN).and_then(|_| disk.sync_dir());
            made.map_err(|cause| Error::io("another process has the log open", cause))?;
        }
        if lie == Lie::RefusesATornTail && torn(disk)? {
            return Err(Error::new(ErrorKind::Corrupt, "the log ends with half a record"));
        }
        let mut log = open();
        let mut tries = 0..8;
        while lie == Lie::DamageIsCut
            && tries.next().is_some()
            && let Err(error) = &log
            && error.kind() == ErrorKind::Corrupt
            && cut(disk, error).is_some()
        {
            log = open();
        }
        let log = Box::new(log?);
        let staged = AtomicU64::new(log.durable_lsn().get());
        Ok(Self { log, lie, failed: AtomicBool::new(false), staged, disk: disk.clone() })
    }

    fn stages(&self, lsn: Result<Lsn>) -> Result<Lsn> {
        let lsn = lsn?;
        self.staged.store(lsn.get(), Ordering::Relaxed);
        Ok(lsn)
    }
}

fn reads_all(disk: &SimDisk) -> Result<()> {
    let names = disk.list().unwrap_or_default();
    for name in names.iter().flat_map(|_| &names).flat_map(|_| &names) {
        let failed = |cause| Error::io("reading failed", cause);
        let file = disk.open(name).map_err(failed)?;
        let mut bytes = vec![0; usize::try_from(file.size().map_err(failed)?).unwrap_or(0)];
        file.read_all_at(0, &mut bytes).map_err(failed)?;
    }
    Ok(())
}

/// Whether a recovery would cut anything.
fn torn(disk: &SimDisk) -> Result<bool> {
    let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())));
    let survey = wal::parts::replay::survey(&store)?;
    let torn =
        |survey: wal::Survey| matches!(survey.tail.ending, wal::parts::replay::Ending::Torn { .. });
    Ok(survey.is_some_and(torn))
}

/// Cuts the segment that is damaged at the damage, and what is behind it off.
fn cut(disk: &SimDisk, error: &Error) -> Option<()> {
    let name = format!("{:020}.wal", error.at_segment()?.get());
    let file = disk.open(&name).ok()?;
    // Zeros, as if nothing had ever been written there: a file that is shorter is seen to be.
    let at = error.at_offset()?;
    let rest = file.size().ok()?.checked_sub(at)?;
    file.write_all_at(at, &vec![0; usize::try_from(rest).ok()?]).ok()?;
    file.sync_data().ok()?;
    // And what remembers how far the log came.
    disk.remove("ANCHOR").ok();
    for later in disk.list().ok()?.iter().filter(|other| **other > name && *other != "LOCK") {
        disk.remove(later).ok()?;
    }
    disk.sync_dir().ok()
}

impl LogUnderTest for Lying {
    fn append(&self, payload: &[u8]) -> Result<Lsn> {
        self.stages(self.log.append(payload))
    }

    fn append_batch(&self, payloads: &[Vec<u8>]) -> Result<Lsn> {
        if self.lie != Lie::BatchIsSplit {
            return self.stages(self.log.append_batch(payloads));
        }
        let mut last = Lsn::ZERO;
        for payload in payloads {
            last = self.append(payload)?;
        }
        Ok(last)
    }

    fn wait(&self, lsn: Lsn) -> Result<()> {
        match self.lie {
            Lie::FullForEver if self.failed.load(Ordering::Relaxed) => {
                Err(Error::new(ErrorKind::StorageFull, "the disk was full"))
            }
            Lie::NeverForgives if self.disk.open(FAILED).is_ok() => {
                Err(Error::new(ErrorKind::Io, "the log has failed, whenever that was"))
            }
            Lie::ForgetsTheFailure if self.failed.load(Ordering::Relaxed) => Ok(()),
            _ => self.log.wait(lsn).inspect_err(|error| {
                let full = error.kind() == ErrorKind::StorageFull;
                self.failed.fetch_or(full || self.lie != Lie::FullForEver, Ordering::Relaxed);
                if self.lie == Lie::NeverForgives && !full {
                    self.disk.create_new(FAILED).and_then(|_| self.disk.sync_dir()).ok();
                }
            }),
        }
    }

    fn sync(&self) -> Result<()> {
        self.wait(Lsn::new(self.staged.load(Ordering::Relaxed)))
    }

    fn durable_lsn(&self) -> Lsn {
        match self.lie {
            Lie::DurableIsStaged => Lsn::new(self.staged.load(Ordering::Relaxed)),
            _ => self.log.durable_lsn(),
        }
    }

    fn entries(&self, from: Lsn) -> Result<Vec<(Lsn, Vec<u8>)>> {
        let mut entries = self.log.entries(from)?;
        if self.lie == Lie::ReadsTheOneBefore {
            for at in (1..entries.len()).rev() {
                let (before, after) = entries.split_at_mut(at);
                after[0].1.clone_from(&before[at - 1].1);
            }
        }
        Ok(entries)
    }

    fn prune_before(&self, lsn: Lsn) -> Result<()> {
        self.log.prune_before(lsn)
    }

    fn truncate_after(&self, lsn: Lsn) -> Result<()> {
        self.log.truncate_after(lsn)?;
        self.staged.store(lsn.get(), Ordering::Relaxed);
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Self { log, lie, disk, .. } = *self;
        log.close()?;
        if lie == Lie::StaysOpen {
            let gone = disk.remove(OPEN).and_then(|()| disk.sync_dir());
            gone.map_err(|cause| Error::io("cannot let go of the log", cause))?;
        }
        Ok(())
    }
}
