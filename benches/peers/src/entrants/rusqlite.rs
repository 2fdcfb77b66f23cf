//! `SQLite` in WAL mode; a record is a row.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use rusqlite::Connection;

use crate::{Acknowledges, Appended, Entrant, Opening, Side, Subject};

pub(super) const SQLITE: Entrant = Entrant {
    name: "rusqlite",
    side: Side::Peer,
    acknowledges: Acknowledges::Durable,
    settings: "0.41.1 with its bundled SQLite, a database and not a log; journal_mode=WAL, \
               synchronous=FULL, locking_mode=EXCLUSIVE, wal_autocheckpoint at 64 MiB; a row each in \
               a transaction of its own; one connection behind a mutex, since it has one writer; \
               `pipelined`: one transaction",
    open: |opening| Ok(Arc::new(Sqlite::open(opening)?)),
};

const INSERT: &str = "INSERT INTO log (record) VALUES (?1)";

struct Sqlite {
    connection: Mutex<Connection>,
}

impl Sqlite {
    fn open(opening: &Opening) -> Result<Self> {
        std::fs::create_dir_all(&opening.dir)?;
        let connection = Connection::open(opening.dir.join("log.sqlite"))?;
        connection.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 16384;
             CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, record BLOB NOT NULL);",
        )?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject for Sqlite {
    fn append_durable(&self, record: &[u8]) -> Result<()> {
        self.lock().prepare_cached(INSERT)?.execute([record])?;
        Ok(())
    }

    fn append_awaited(&self, _record: &[u8]) -> Option<Appended> {
        None
    }

    fn pipelined(&self, record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            while more() {
                insert.execute([record])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn read(&self, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let connection = self.lock();
        let mut select = connection.prepare("SELECT record FROM log ORDER BY id")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            each(row.get_ref(0)?.as_blob()?);
        }
        Ok(())
    }

    fn syncs(&self) -> Option<u64> {
        None
    }
}
