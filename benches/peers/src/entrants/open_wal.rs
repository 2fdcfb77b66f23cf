//! open-wal: one writer, who commits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use open_wal::{DurabilityObserver, Lsn, Wal, WalConfig};

use crate::{Acknowledges, Appended, Entrant, Opening, Side, Subject};

pub(super) const OPEN_WAL: Entrant = Entrant {
    name: "open-wal",
    side: Side::Peer,
    acknowledges: Acknowledges::Durable,
    settings: "0.2.1, defaults; has one writer by design: several threads share it behind a mutex, \
               which no user would do for speed; `pipelined`: `append`, `commit` at the end; syncs \
               counted by its `DurabilityObserver`",
    open: |opening| Ok(Arc::new(OpenWal::open(opening)?)),
};

struct OpenWal {
    wal: Mutex<Wal<Count>>,
    syncs: Arc<AtomicU64>,
}

/// Told after every sync.
struct Count(Arc<AtomicU64>);

impl DurabilityObserver for Count {
    fn on_durable(&mut self, _durable_lsn: Lsn) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl OpenWal {
    fn open(opening: &Opening) -> Result<Self> {
        std::fs::create_dir_all(&opening.dir)?;
        let syncs = Arc::<AtomicU64>::default();
        let observer = Count(Arc::clone(&syncs));
        let (wal, _) = Wal::open_with(&opening.dir, WalConfig::default(), observer)?;
        Ok(Self { wal: Mutex::new(wal), syncs })
    }

    fn lock(&self) -> MutexGuard<'_, Wal<Count>> {
        self.wal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject for OpenWal {
    fn append_durable(&self, record: &[u8]) -> Result<()> {
        let mut wal = self.lock();
        wal.append(record)?;
        wal.commit()?;
        Ok(())
    }

    fn append_awaited(&self, _record: &[u8]) -> Option<Appended> {
        None
    }

    fn pipelined(&self, record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()> {
        let mut wal = self.lock();
        while more() {
            wal.append(record)?;
        }
        wal.commit()?;
        Ok(())
    }

    fn read(&self, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let wal = self.lock();
        let mut reader = wal.reader_from(Lsn(1))?;
        while let Some(record) = reader.next() {
            each(record?.1);
        }
        Ok(())
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.syncs.load(Ordering::Relaxed))
    }
}
