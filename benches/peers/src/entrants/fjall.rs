//! fjall: a key-value store on LSM trees; a record is an insert into its journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::{Acknowledges, Appended, Entrant, Opening, Side, Subject};

pub(super) const FJALL: Entrant = Entrant {
    name: "fjall",
    side: Side::Peer,
    acknowledges: Acknowledges::Durable,
    settings: "3.1.13, a store and not a log; `manual_journal_persist`; an insert and \
               `persist(SyncData)` each; `pipelined`: inserts, one persist at the end",
    open: |opening| Ok(Arc::new(Fjall::open(opening)?)),
};

struct Fjall {
    database: Database,
    keyspace: Keyspace,
    next: AtomicU64,
}

impl Fjall {
    fn open(opening: &Opening) -> Result<Self> {
        let database = Database::builder(&opening.dir).manual_journal_persist(true).open()?;
        let options = || KeyspaceCreateOptions::default().manual_journal_persist(true);
        let keyspace = database.keyspace("log", options)?;
        let last = keyspace.iter().next_back().map(fjall::Guard::key).transpose()?;
        let last = last.and_then(|key| key.as_ref().try_into().ok()).map(u64::from_be_bytes);
        let next = AtomicU64::new(last.map_or(0, |last| last + 1));
        Ok(Self { database, keyspace, next })
    }

    fn insert(&self, record: &[u8]) -> Result<()> {
        let key = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Ok(self.keyspace.insert(key, record)?)
    }
}

impl Subject for Fjall {
    fn append_durable(&self, record: &[u8]) -> Result<()> {
        self.insert(record)?;
        Ok(self.database.persist(PersistMode::SyncData)?)
    }

    fn append_awaited(&self, _record: &[u8]) -> Option<Appended> {
        None
    }

    fn pipelined(&self, record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()> {
        while more() {
            self.insert(record)?;
        }
        Ok(self.database.persist(PersistMode::SyncData)?)
    }

    fn read(&self, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        for guard in self.keyspace.iter() {
            each(&guard.value()?);
        }
        Ok(())
    }

    fn syncs(&self) -> Option<u64> {
        None
    }
}
