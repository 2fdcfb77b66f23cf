//! [`OneFile`]: a store that keeps all segments in one file.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wal_core::format::{SLOT_LEN, Slots};
use wal_core::{
    Durability, Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer,
    SegmentWriter, StoreLock,
};

use crate::Medium;
use crate::journal::{Journal, Kind, Segment, read_full, write_full};

/// Keeps all segments in one file, a journal of what was done to them. One sync makes everything
/// durable that was done before it, to whatever segment. Space is never given back.
#[derive(Clone, Debug)]
pub struct OneFile {
    medium: Arc<dyn Medium>,
    journal: Arc<Mutex<Journal>>,
    /// The lock that this handle has, as long as anything holds it.
    life: Arc<Mutex<Weak<dyn StoreLock>>>,
}

impl OneFile {
    /// The store in this file; an empty file is an empty store.
    pub fn new(medium: impl Medium + 'static) -> Self {
        let medium: Arc<dyn Medium> = Arc::new(medium);
        let journal = Arc::new(Mutex::new(Journal::new(Arc::clone(&medium))));
        let life = Arc::new(Mutex::new(Weak::<Life>::new() as Weak<dyn StoreLock>));
        Self { medium, journal, life }
    }

    /// The journal, with all that other handles added.
    fn journal(&self) -> io::Result<MutexGuard<'_, Journal>> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.catch_up()?;
        Ok(journal)
    }

    /// The two slots of the anchor.
    fn slots(&self) -> io::Result<Option<Slots>> {
        let mut bytes = [0; 2 * SLOT_LEN];
        let read = read_full(&*self.medium, 0, &mut bytes)?;
        Ok(Slots::decode(&bytes[..read]))
    }

    fn segment(&self, id: SegmentId) -> io::Result<Segment> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no segment {id}"));
        self.journal()?.segments().get(&id).cloned().ok_or_else(missing)
    }
}

impl SegmentStore for OneFile {
    fn guarantees(&self) -> Guarantees {
        Guarantees::new(Durability::Power)
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        let life: Arc<dyn StoreLock> = Arc::new(Life(self.medium.lock()?));
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&life);
        Ok(Box::new(Lock { _life: life }))
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        Ok(self.journal()?.segments().keys().copied().collect())
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let mut journal = self.journal()?;
        if journal.segments().contains_key(&id) {
            let taken = format!("segment {id} is there already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, taken));
        }
        journal.add(Kind::Create, id, size, &[])?;
        drop(journal);
        self.medium.sync()?;
        let life = self.life.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        Ok(Box::new(Writer { store: self.clone(), id, end: 0, life }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.segment(id)?;
        Ok(Box::new(Reader { store: self.clone(), id }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        if self.segment(id)?.size > len {
            self.journal()?.add(Kind::Trim, id, len, &[])?;
        }
        self.medium.sync()
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        let mut journal = self.journal()?;
        for &id in ids {
            if journal.segments().contains_key(&id) {
                journal.add(Kind::Remove, id, 0, &[])?;
            }
        }
        drop(journal);
        self.medium.sync()
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.slots()?.and_then(|slots| slots.bytes().map(<[u8]>::to_vec)) {
            return Ok(Some(bytes));
        }
        // None yet, or the first write into a slot was cut off: the anchor before it counts.
        let Some(range) = self.journal()?.anchor() else { return Ok(None) };
        let mut bytes =
            vec![0; usize::try_from(range.end - range.start).map_err(io::Error::other)?];
        read_full(&*self.medium, range.start, &mut bytes)?;
        Ok(Some(bytes))
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        let mut journal = self.journal()?;
        // The first one is in the journal too: what a crash leaves of it is all or nothing there.
        if journal.anchor().is_none() {
            journal.add(Kind::Anchor, SegmentId::new(0), 0, bytes)?;
        }
        let (at, slot) = self.slots()?.unwrap_or_default().replace(bytes);
        write_full(&*self.medium, at, &slot)?;
        drop(journal);
        self.medium.sync()
    }
}

/// The lock of the medium. Writers and syncers hold it too: the file is free for another handle when
/// the last of them is gone.
#[derive(Debug)]
struct Life(#[expect(dead_code, reason = "held, and looked at by nobody")] Box<dyn StoreLock>);

impl StoreLock for Life {}

#[derive(Debug)]
struct Lock {
    _life: Arc<dyn StoreLock>,
}

impl StoreLock for Lock {}

#[derive(Debug)]
struct Writer {
    store: OneFile,
    id: SegmentId,
    end: u64,
    life: Option<Arc<dyn StoreLock>>,
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !bytes.is_empty() {
            self.store.journal()?.add(Kind::Append, self.id, self.end, bytes)?;
            self.end += bytes.len() as u64;
        }
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn space(&self) -> SegmentSpace {
        SegmentSpace::default()
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        let (medium, life) = (Arc::clone(&self.store.medium), self.life.clone());
        Arc::new(Syncer { medium, _life: life })
    }
}

#[derive(Debug)]
struct Syncer {
    medium: Arc<dyn Medium>,
    _life: Option<Arc<dyn StoreLock>>,
}

impl SegmentSyncer for Syncer {
    fn sync(&self) -> io::Result<()> {
        self.medium.sync()
    }
}

#[derive(Debug)]
struct Reader {
    store: OneFile,
    id: SegmentId,
}

impl SegmentReader for Reader {
    fn size(&self) -> io::Result<u64> {
        Ok(self.store.segment(self.id)?.size)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.store.segment(self.id)?.read(&*self.store.medium, offset, buffer)
    }
}
