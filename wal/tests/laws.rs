//! The laws for a whole log, on the assembled one: over the plain simulated store, and over the
//! code of the file store on a simulated disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;

use common::StillEnv;
use common::prepared_ahead::PreparedAhead;
use wal::parts::core::{Lsn, Result, SegmentStore};
use wal::parts::segment::{
    Ahead, Caching, Capped, FileStore, MemoryStore, Preparation, Reading, Recycling, Writing,
};
use wal::{Config, Strategy, Wal};
use wal_testkit::{
    Atom, Damage, LogUnderTest, OnDisk, Place, Profile, SimFiles, SimStore, Tail, log_laws,
    segment_store_laws,
};

#[derive(Debug)]
struct Assembled(Wal);

impl Assembled {
    fn open(store: Arc<dyn SegmentStore>, strategy: Strategy, alignment: u32) -> Result<Self> {
        let mut config = Config::default();
        config.segment_size = 16 * 1024;
        config.alignment = alignment;
        config.strategy = strategy;
        let env = Arc::new(StillEnv::default());
        Ok(Self(Wal::with_store(store).config(config).env(env).open()?.0))
    }
}

/// Where the strategy commits within the append, that may fail for a record that is staged all the
/// same; the wait for it then says so again.
fn staged(appended: Result<Lsn>) -> Result<Lsn> {
    appended.or_else(|error| error.at_lsn().ok_or(error))
}

impl LogUnderTest for Assembled {
    fn append(&self, payload: &[u8]) -> Result<Lsn> {
        staged(self.0.append(payload))
    }

    fn append_batch(&self, payloads: &[Vec<u8>]) -> Result<Lsn> {
        let lsns = self.0.append_batch(payloads)?;
        Ok(lsns.last().copied().unwrap_or(Lsn::ZERO))
    }

    fn wait(&self, lsn: Lsn) -> Result<()> {
        self.0.wait_for_lsn(lsn).wait()
    }

    fn sync(&self) -> Result<()> {
        self.0.sync()
    }

    fn durable_lsn(&self) -> Lsn {
        self.0.durable_lsn()
    }

    fn entries(&self, from: Lsn) -> Result<Vec<(Lsn, Vec<u8>)>> {
        let from = from.max(self.0.first_lsn());
        let entries = self.0.read_from(from)?;
        entries.map(|entry| entry.map(|entry| (entry.lsn, entry.payload.to_vec()))).collect()
    }

    fn prune_before(&self, lsn: Lsn) -> Result<()> {
        self.0.prune_before(lsn).map(drop)
    }

    fn truncate_after(&self, lsn: Lsn) -> Result<()> {
        self.0.truncate_after(lsn)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.0.close()
    }
}

fn on_sim_store(profile: Profile, strategy: Strategy) -> impl Place<dyn LogUnderTest> {
    OnDisk::new(profile, move |disk| Assembled::open(Arc::new(SimStore::new(disk)), strategy, 8))
}

fn on_files(
    profile: Profile,
    alignment: u32,
    with: impl Fn(FileStore) -> FileStore + Send + Sync + 'static,
) -> impl Place<dyn LogUnderTest> {
    OnDisk::new(profile, move |disk| {
        let store = with(FileStore::over(Arc::new(SimFiles::new(disk))));
        Assembled::open(Arc::new(PreparedAhead(store)), Strategy::GroupCommit, alignment)
    })
}

fn prepared(preparation: Preparation) -> impl Fn(FileStore) -> FileStore {
    move |store| store.preparation(preparation)
}

/// All that a store can do at once: files used again, prepared ahead, and written past the cache.
fn everything(store: FileStore) -> FileStore {
    store
        .preparation(Preparation::ZeroFill)
        .recycling(Recycling::Keep(2))
        .ahead(Ahead::Caller)
        .writing(Writing::Direct)
        .caching(Caching::Drop)
}

log_laws!(sync_strict, || on_sim_store(Profile::STRICT, Strategy::Sync));
log_laws!(group_commit_strict, || on_sim_store(Profile::STRICT, Strategy::GroupCommit));
log_laws!(group_commit_journaled, || on_sim_store(Profile::JOURNALED, Strategy::GroupCommit));
log_laws!(bytewise, || on_sim_store(Profile::STRICT.atom(Atom::Byte), Strategy::GroupCommit));
log_laws!(files_whole, || on_files(Profile::STRICT, 8, prepared(Preparation::Whole)));
log_laws!(files_in_chunks, || {
    on_files(Profile::STRICT, 8, prepared(Preparation::Chunks(4096)))
});
log_laws!(files_unprepared, || on_files(Profile::STRICT, 8, prepared(Preparation::None)));
log_laws!(files_zero_filled, || on_files(Profile::STRICT, 8, prepared(Preparation::ZeroFill)));
log_laws!(files_recycled, || on_files(Profile::STRICT, 8, |store| {
    store.recycling(Recycling::Keep(2))
}));
log_laws!(files_recycled_bytewise, || {
    let profile = Profile::STRICT.atom(Atom::Byte);
    on_files(profile, 8, |store| {
        store.preparation(Preparation::None).recycling(Recycling::Keep(1)).ahead(Ahead::Caller)
    })
});
log_laws!(files_that_sync_themselves, || on_files(Profile::STRICT, 8, |store| {
    store.writing(Writing::Synced).ahead(Ahead::Caller)
}));
log_laws!(files_with_zeros_ahead, || on_files(Profile::STRICT, 8, |store| {
    store
        .preparation(Preparation::ZerosAhead(4096))
        .recycling(Recycling::Keep(1))
        .ahead(Ahead::Caller)
}));
log_laws!(files_past_the_cache, || on_files(Profile::STRICT, 4096, everything));

// A disk that may garble the whole block it is rewriting: no acknowledged record shares one.
log_laws!(aligned, || {
    let profile = Profile::STRICT.atom(Atom::Page).damage(Damage::Atom);
    on_files(profile, 4096, prepared(Preparation::Whole))
});

log_laws!(
    memory,
    || {
        let store = MemoryStore::new();
        move || Assembled::open(Arc::new(store.clone()), Strategy::GroupCommit, 8)
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

segment_store_laws!(file_store, || {
    OnDisk::new(Profile::STRICT, |disk| {
        Ok::<_, std::io::Error>(FileStore::over(Arc::new(SimFiles::new(disk))))
    })
});

segment_store_laws!(file_store_bytewise, || {
    OnDisk::new(Profile::STRICT.atom(Atom::Byte).tail(Tail::Zeros), |disk| {
        let store = FileStore::over(Arc::new(SimFiles::new(disk)));
        Ok::<_, std::io::Error>(store.preparation(Preparation::Chunks(4096)))
    })
});

segment_store_laws!(file_store_recycling, || {
    OnDisk::new(Profile::STRICT, |disk| {
        let store = FileStore::over(Arc::new(SimFiles::new(disk)));
        Ok::<_, std::io::Error>(store.recycling(Recycling::Keep(2)))
    })
});

segment_store_laws!(file_store_with_everything, || {
    OnDisk::new(Profile::STRICT, |disk| {
        Ok::<_, std::io::Error>(PreparedAhead(everything(FileStore::over(Arc::new(
            SimFiles::new(disk),
        )))))
    })
});

segment_store_laws!(
    real_files_with_zeros_ahead,
    || {
        let dir = tempfile::tempdir().unwrap();
        move || {
            let store = FileStore::open(dir.path())?;
            Ok::<_, std::io::Error>(
                store.preparation(Preparation::ZerosAhead(1)).ahead(Ahead::Thread),
            )
        }
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

// A limit that is never met changes nothing.
segment_store_laws!(capped, || {
    OnDisk::new(Profile::STRICT, |disk| {
        let store = Arc::new(FileStore::over(Arc::new(SimFiles::new(disk))));
        Ok::<_, std::io::Error>(Capped::new(store, 1 << 40))
    })
});

segment_store_laws!(
    memory_store,
    || {
        let store = MemoryStore::new();
        move || Ok::<_, std::io::Error>(store.clone())
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

segment_store_laws!(
    real_files,
    || {
        let dir = tempfile::tempdir().unwrap();
        move || FileStore::open(dir.path())
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

segment_store_laws!(
    real_files_with_everything,
    || {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        move || FileStore::open(dir.path()).map(|store| everything(store).ahead(Ahead::Thread))
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

segment_store_laws!(
    real_files_read_past_the_cache,
    || {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        move || FileStore::open(dir.path()).map(|store| store.reading(Reading::Direct))
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

#[cfg(feature = "mmap")]
segment_store_laws!(
    real_files_mapped,
    || {
        let dir = tempfile::tempdir().unwrap();
        move || FileStore::open(dir.path()).map(|store| store.reading(Reading::Mapped))
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

// Written past the cache, and read through a map of it.
#[cfg(feature = "mmap")]
segment_store_laws!(
    real_files_with_everything_mapped,
    || {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        move || {
            let store = FileStore::open(dir.path())?;
            let store = everything(store).ahead(Ahead::Thread).reading(Reading::Mapped);
            Ok::<_, std::io::Error>(store)
        }
    },
    without [crash, kill, interrupt, fault, room, stranger]
);
