//! The floor: a file whose bytes are there already, written to and synced.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

use crate::{Acknowledges, Appended, Entrant, Opening, Side, Subject};

pub(super) const FLOOR: Entrant = Entrant {
    name: "floor",
    side: Side::Floor,
    acknowledges: Acknowledges::Durable,
    settings: "no log: pwrite and fdatasync of the bare record into a zero-filled file of 64 MiB, \
               every writer for itself; `pipelined`: pwrites of 1 MiB and one fdatasync",
    open: |opening| Ok(Arc::new(Floor::make(opening)?)),
};

const SIZE: u64 = 64 << 20;

const WRITE: usize = 1 << 20;

struct Floor {
    file: File,
    end: AtomicU64,
    syncs: AtomicU64,
}

impl Floor {
    fn make(opening: &Opening) -> Result<Self> {
        fs::create_dir_all(&opening.dir)?;
        let path = opening.dir.join("raw");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        let zeros = vec![0; WRITE];
        for at in (0..SIZE).step_by(WRITE) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        File::open(&opening.dir)?.sync_all()?;
        Ok(Self { file, end: AtomicU64::new(0), syncs: AtomicU64::new(0) })
    }

    /// Writes behind what was written before; from the beginning again where the file ends.
    fn write(&self, bytes: &[u8]) -> Result<()> {
        let len = bytes.len() as u64;
        // Only disjoint ranges are wanted of it, nothing is published by it.
        let at = self.end.fetch_add(len, Ordering::Relaxed) % (SIZE - WRITE as u64);
        Ok(self.file.write_all_at(bytes, at)?)
    }

    fn sync(&self) -> Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(self.file.sync_data()?)
    }
}

impl Subject for Floor {
    fn append_durable(&self, record: &[u8]) -> Result<()> {
        self.write(record)?;
        self.sync()
    }

    fn append_awaited(&self, _record: &[u8]) -> Option<Appended> {
        None
    }

    fn pipelined(&self, record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()> {
        let mut buffer = Vec::with_capacity(WRITE);
        while more() {
            if buffer.len() + record.len() > WRITE {
                self.write(&buffer)?;
                buffer.clear();
            }
            buffer.extend_from_slice(record);
        }
        self.write(&buffer)?;
        self.sync()
    }

    fn read(&self, _each: &mut dyn FnMut(&[u8])) -> Result<()> {
        anyhow::bail!("raw bytes cannot be read back as records")
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.syncs.load(Ordering::Relaxed))
    }
}
