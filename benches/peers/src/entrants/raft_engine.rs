//! raft-engine: a store for the logs of many Raft groups; a record is a put to one group.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, anyhow};
use raft_engine::env::{DefaultFileSystem, FileSystem, Handle, Permission};
use raft_engine::{Config, Engine, LogBatch, RecoveryMode};

use crate::{Acknowledges, Appended, Entrant, Opening, Side, Subject};

pub(super) const DEFAULT: Entrant = Entrant {
    name: "raft-engine",
    side: Side::Peer,
    acknowledges: Acknowledges::Durable,
    settings: "0.4.2, defaults; a put of one key each, `write(batch, sync)`; keeps every value in \
               memory too; `pipelined`: writes without sync, and the last one with (its `sync` does \
               nothing); syncs counted in its `FileSystem`",
    open: |opening| open(opening, RecoveryMode::TolerateTailCorruption),
};

pub(super) const ABSOLUTE: Entrant = Entrant {
    name: "raft-engine (AbsoluteConsistency)",
    open: |opening| open(opening, RecoveryMode::AbsoluteConsistency),
    ..DEFAULT
};

const GROUP: u64 = 1;

struct Subjected {
    engine: Engine<CountingFiles>,
    next: AtomicU64,
    syncs: Arc<AtomicU64>,
}

fn open(opening: &Opening, recovery_mode: RecoveryMode) -> Result<Arc<dyn Subject>> {
    let dir = opening.dir.to_str().ok_or_else(|| anyhow!("the path is not UTF-8"))?;
    let config = Config { dir: dir.into(), recovery_mode, ..Config::default() };
    let syncs = Arc::<AtomicU64>::default();
    let files = CountingFiles { files: DefaultFileSystem, syncs: Arc::clone(&syncs) };
    let engine = Engine::open_with_file_system(config, Arc::new(files))?;
    let mut next = 0;
    engine.scan_raw_messages(GROUP, None, None, false, |key, _| {
        next = key.try_into().map_or(next, |key| u64::from_be_bytes(key) + 1);
        true
    })?;
    Ok(Arc::new(Subjected { engine, next: AtomicU64::new(next), syncs }))
}

impl Subjected {
    fn write(&self, record: &[u8], sync: bool) -> Result<()> {
        let key = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut batch = LogBatch::with_capacity(1);
        batch.put(GROUP, key.to_vec(), record.to_vec())?;
        self.engine.write(&mut batch, sync)?;
        Ok(())
    }
}

impl Subject for Subjected {
    fn append_durable(&self, record: &[u8]) -> Result<()> {
        self.write(record, true)
    }

    fn append_awaited(&self, _record: &[u8]) -> Option<Appended> {
        None
    }

    fn pipelined(&self, record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()> {
        let mut one_to_write = more();
        while one_to_write {
            one_to_write = more();
            // `Engine::sync` writes an empty batch, and a write of that returns before the sync.
            self.write(record, !one_to_write)?;
        }
        Ok(())
    }

    fn read(&self, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let each = |_: &[u8], value: &[u8]| {
            each(value);
            true
        };
        Ok(self.engine.scan_raw_messages(GROUP, None, None, false, each)?)
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.syncs.load(Ordering::Relaxed))
    }
}

/// The engine's own files, with a counter at its seam.
struct CountingFiles {
    files: DefaultFileSystem,
    syncs: Arc<AtomicU64>,
}

type Inner = <DefaultFileSystem as FileSystem>::Handle;

struct CountingHandle {
    file: Arc<Inner>,
    syncs: Arc<AtomicU64>,
}

impl CountingFiles {
    fn counting(&self, file: Inner) -> CountingHandle {
        CountingHandle { file: Arc::new(file), syncs: Arc::clone(&self.syncs) }
    }
}

impl FileSystem for CountingFiles {
    type Handle = CountingHandle;
    type Reader = <DefaultFileSystem as FileSystem>::Reader;
    type Writer = <DefaultFileSystem as FileSystem>::Writer;

    fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<CountingHandle> {
        self.files.create(path).map(|file| self.counting(file))
    }

    fn open<P: AsRef<Path>>(&self, path: P, permission: Permission) -> io::Result<CountingHandle> {
        self.files.open(path, permission).map(|file| self.counting(file))
    }

    fn delete<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.files.delete(path)
    }

    fn rename<P: AsRef<Path>>(&self, from: P, to: P) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn new_reader(&self, handle: Arc<CountingHandle>) -> io::Result<Self::Reader> {
        self.files.new_reader(Arc::clone(&handle.file))
    }

    fn new_writer(&self, handle: Arc<CountingHandle>) -> io::Result<Self::Writer> {
        self.files.new_writer(Arc::clone(&handle.file))
    }
}

impl Handle for CountingHandle {
    fn truncate(&self, offset: usize) -> io::Result<()> {
        self.file.truncate(offset)
    }

    fn file_size(&self) -> io::Result<usize> {
        self.file.file_size()
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.sync()
    }
}
