//! [`Disk`]: real files behind a layer that fails when told to and keeps a list of the calls.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use wal_segment::{Access, FileInfo, Files, OpenFile, OsFiles};

/// A system call of the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    CreateNew,
    Open,
    List,
    Look,
    OpenDir,
    Remove,
    Rename,
    SyncDir,
    Size,
    Info,
    BlockSize,
    ReadAt,
    WriteAt,
    Allocate,
    SetLen,
    SyncData,
    SyncAll,
    TryLock,
}

impl Call {
    pub(crate) fn is_sync(self) -> bool {
        matches!(self, Self::SyncDir | Self::SyncData | Self::SyncAll)
    }

    fn takes_space(self) -> bool {
        self.is_sync() || matches!(self, Self::CreateNew | Self::WriteAt | Self::Allocate)
    }

    /// Whether POSIX lets a signal break it off in the middle of ordinary work, and whether calling
    /// again is right.
    pub(crate) fn is_repeatable(self) -> bool {
        matches!(self, Self::ReadAt | Self::WriteAt | Self::Allocate | Self::SetLen)
    }
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is done, and `EIO` comes back.
    Eio,
    /// It is done, and `EIO` comes back.
    EioAfter,
    /// Half the bytes of a write are written, and `EIO` comes back.
    EioHalfway,
    /// There is no room: for calls that take some.
    Full,
    /// The user has no room: for calls that take some.
    Quota,
    /// A signal came first.
    Interrupted,
    /// One byte is read or written.
    Short,
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::Eio | Self::EioAfter | Self::EioHalfway => io::Error::from_raw_os_error(5),
            Self::Full => io::ErrorKind::StorageFull.into(),
            Self::Quota => io::ErrorKind::QuotaExceeded.into(),
            Self::Interrupted => io::ErrorKind::Interrupted.into(),
            Self::Short => unreachable!("a short count is no error"),
        }
    }

    fn concerns(self, call: Call) -> bool {
        match self {
            Self::Eio | Self::EioAfter => true,
            Self::EioHalfway => call == Call::WriteAt,
            Self::Full | Self::Quota => call.takes_space(),
            Self::Interrupted => call.is_repeatable() || call.is_sync(),
            Self::Short => matches!(call, Call::ReadAt | Call::WriteAt),
        }
    }
}

/// Which calls go wrong, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Once(usize),
    From(usize),
}

/// What a file system cannot do, or does in its own way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Kind {
    #[default]
    Usual,
    NoAllocate,
    Blocks(u64),
}

/// Files of a temporary directory. Syncs are counted and fail as planned, and do nothing else: no
/// power is cut here.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) dir: TempDir,
    files: OsFiles,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    kind: Kind,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    plan: Option<(Fault, When)>,
    calls: Vec<(Call, Outcome)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    AsAsked,
    Hit(Fault),
}

impl Disk {
    pub(crate) fn new(kind: Kind) -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        let files = OsFiles::open(dir.path()).unwrap();
        Arc::new(Self { dir, files, shared: Arc::new(Shared { kind, ..Shared::default() }) })
    }

    /// From here on the calls are counted anew, and go wrong like this.
    pub(crate) fn plan(&self, fault: Fault, when: When) {
        let mut state = self.shared.state.lock().unwrap();
        *state = State { plan: Some((fault, when)), calls: Vec::new() };
    }

    /// Ends the plan and gives the calls since the last time.
    pub(crate) fn take_calls(&self) -> Vec<(Call, Outcome)> {
        let mut state = self.shared.state.lock().unwrap();
        state.plan = None;
        std::mem::take(&mut state.calls)
    }

    fn wrap(&self, file: Arc<dyn OpenFile>) -> Arc<dyn OpenFile> {
        Arc::new(DiskFile { file, shared: Arc::clone(&self.shared) })
    }
}

impl Shared {
    fn run<T>(&self, call: Call, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.transfer(call, run, || Err(io::ErrorKind::InvalidInput.into()), 0)
    }

    /// `half` runs where a fault leaves `len` bytes half done.
    fn transfer<T>(
        &self,
        call: Call,
        run: impl FnOnce() -> io::Result<T>,
        half: impl FnOnce() -> io::Result<T>,
        len: usize,
    ) -> io::Result<T> {
        match self.next(call) {
            Outcome::Hit(Fault::Short) if len > 1 => half(),
            Outcome::AsAsked | Outcome::Hit(Fault::Short) => run(),
            Outcome::Hit(Fault::EioHalfway) => {
                half()?;
                Err(Fault::Eio.error())
            }
            Outcome::Hit(Fault::EioAfter) => {
                // Whatever it did or found.
                run().ok();
                Err(Fault::Eio.error())
            }
            Outcome::Hit(fault) => Err(fault.error()),
        }
    }

    fn next(&self, call: Call) -> Outcome {
        let mut state = self.state.lock().unwrap();
        let number = state.calls.len() + 1;
        let outcome = match state.plan {
            Some((fault, When::Once(n))) if n == number && fault.concerns(call) => {
                Outcome::Hit(fault)
            }
            Some((fault, When::From(n))) if n <= number && fault.concerns(call) => {
                Outcome::Hit(fault)
            }
            _ => Outcome::AsAsked,
        };
        state.calls.push((call, outcome));
        outcome
    }
}

impl Files for Disk {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        let file = self.shared.run(Call::CreateNew, || self.files.create_new(name))?;
        Ok(self.wrap(file))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        let file = self.shared.run(Call::Open, || self.files.open(name, access))?;
        Ok(self.wrap(file))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.shared.run(Call::List, || self.files.list())
    }

    fn look(&self, name: &str) -> io::Result<FileInfo> {
        self.shared.run(Call::Look, || self.files.look(name))
    }

    fn open_dir(&self) -> io::Result<Arc<dyn OpenFile>> {
        Ok(self.wrap(self.shared.run(Call::OpenDir, || self.files.open_dir())?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.shared.run(Call::Remove, || self.files.remove(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.shared.run(Call::Rename, || self.files.rename(from, to))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.shared.run(Call::SyncDir, || Ok(()))
    }

    fn random(&self) -> u64 {
        self.files.random()
    }
}

#[derive(Debug)]
struct DiskFile {
    file: Arc<dyn OpenFile>,
    shared: Arc<Shared>,
}

impl OpenFile for DiskFile {
    fn size(&self) -> io::Result<u64> {
        self.shared.run(Call::Size, || self.file.size())
    }

    fn info(&self) -> io::Result<FileInfo> {
        self.shared.run(Call::Info, || self.file.info())
    }

    fn block_size(&self) -> io::Result<u64> {
        self.shared.run(Call::BlockSize, || match self.shared.kind {
            Kind::Blocks(bytes) => Ok(bytes),
            Kind::Usual | Kind::NoAllocate => self.file.block_size(),
        })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        // Only one of the two runs; each needs the buffer.
        let (len, buffer) = (buffer.len(), Mutex::new(buffer));
        let read = |len| self.file.read_at(offset, &mut buffer.lock().unwrap()[..len]);
        self.shared.transfer(Call::ReadAt, || read(len), || read(1), len)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len();
        let write = |len| self.file.write_at(offset, &bytes[..len]);
        let half = match self.shared.state.lock().unwrap().plan {
            Some((Fault::Short, _)) => 1,
            _ => len / 2,
        };
        self.shared.transfer(Call::WriteAt, || write(len), || write(half), len)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.shared.run(Call::Allocate, || match self.shared.kind {
            Kind::NoAllocate => Err(io::ErrorKind::Unsupported.into()),
            Kind::Usual | Kind::Blocks(_) => self.file.allocate(offset, len),
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.shared.run(Call::SetLen, || self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.shared.run(Call::SyncData, || Ok(()))
    }

    fn sync_all(&self) -> io::Result<()> {
        self.shared.run(Call::SyncAll, || Ok(()))
    }

    fn try_lock(&self) -> io::Result<()> {
        self.shared.run(Call::TryLock, || self.file.try_lock())
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
