//! [`Failing`]: real files behind a layer that fails as it is told.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex};

use wal::parts::segment::{Access, DIRECT_ALIGNMENT, FileInfo, Files, OpenFile, OsFiles};

/// A system call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Create,
    Open,
    List,
    Remove,
    Rename,
    SyncDir,
    Read,
    Write,
    Allocate,
    SetLen,
    Sync,
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
    /// There is no room for the second half of a write; half is written, and half is what comes back.
    Short,
    /// The file system does not know this: space taken ahead, or writes past the cache.
    Unknown,
}

impl Fault {
    fn concerns(self, call: Call) -> bool {
        match self {
            Self::Eio | Self::EioAfter => true,
            Self::EioHalfway | Self::Short => call == Call::Write,
            Self::Full => matches!(
                call,
                Call::Create | Call::Write | Call::Allocate | Call::Sync | Call::SyncDir
            ),
            Self::Unknown => call == Call::Allocate,
        }
    }

    fn error(self) -> io::Error {
        match self {
            Self::Eio | Self::EioAfter | Self::EioHalfway | Self::Short => {
                io::Error::from_raw_os_error(5)
            }
            Self::Full => io::Error::from_raw_os_error(28),
            Self::Unknown => io::ErrorKind::Unsupported.into(),
        }
    }
}

/// Which calls go wrong, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Once(usize),
    From(usize),
}

/// Files of a directory. A sync does nothing, unless it is to fail: no power is cut here. Direct
/// access goes through the cache, and must be aligned all the same.
#[derive(Debug)]
pub(crate) struct Failing {
    files: OsFiles,
    plan: Arc<Plan>,
}

/// What goes wrong, and what was called so far.
#[derive(Debug)]
pub(crate) struct Plan {
    fault: Fault,
    when: When,
    calls: Mutex<Vec<(Call, bool)>>,
}

impl Failing {
    pub(crate) fn new(files: OsFiles, fault: Fault, when: When) -> (Arc<Self>, Arc<Plan>) {
        let plan = Arc::new(Plan { fault, when, calls: Mutex::default() });
        (Arc::new(Self { files, plan: Arc::clone(&plan) }), plan)
    }

    fn wrap(&self, file: Arc<dyn OpenFile>, access: Access) -> Arc<dyn OpenFile> {
        Arc::new(FailingFile { file, access, plan: Arc::clone(&self.plan) })
    }
}

impl Plan {
    /// The calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// Those that went wrong.
    pub(crate) fn hit(&self) -> Vec<Call> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(_, hit)| *hit).map(|(call, _)| *call).collect()
    }

    /// The fault for this call, if it is to meet one.
    fn next(&self, call: Call) -> Option<Fault> {
        let mut calls = self.calls.lock().unwrap();
        let number = calls.len() + 1;
        let now = match self.when {
            When::Once(nth) => nth == number,
            When::From(nth) => nth <= number,
        };
        let hit = now && self.fault.concerns(call);
        calls.push((call, hit));
        hit.then_some(self.fault)
    }

    fn run<T>(&self, call: Call, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.next(call) {
            None => run(),
            Some(Fault::EioAfter) => {
                // Whatever it did or found.
                run().ok();
                Err(Fault::EioAfter.error())
            }
            Some(fault) => Err(fault.error()),
        }
    }
}

impl Files for Failing {
    fn create_new(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        let file = self.plan.run(Call::Create, || self.files.create_new(name))?;
        Ok(self.wrap(file, Access::Write))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn OpenFile>> {
        if access.passes_cache() && self.plan.fault == Fault::Unknown {
            return Err(self.plan.fault.error());
        }
        let cached = if access == Access::WriteDirect { Access::Write } else { access };
        let file = self.plan.run(Call::Open, || self.files.open(name, cached))?;
        Ok(self.wrap(file, access))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.plan.run(Call::List, || self.files.list())
    }

    fn look(&self, name: &str) -> io::Result<FileInfo> {
        self.files.look(name)
    }

    fn open_dir(&self) -> io::Result<Arc<dyn OpenFile>> {
        self.files.open_dir()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.plan.run(Call::Remove, || self.files.remove(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.plan.run(Call::Rename, || self.files.rename(from, to))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.plan.run(Call::SyncDir, || Ok(()))
    }

    fn random(&self) -> u64 {
        self.files.random()
    }
}

#[derive(Debug)]
struct FailingFile {
    file: Arc<dyn OpenFile>,
    access: Access,
    plan: Arc<Plan>,
}

impl OpenFile for FailingFile {
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
        self.plan.run(Call::Read, || self.file.read_at(offset, buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let address = bytes.as_ptr() as usize;
        let aligned = offset.is_multiple_of(DIRECT_ALIGNMENT as u64)
            && (address | bytes.len()).is_multiple_of(DIRECT_ALIGNMENT);
        assert!(!self.access.passes_cache() || aligned, "direct access that is not aligned");
        let half = if self.access.passes_cache() {
            (bytes.len() / 2).next_multiple_of(DIRECT_ALIGNMENT)
        } else {
            bytes.len().div_ceil(2)
        };
        let half = &bytes[..half];
        match self.plan.next(Call::Write) {
            None => self.file.write_at(offset, bytes),
            Some(Fault::Short) => self.file.write_at(offset, half),
            Some(fault) => {
                match fault {
                    Fault::EioHalfway => self.file.write_at(offset, half).ok(),
                    Fault::EioAfter => self.file.write_at(offset, bytes).ok(),
                    _ => None,
                };
                Err(fault.error())
            }
        }
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.plan.run(Call::Allocate, || self.file.allocate(offset, len))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.plan.run(Call::SetLen, || self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.plan.run(Call::Sync, || Ok(()))
    }

    fn sync_all(&self) -> io::Result<()> {
        self.plan.run(Call::Sync, || Ok(()))
    }

    fn try_lock(&self) -> io::Result<()> {
        self.file.try_lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
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
}
