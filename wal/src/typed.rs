//! [`Typed`]: a log over records of one type.

use std::fmt;
use std::sync::Arc;

use wal_commit::Wait;
use wal_core::{Codec, CodecId, Error, ErrorKind, Lsn, Result};
use wal_replay::Cursor;

use crate::Wal;

/// A [`Wal`] over records of type `R`: the same verbs, with a codec in between. Clones share the
/// log.
pub struct Typed<R> {
    wal: Wal,
    codec: Arc<dyn Codec<R>>,
}

impl<R> Typed<R> {
    pub(crate) fn new(wal: Wal, codec: Arc<dyn Codec<R>>) -> Result<Self> {
        if wal.codec() != CodecId::RAW && wal.codec() != codec.id() {
            let what = format!("the log names codec {}, not {}", wal.codec(), codec.id());
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        Ok(Self { wal, codec })
    }

    /// As [`Wal::append`].
    pub fn append(&self, record: &R) -> Result<Lsn> {
        let mut bytes = Vec::new();
        self.codec.encode(record, &mut bytes)?;
        self.wal.append(bytes)
    }

    /// As [`Wal::append_batch`].
    pub fn append_batch<'a>(&self, records: impl IntoIterator<Item = &'a R>) -> Result<Vec<Lsn>>
    where
        R: 'a,
    {
        let encode = |record| {
            let mut bytes = Vec::new();
            self.codec.encode(record, &mut bytes).map(|()| bytes)
        };
        let records = records.into_iter().map(encode).collect::<Result<Vec<_>>>()?;
        self.wal.append_batch(records)
    }

    /// As [`Wal::wait_for_lsn`].
    #[must_use = "the record is not known to be durable before this is awaited"]
    pub fn wait_for_lsn(&self, lsn: Lsn) -> Wait {
        self.wal.wait_for_lsn(lsn)
    }

    /// As [`Wal::read_from`]. A record that does not decode is an error with its place, and the next
    /// call goes on behind it.
    pub fn read_from(&self, lsn: Lsn) -> Result<TypedEntries<R>> {
        Ok(TypedEntries { cursor: self.wal.read_from(lsn)?, codec: Arc::clone(&self.codec) })
    }

    /// The log itself.
    pub fn wal(&self) -> &Wal {
        &self.wal
    }
}

impl<R> Clone for Typed<R> {
    fn clone(&self) -> Self {
        Self { wal: self.wal.clone(), codec: Arc::clone(&self.codec) }
    }
}

impl<R> fmt::Debug for Typed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").field("wal", &self.wal).field("codec", &self.codec).finish()
    }
}

/// The entries of a [`Typed`] log, decoded.
pub struct TypedEntries<R> {
    cursor: Cursor,
    codec: Arc<dyn Codec<R>>,
}

impl<R> Iterator for TypedEntries<R> {
    type Item = Result<(Lsn, R)>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = match self.cursor.next()? {
            Ok(entry) => entry,
            Err(error) => return Some(Err(error)),
        };
        let record = self.codec.decode(&entry.payload);
        let placed = |error: Error| error.at(entry.position).lsn(entry.lsn);
        Some(record.map(|record| (entry.lsn, record)).map_err(placed))
    }
}

impl<R> fmt::Debug for TypedEntries<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedEntries").field("cursor", &self.cursor).finish_non_exhaustive()
    }
}
