//! [`LandedStore`]: the race that lost acknowledged records in a store of files, kept alive.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wal_core::{
    Access, Files, Guarantees, OpenFile, SegmentId, SegmentReader, SegmentSpace, SegmentStore,
    SegmentSyncer, SegmentWriter, StoreLock, Unwritten,
};

/// Makes segments as the file store once did, and leaves everything else to an honest store over the
/// same files.
///
/// Until its first sync a segment's file is called `N.new`; then it is synced and renamed to `N.wal`.
/// A writer that has passed the half of its segment wants the next one prepared, and so does one that
/// only then writes its seal: *after* the next segment was made. The preparing thread finds the name
/// `N.new` taken, takes the file for the remains of a dead process, removes it and makes another.
/// The writer syncs a file without a name and renames the empty one: what it acknowledges is in no
/// file that anybody can open.
///
/// There is no thread in here. A test calls [`prepare_next`](Self::prepare_next) from one of its own,
/// or between two file operations.
pub struct LandedStore {
    files: Arc<dyn Files>,
    rest: Arc<dyn SegmentStore>,
    state: Arc<Mutex<State>>,
    pause: fn(),
}

#[derive(Debug, Default)]
struct State {
    wanted: Option<SegmentId>,
    ready: Option<(SegmentId, u64)>,
    size: u64,
    preparing: bool,
}

impl LandedStore {
    /// Makes segments in these files, which are those of the honest store `rest`. A create that finds
    /// the next segment being prepared by another thread waits by calling `pause` until it is.
    pub fn new(files: Arc<dyn Files>, rest: Arc<dyn SegmentStore>, pause: fn()) -> Self {
        Self { files, rest, state: Arc::default(), pause }
    }

    /// Prepares the next segment where one is wanted; says whether one was.
    pub fn prepare_next(&self) -> io::Result<bool> {
        let mut state = lock(&self.state);
        let (Some(id), false) = (state.wanted.take(), state.preparing) else { return Ok(false) };
        let size = state.size;
        state.preparing = true;
        drop(state);
        let prepared = self.prepare(id, size);
        let mut state = lock(&self.state);
        state.preparing = false;
        if prepared.is_ok() {
            state.ready = Some((id, size));
        }
        prepared.map(|()| true)
    }

    fn prepare(&self, id: SegmentId, size: u64) -> io::Result<()> {
        let file = self.made(&unfinished(id))?;
        file.allocate(0, size)?;
        file.sync_all()
    }

    fn made(&self, name: &str) -> io::Result<Arc<dyn OpenFile>> {
        match self.files.create_new(name) {
            // "Left by a process that died": this is the defect.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.files.remove(name)?;
                self.files.create_new(name)
            }
            made => made,
        }
    }
}

impl SegmentStore for LandedStore {
    fn guarantees(&self) -> Guarantees {
        self.rest.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.rest.lock()
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        self.rest.list()
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        if self.files.look(&named(id)).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let ready = loop {
            let mut state = lock(&self.state);
            if !state.preparing {
                (state.size, state.wanted) = (size, None);
                break state.ready.take();
            }
            drop(state);
            (self.pause)();
        };
        match ready {
            Some((ready, space)) if space >= size => {
                if ready != id {
                    self.files.rename(&unfinished(ready), &unfinished(id))?;
                }
            }
            Some((ready, _)) => {
                self.files.remove(&unfinished(ready))?;
                self.prepare(id, size)?;
            }
            None => self.prepare(id, size)?,
        }
        let (files, state) = (Arc::clone(&self.files), Arc::clone(&self.state));
        let file = files.open(&unfinished(id), Access::Write)?;
        let syncer = Syncer { id, files, file, named: AtomicBool::new(false) };
        Ok(Box::new(Writer { syncer: Arc::new(syncer), state, size, end: 0, asked: false }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.rest.open(id)
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.rest.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.rest.remove(ids)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.rest.read_anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.rest.write_anchor(bytes)
    }
}

impl fmt::Debug for LandedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LandedStore").field("rest", &self.rest).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Writer {
    syncer: Arc<Syncer>,
    state: Arc<Mutex<State>>,
    size: u64,
    end: u64,
    asked: bool,
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (mut offset, mut rest) = (self.end, bytes);
        while !rest.is_empty() {
            match self.syncer.file.write_at(offset, rest) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                written => {
                    let written = written?;
                    (offset, rest) = (offset + written as u64, &rest[written..]);
                }
            }
        }
        self.end = offset;
        if self.end > self.size / 2 && !self.asked {
            self.asked = true;
            let mut state = lock(&self.state);
            if state.ready.is_none() && !state.preparing {
                // Whether that one has been made already is not asked: the other half of the defect.
                state.wanted = Some(self.syncer.id.next());
            }
        }
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn space(&self) -> SegmentSpace {
        SegmentSpace { durable_len: self.size, unwritten: Unwritten::Zeros }
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        Arc::clone(&self.syncer) as _
    }
}

#[derive(Debug)]
struct Syncer {
    id: SegmentId,
    files: Arc<dyn Files>,
    file: Arc<dyn OpenFile>,
    named: AtomicBool,
}

impl SegmentSyncer for Syncer {
    fn sync(&self) -> io::Result<()> {
        if self.named.load(Ordering::Acquire) {
            return self.file.sync_data();
        }
        self.file.sync_all()?;
        self.files.rename(&unfinished(self.id), &named(self.id))?;
        self.files.sync_dir()?;
        self.named.store(true, Ordering::Release);
        Ok(())
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        if !self.named.load(Ordering::Acquire) {
            self.files.remove(&unfinished(self.id)).ok();
        }
    }
}

fn named(id: SegmentId) -> String {
    format!("{:020}.wal", id.get())
}

fn unfinished(id: SegmentId) -> String {
    format!("{:020}.new", id.get())
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
