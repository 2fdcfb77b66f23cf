//! [`DrivenLog`]: a log small enough to see through, for a strategy to drive.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use wal_core::{Error, ErrorKind, Flush, Lsn, Result, Watermark};

use crate::{CutChoice, Profile, SimDisk, SimFile};

/// Bytes of a record: its LSN.
const RECORD: u64 = 8;

/// One file of records on a simulated disk. Fails as the assembled log does: a full disk is told to
/// who waits, all else ends the log.
#[derive(Debug)]
pub(super) struct DrivenLog {
    disk: SimDisk,
    file: SimFile,
    staged: Mutex<u64>,
    writing: Mutex<()>,
    syncing: Mutex<()>,
    pub(super) written: Arc<Watermark>,
    pub(super) durable: Arc<Watermark>,
    failed: OnceLock<Error>,
    gate: Gate,
    calls: Mutex<Calls>,
}

/// What a strategy has asked of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) writes: u64,
    pub(super) syncs: u64,
}

impl DrivenLog {
    pub(super) fn new() -> Result<Self> {
        let disk = SimDisk::new(Profile::STRICT);
        let made = disk.create_new("log").and_then(|file| disk.sync_dir().map(|()| file));
        Ok(Self {
            file: made.map_err(|error| Error::io("no file for the log", error))?,
            disk,
            staged: Mutex::default(),
            writing: Mutex::default(),
            syncing: Mutex::default(),
            written: Arc::new(Watermark::new(Lsn::ZERO)),
            durable: Arc::new(Watermark::new(Lsn::ZERO)),
            failed: OnceLock::new(),
            gate: Gate::default(),
            calls: Mutex::default(),
        })
    }

    pub(super) fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Syncs wait behind it while it is closed.
    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The calls that the strategy has made so far, also those that are not over.
    pub(super) fn calls(&self) -> Calls {
        *lock(&self.calls)
    }

    /// Stages so many records, and gives the LSN of the last.
    pub(super) fn stage(&self, records: u64) -> Lsn {
        let mut staged = lock(&self.staged);
        *staged += records;
        Lsn::new(*staged)
    }

    /// The last record, from the first on without a gap, that the worst power cut leaves.
    pub(super) fn after_power_cut(&self) -> Lsn {
        last_record(&self.disk.power_cut(CutChoice::Nothing))
    }

    /// The last record, from the first on without a gap, that the death of the process leaves.
    pub(super) fn after_kill(&self) -> Lsn {
        last_record(&self.disk.kill())
    }

    fn poisoned(&self) -> Result<()> {
        self.failed.get().map_or(Ok(()), |first| {
            Err(Error::new(ErrorKind::Poisoned, "the log failed before").because(first.clone()))
        })
    }

    fn fail(&self, error: Error) -> Error {
        let first = self.failed.get_or_init(|| error.clone()).clone();
        self.written.fail(first.clone());
        self.durable.fail(first);
        error
    }
}

impl Flush for DrivenLog {
    fn staged(&self) -> Lsn {
        Lsn::new(*lock(&self.staged))
    }

    fn written(&self) -> Lsn {
        self.written.get()
    }

    fn durable(&self) -> Lsn {
        self.durable.get()
    }

    fn write(&self) -> Result<()> {
        lock(&self.calls).writes += 1;
        self.poisoned()?;
        let _writing = lock(&self.writing);
        let (from, to) = (self.written.get().get(), self.staged().get());
        let bytes: Vec<u8> = (from + 1..=to).flat_map(u64::to_le_bytes).collect();
        match self.file.write_all_at(from * RECORD, &bytes) {
            Ok(()) => self.written.publish(Lsn::new(to)),
            Err(error) => {
                let error = Error::io("the log could not be written", error);
                if error.kind() != ErrorKind::StorageFull {
                    return Err(self.fail(error));
                }
                self.written.reject(error.clone());
                self.durable.reject(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.sync_then(&mut || ())
    }

    fn sync_then(&self, moved: &mut dyn FnMut()) -> Result<()> {
        lock(&self.calls).syncs += 1;
        self.poisoned()?;
        let _syncing = lock(&self.syncing);
        self.gate.pass();
        self.poisoned()?;
        let covered = self.written.get();
        if let Err(error) = self.file.sync_data() {
            return Err(self.fail(Error::new(ErrorKind::Io, "the sync failed").because(error)));
        }
        let woken = self.durable.advance(covered);
        moved();
        drop(woken);
        Ok(())
    }

    fn abandon(&self, why: Error) {
        self.fail(why);
    }
}

fn last_record(disk: &SimDisk) -> Lsn {
    let Ok(file) = disk.open("log") else { return Lsn::ZERO };
    let mut record = [0; 8];
    let whole = |lsn: &u64| {
        let read = file.read_at((lsn - 1) * RECORD, &mut record);
        read.is_ok_and(|count| count == record.len()) && u64::from_le_bytes(record) == *lsn
    };
    (1..u64::MAX).take_while(whole).last().map_or(Lsn::ZERO, Lsn::new)
}

/// Lets syncs pass, or not.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<Door>,
    moved: Condvar,
    /// The thread that came last, if it waits.
    waits: Mutex<Option<ThreadId>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Door {
    #[default]
    Open,
    Closed,
}

impl Gate {
    pub(super) fn close(&self) {
        *lock(&self.state) = Door::Closed;
    }

    pub(super) fn open(&self) {
        *lock(&self.state) = Door::Open;
        self.moved.notify_all();
    }

    /// A thread that waits behind the closed gate, if there is one.
    pub(super) fn waits(&self) -> Option<ThreadId> {
        *lock(&self.waits)
    }

    fn pass(&self) {
        let state = lock(&self.state);
        let closed = |door: &mut Door| *door == Door::Closed;
        *lock(&self.waits) = (*state == Door::Closed).then(|| thread::current().id());
        drop(self.moved.wait_while(state, closed).unwrap_or_else(PoisonError::into_inner));
    }
}

/// No lock here is held while code of others runs.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
