//! [`Typed`]: a log over records of one type.

use std::fmt;
use std::sync::Arc;

use wal_commit::Wait;
use wal_core::{Codec, CodecId, Entry, Error, ErrorKind, Lsn, Position, Result, SegmentId};
use wal_replay::Cursor;

use crate::Wal;

/// A [`Wal`] over records of type `R`: its appends, waits and reads, with a codec in between. What is
/// not about records is the log's own business: [`wal`](Self::wal). Clones share the log.
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
        self.wal.append(self.encoded(record)?)
    }

    /// As [`Wal::try_append`].
    pub fn try_append(&self, record: &R) -> Result<Lsn> {
        self.wal.try_append(self.encoded(record)?)
    }

    /// As [`Wal::append_async`].
    pub async fn append_async(&self, record: &R) -> Result<Lsn> {
        let bytes = self.encoded(record)?;
        self.wal.append_async(bytes).await
    }

    /// As [`Wal::append_durable`].
    pub fn append_durable(&self, record: &R) -> Result<Lsn> {
        self.wal.append_durable(self.encoded(record)?)
    }

    /// As [`Wal::append_batch`].
    pub fn append_batch<'a>(&self, records: impl IntoIterator<Item = &'a R>) -> Result<Vec<Lsn>>
    where
        R: 'a,
    {
        self.wal.append_batch(self.all_encoded(records)?)
    }

    /// As [`Wal::append_batch_async`].
    pub async fn append_batch_async<'a>(
        &self,
        records: impl IntoIterator<Item = &'a R>,
    ) -> Result<Vec<Lsn>>
    where
        R: 'a,
    {
        let records = self.all_encoded(records)?;
        self.wal.append_batch_async(records).await
    }

    /// As [`Wal::wait_for_lsn`].
    #[must_use = "the record is not known to be durable before this is awaited"]
    pub fn wait_for_lsn(&self, lsn: Lsn) -> Wait {
        self.wal.wait_for_lsn(lsn)
    }

    /// As [`Wal::sync`].
    pub fn sync(&self) -> Result<()> {
        self.wal.sync()
    }

    /// As [`Wal::get`]. A record that does not decode is an error with its place.
    pub fn get(&self, lsn: Lsn) -> Result<Option<R>> {
        self.wal.get(lsn)?.map(|entry| decoded(&*self.codec, &entry)).transpose()
    }

    /// As [`Wal::read_from`]. A record that does not decode is an error with its place, and the next
    /// call goes on behind it.
    pub fn read_from(&self, lsn: Lsn) -> Result<TypedEntries<R>> {
        self.wal.read_from(lsn).map(|cursor| self.entries(cursor))
    }

    /// As [`Wal::read_at`].
    pub fn read_at(&self, position: Position) -> Result<TypedEntries<R>> {
        self.wal.read_at(position).map(|cursor| self.entries(cursor))
    }

    /// As [`Wal::read_segment`].
    pub fn read_segment(&self, id: SegmentId) -> Result<TypedEntries<R>> {
        self.wal.read_segment(id).map(|cursor| self.entries(cursor))
    }

    /// The log itself.
    pub fn wal(&self) -> &Wal {
        &self.wal
    }

    fn encoded(&self, record: &R) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.codec.encode(record, &mut bytes).map(|()| bytes)
    }

    fn all_encoded<'a>(&self, records: impl IntoIterator<Item = &'a R>) -> Result<Vec<Vec<u8>>>
    where
        R: 'a,
    {
        records.into_iter().map(|record| self.encoded(record)).collect()
    }

    fn entries(&self, cursor: Cursor) -> TypedEntries<R> {
        TypedEntries { cursor, codec: Arc::clone(&self.codec) }
    }
}

/// The record in this entry, or the error with its place.
fn decoded<R>(codec: &dyn Codec<R>, entry: &Entry) -> Result<R> {
    codec.decode(&entry.payload).map_err(|error| error.at(entry.position).lsn(entry.lsn))
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
        Some(decoded(&*self.codec, &entry).map(|record| (entry.lsn, record)))
    }
}

impl<R> fmt::Debug for TypedEntries<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedEntries").field("cursor", &self.cursor).finish_non_exhaustive()
    }
}
