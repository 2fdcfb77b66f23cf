//! [`Forgetful`]: a store that forgets something.

use std::io;
use std::sync::Arc;

use wal::parts::core::{
    Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer, SegmentWriter,
    StoreLock,
};

/// What a [`Forgetful`] store forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgets {
    /// The newest segment, where there are several.
    Newest,
    /// What is appended behind the first append to a segment.
    Appends,
    /// A segment once it was opened for reading, where it is the only one.
    Looked,
}

/// The store below, but for one thing.
#[derive(Debug)]
pub(super) struct Forgetful {
    store: Arc<dyn SegmentStore>,
    forgets: Forgets,
}

impl Forgetful {
    pub(super) fn of(forgets: Forgets) -> impl Fn(Arc<dyn SegmentStore>) -> Arc<dyn SegmentStore> {
        move |store| Arc::new(Self { store, forgets })
    }
}

impl SegmentStore for Forgetful {
    fn guarantees(&self) -> Guarantees {
        self.store.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.store.lock()
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        let mut ids = self.store.list()?;
        if self.forgets == Forgets::Newest && ids.len() > 1 {
            ids.pop();
        }
        Ok(ids)
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let writer = self.store.create(id, size)?;
        Ok(match self.forgets {
            Forgets::Appends => Box::new(Writer { writer, end: 0 }),
            _ => writer,
        })
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        let reader = self.store.open(id)?;
        if self.forgets == Forgets::Looked && self.store.list()?.len() == 1 {
            self.store.remove(&[id])?;
        }
        Ok(reader)
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        self.store.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.store.remove(ids)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.store.read_anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.store.write_anchor(bytes)
    }
}

#[derive(Debug)]
struct Writer {
    writer: Box<dyn SegmentWriter>,
    end: u64,
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.end == 0 {
            self.writer.append(bytes)?;
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn space(&self) -> SegmentSpace {
        self.writer.space()
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        self.writer.syncer()
    }
}
