//! wal-db: a log of many writers in one file.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use wal_db::{FileStore, OpenPolicy, Wal, WalConfig, WalStore};

use crate::{Acknowledges, Appended, Entrant, Opening, Side, Subject};

pub(super) const DEFAULT: Entrant = Entrant {
    name: "wal-db",
    side: Side::Peer,
    acknowledges: Acknowledges::Durable,
    settings: "1.1.0, defaults; one file; `append_and_sync`; `pipelined`: `append`, which is a pwrite \
               each, and `sync` at the end; syncs counted in its `WalStore`",
    open: |opening| open(opening, OpenPolicy::TruncateTail),
};

pub(super) const STRICT: Entrant = Entrant {
    name: "wal-db (Strict)",
    open: |opening| open(opening, OpenPolicy::Strict),
    ..DEFAULT
};

struct WalDb {
    wal: Wal<CountingStore>,
    syncs: Arc<AtomicU64>,
}

fn open(opening: &Opening, policy: OpenPolicy) -> Result<Arc<dyn Subject>> {
    fs::create_dir_all(&opening.dir)?;
    let syncs = Arc::<AtomicU64>::default();
    let store = FileStore::open(opening.dir.join("log.wal"))?;
    let store = CountingStore { store, syncs: Arc::clone(&syncs) };
    let config = WalConfig::new().with_open_policy(policy);
    let wal = Wal::with_store_and_config(store, config)?;
    Ok(Arc::new(WalDb { wal, syncs }))
}

impl Subject for WalDb {
    fn append_durable(&self, record: &[u8]) -> Result<()> {
        self.wal.append_and_sync(record).map(drop)?;
        Ok(())
    }

    fn append_awaited(&self, _record: &[u8]) -> Option<Appended> {
        None
    }

    fn pipelined(&self, record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()> {
        while more() {
            self.wal.append(record).map(drop)?;
        }
        Ok(self.wal.sync()?)
    }

    fn read(&self, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        for record in self.wal.iter()? {
            each(record?.data());
        }
        Ok(())
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.syncs.load(Ordering::Relaxed))
    }
}

/// The log's own file, with a counter at its seam.
struct CountingStore {
    store: FileStore,
    syncs: Arc<AtomicU64>,
}

impl WalStore for CountingStore {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> wal_db::Result<()> {
        self.store.write_at(offset, bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> wal_db::Result<usize> {
        self.store.read_at(offset, buffer)
    }

    fn truncate(&self, len: u64) -> wal_db::Result<()> {
        self.store.truncate(len)
    }

    fn sync(&self) -> wal_db::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.store.sync()
    }

    fn len(&self) -> wal_db::Result<u64> {
        self.store.len()
    }
}
