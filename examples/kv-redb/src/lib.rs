//! [`RedbKv`]: what [`KvStore`](wal_segment::KvStore) needs, done by redb.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, TableDefinition};
use wal_core::{Durability, StoreLock};
use wal_segment::{Change, Locks, Order, OrderedKv, Persist, Visit};

/// All keys are in one table; redb orders byte slices as bytes are ordered.
const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("wal");

/// A redb database as an ordered key-value store. Clones are the same one; other tables of the
/// database are left alone.
///
/// A batch is a transaction. One that need not be durable at once is committed with
/// [`redb::Durability::None`]; redb keeps those that survive a crash a prefix, which is more than
/// is asked for. redb itself keeps other processes out of the file, so names are locked in this one.
///
/// After an I/O error redb refuses everything until the database is opened again.
#[derive(Clone)]
pub struct RedbKv {
    database: Arc<Database>,
    locks: Locks,
}

impl RedbKv {
    /// The database in this file, which is made if it is missing.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::over(Database::create(path).map_err(refused)?)
    }

    /// A database that is open.
    pub fn over(database: Database) -> io::Result<Self> {
        let transaction = database.begin_write().map_err(refused)?;
        transaction.open_table(TABLE).map_err(refused)?;
        transaction.commit().map_err(refused)?;
        Ok(Self { database: Arc::new(database), locks: Locks::default() })
    }

    fn commit(&self, batch: &[Change<'_>], durability: redb::Durability) -> io::Result<()> {
        let mut transaction = self.database.begin_write().map_err(refused)?;
        transaction.set_durability(durability).map_err(refused)?;
        let mut table = transaction.open_table(TABLE).map_err(refused)?;
        for change in batch {
            match change {
                Change::Put(key, value) => table.insert(*key, *value).map_err(refused)?,
                Change::Delete(key) => table.remove(*key).map_err(refused)?,
            };
        }
        drop(table);
        transaction.commit().map_err(refused)
    }
}

impl OrderedKv for RedbKv {
    fn durability(&self) -> Durability {
        Durability::Power
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn StoreLock>> {
        self.locks.take(name)
    }

    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let transaction = self.database.begin_read().map_err(refused)?;
        let table = transaction.open_table(TABLE).map_err(refused)?;
        let value = table.get(key).map_err(refused)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    fn scan(&self, range: Range<&[u8]>, order: Order, visit: &mut Visit<'_>) -> io::Result<()> {
        let transaction = self.database.begin_read().map_err(refused)?;
        let table = transaction.open_table(TABLE).map_err(refused)?;
        let mut found = table.range::<&[u8]>(range).map_err(refused)?;
        while let Some(entry) = match order {
            Order::Ascending => found.next(),
            Order::Descending => found.next_back(),
        } {
            let (key, value) = entry.map_err(refused)?;
            if visit(key.value(), value.value()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, batch: &[Change<'_>], persist: Persist) -> io::Result<()> {
        self.commit(
            batch,
            match persist {
                Persist::Now => redb::Durability::Immediate,
                Persist::AtSync => redb::Durability::None,
            },
        )
    }

    /// A durable transaction makes all before it durable; this one changes nothing.
    fn sync(&self) -> io::Result<()> {
        self.commit(&[], redb::Durability::Immediate)
    }
}

impl fmt::Debug for RedbKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbKv").finish_non_exhaustive()
    }
}

/// After an I/O error the database refuses everything, a full disk included: it is not a failure
/// that more room would mend, and must not be told as one.
fn refused(error: impl Into<redb::Error>) -> io::Error {
    io::Error::other(error.into())
}
