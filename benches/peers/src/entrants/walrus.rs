//! walrus: topics of records, with a position for their reader.

use std::env;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use walrus_rust::{FsyncSchedule, ReadConsistency, Walrus};

use crate::{Acknowledges, Appended, Entrant, Opening, Side, Subject};

pub(super) const WALRUS: Entrant = Entrant {
    name: "walrus",
    side: Side::Peer,
    acknowledges: Acknowledges::Durable,
    settings: "0.2.0, `SyncEach` (its default syncs every 200 ms and would not be durable), one \
               topic, WALRUS_QUIET; cannot append unsynced and then sync, so `pipelined` is batches \
               of 2000, its most, each synced; never gives a file or thread back",
    open: |opening| Ok(Arc::new(Subjected::open(opening)?)),
};

/// Names the directory above that of every log of this process. Nothing but the environment tells
/// walrus where to put files, so a process that opens one is started with this set.
pub const DATA_DIR: &str = "WALRUS_DATA_DIR";

const TOPIC: &str = "log";

/// Its limit of a batch.
const BATCH: usize = 2000;

struct Subjected {
    walrus: Walrus,
}

impl Subjected {
    fn open(opening: &Opening) -> Result<Self> {
        let above = env::var_os(DATA_DIR).with_context(|| format!("{DATA_DIR} is not set"))?;
        let name = opening.dir.file_name().and_then(|name| name.to_str());
        let name = name.context("the directory has no name in UTF-8")?;
        ensure!(
            opening.dir.parent() == Some(Path::new(&above)),
            "{} is not in {DATA_DIR}",
            opening.dir.display()
        );
        // Where the reader stands is never written down: reading must change nothing.
        let reading = ReadConsistency::AtLeastOnce { persist_every: u32::MAX };
        let schedule = FsyncSchedule::SyncEach;
        let walrus = Walrus::with_consistency_and_schedule_for_key(name, reading, schedule)?;
        Ok(Self { walrus })
    }
}

impl Subject for Subjected {
    fn append_durable(&self, record: &[u8]) -> Result<()> {
        Ok(self.walrus.append_for_topic(TOPIC, record)?)
    }

    fn append_awaited(&self, _record: &[u8]) -> Option<Appended> {
        None
    }

    fn pipelined(&self, record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()> {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            batch.clear();
            while batch.len() < BATCH && more() {
                batch.push(record);
            }
            if batch.is_empty() {
                return Ok(());
            }
            self.walrus.batch_append_for_topic(TOPIC, &batch)?;
        }
    }

    fn read(&self, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        while let Some(entry) = self.walrus.read_next(TOPIC, true)? {
            each(&entry.data);
        }
        Ok(())
    }

    fn syncs(&self) -> Option<u64> {
        None
    }
}
