//! okaywal: entries of chunks, and a callback that checkpoints them.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use okaywal::{Configuration, Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};

use crate::{Acknowledges, Appended, Entrant, Opening, Side, Subject};

pub(super) const OKAYWAL: Entrant = Entrant {
    name: "okaywal",
    side: Side::Peer,
    acknowledges: Acknowledges::Durable,
    settings: "0.3.1, preallocates 128 MiB and checkpoints after 120 MiB (its defaults of 1 MiB and \
               768 KiB recycle all the time); an entry of one chunk each; `pipelined`: one entry, a \
               chunk a record; the CRC of every chunk is checked when read, as its users must",
    open: |opening| Ok(Arc::new(Okaywal::open(opening)?)),
};

struct Okaywal {
    log: WriteAheadLog,
    found: Found,
}

/// The records that recovery met.
#[derive(Clone, Debug, Default)]
struct Found(Arc<Mutex<Vec<Vec<u8>>>>);

impl Okaywal {
    fn open(opening: &Opening) -> Result<Self> {
        let found = Found::default();
        let log = Configuration::default_for(&opening.dir)
            .preallocate_bytes(128 << 20)
            .checkpoint_after_bytes(120 << 20)
            .open(found.clone())?;
        Ok(Self { log, found })
    }
}

impl LogManager for Found {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        // Nothing in an entry that was not finished counts; a chunk whose CRC is wrong is an error.
        let records = entry.read_all_chunks()?.unwrap_or_default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(records);
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _last_checkpointed_id: EntryId,
        _checkpointed_entries: &mut SegmentReader,
        _wal: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}

impl Subject for Okaywal {
    fn append_durable(&self, record: &[u8]) -> Result<()> {
        let mut entry = self.log.begin_entry()?;
        entry.write_chunk(record)?;
        entry.commit()?;
        Ok(())
    }

    fn append_awaited(&self, _record: &[u8]) -> Option<Appended> {
        None
    }

    fn pipelined(&self, record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()> {
        let mut entry = self.log.begin_entry()?;
        while more() {
            entry.write_chunk(record)?;
        }
        entry.commit()?;
        Ok(())
    }

    fn read(&self, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let found = self.found.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.iter().for_each(|record| each(record));
        Ok(())
    }

    fn syncs(&self) -> Option<u64> {
        None
    }
}
