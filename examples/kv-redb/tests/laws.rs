//! The laws of a segment store, over redb on a real file and on the kit's simulated disk.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use kv_redb::RedbKv;
use redb::{Database, StorageBackend};
use wal_core::{Error, SegmentStore};
use wal_segment::{KeyShape, KvStore};
use wal_testkit::{Damage, Harm, Inflicted, Place, Profile, SimDisk, SimFile, segment_store_laws};

// On a real file nothing can be made to fail.
segment_store_laws!(
    redb_file,
    || {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let kv = Arc::new(RedbKv::open(dir.path().join("log.redb")).expect("a fresh database"));
        move || {
            let _dir = &dir;
            KvStore::open(kv.clone(), "log", KeyShape::Digits20)
        }
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

// On a simulated one the power fails, after every one of redb's operations, and any part of what
// redb did not sync may be lost. Not so that a sector which was being written reads as garbage:
// redb writes its header in place with every commit, and does not open where that is garbled.
// Faults and a full disk are not tried: after either redb refuses everything until it is opened
// again, so that nothing of that handle can be repeated.
segment_store_laws!(redb_simulated, InSimDisk::new, without [fault, room, stranger]);

/// A disk with a redb database on it, open until the next harm.
struct InSimDisk(Mutex<(SimDisk, Option<RedbKv>)>);

impl InSimDisk {
    fn new() -> Self {
        Self(Mutex::new((SimDisk::new(Profile::STRICT.damage(Damage::None)), None)))
    }
}

impl Place<dyn SegmentStore> for InSimDisk {
    fn open(&self) -> wal_core::Result<Box<dyn SegmentStore>> {
        let (disk, open) = &mut *self.0.lock().expect("no test panics here");
        let opened = match open {
            Some(kv) => Ok(kv.clone()),
            None => database(disk).map(|kv| open.insert(kv).clone()),
        };
        let store = opened.and_then(|kv| KvStore::open(Arc::new(kv), "log", KeyShape::BigEndian));
        Ok(Box::new(store.map_err(|cause| Error::io("the store does not open", cause))?))
    }

    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        None
    }

    fn inflict(&self, harm: Harm) -> Inflicted {
        let (disk, open) = &mut *self.0.lock().expect("no test panics here");
        match harm {
            Harm::Crash(choice) => (*disk, *open) = (disk.power_cut(choice), None),
            Harm::Kill => (*disk, *open) = (disk.kill(), None),
            Harm::Interrupt { after } => {
                disk.crash_at(disk.operations().saturating_add(after));
            }
            _ => return Inflicted::Cannot,
        }
        Inflicted::Done
    }
}

fn database(disk: &SimDisk) -> io::Result<RedbKv> {
    let file = match disk.open("log.redb") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create_new("log.redb")?,
        found => found?,
    };
    disk.sync_dir()?;
    let database = Database::builder()
        .set_cache_size(1 << 20)
        .create_with_backend(OnSimDisk(file))
        .map_err(io::Error::other)?;
    RedbKv::over(database)
}

/// redb's storage on a simulated file.
struct OnSimDisk(SimFile);

impl StorageBackend for OnSimDisk {
    fn len(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.0.read_all_at(offset, out)? {
            count if count == out.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(offset, data)
    }
}

impl fmt::Debug for OnSimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnSimDisk")
    }
}
