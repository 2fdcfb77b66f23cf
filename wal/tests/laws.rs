//! The laws for a whole log, on the assembled one: over the plain simulated store, and over the
//! code of the file store on a simulated disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::StillEnv;
use common::prepared_ahead::PreparedAhead;
use wal::parts::core::{Lsn, Result, SegmentStore};
use wal::parts::segment::{
    Ahead, Caching, Capped, FileStore, MemoryStore, Preparation, Reading, Recycling, Writing,
};
use wal::{Config, Strategy, Wal};
use wal_testkit::liars::{BlockLie, LyingBlocks};
use wal_testkit::{
    Atom, Damage, Harm, Inflicted, LOG_LAWS, LogLaw, LogUnderTest, OnDisk, Place, Profile,
    SimFiles, SimStore, Tail, log_laws, segment_store_laws,
};

#[derive(Debug)]
struct Assembled(Wal);

impl Assembled {
    fn open(
        store: Arc<dyn SegmentStore>,
        strategy: Strategy,
        alignment: u32,
        place: u64,
    ) -> Result<Self> {
        let mut config = Config::default();
        config.segment_size = 16 * 1024;
        config.alignment = alignment;
        config.strategy = strategy;
        Self::configured(store, config, place)
    }

    fn configured(store: Arc<dyn SegmentStore>, config: Config, place: u64) -> Result<Self> {
        let env = Arc::new(StillEnv::of_log(place));
        Ok(Self(Wal::with_store(store).config(config).env(env).open()?.0))
    }
}

/// The logs of two places are two logs.
fn new_place() -> u64 {
    static PLACES: AtomicU64 = AtomicU64::new(0);
    PLACES.fetch_add(1, Ordering::Relaxed)
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
    let place = new_place();
    OnDisk::new(profile, move |disk| {
        Assembled::open(Arc::new(SimStore::new(disk)), strategy, 8, place)
    })
}

fn on_files(
    profile: Profile,
    alignment: u32,
    with: impl Fn(FileStore) -> FileStore + Send + Sync + 'static,
) -> impl Place<dyn LogUnderTest> {
    let place = new_place();
    OnDisk::new(profile, move |disk| {
        let store = with(FileStore::over(Arc::new(SimFiles::new(disk))));
        Assembled::open(Arc::new(PreparedAhead(store)), Strategy::GroupCommit, alignment, place)
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

/// A store of blocks of 64 KiB, with segments of more than three of them.
fn in_blocks(lie: BlockLie) -> impl Place<dyn LogUnderTest> {
    let place = new_place();
    OnDisk::new(Profile::STRICT, move |disk| {
        let mut config = Config::default();
        config.segment_size = 4 * BLOCK;
        let store = Arc::new(LyingBlocks::new(disk, BLOCK, lie));
        Assembled::configured(store, config, place)
    })
}

const BLOCK: u64 = 64 * 1024;

// A block of this store does not say whose it is, so that one which a stranger puts behind a segment's
// end goes with the space that is given back.
log_laws!(blocks, || Unmeddled(in_blocks(BlockLie::None)), unit = BLOCK, without[stranger]);

/// A place that no stranger comes to.
struct Unmeddled<P>(P);

impl<P: Place<dyn LogUnderTest>> Place<dyn LogUnderTest> for Unmeddled<P> {
    fn open(&self) -> Result<Box<dyn LogUnderTest>> {
        self.0.open()
    }

    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        None
    }

    fn inflict(&self, harm: Harm) -> Inflicted {
        match harm {
            Harm::Stranger(_) => Inflicted::Cannot,
            harm => self.0.inflict(harm),
        }
    }
}

/// A log over a store that is right in its first block alone was told that it is proven: no law for
/// logs came to the second.
#[test]
fn lies_behind_the_first_block_of_a_store_are_caught_by_the_laws_for_logs() {
    for lie in [BlockLie::AppendForgetsTheRest, BlockLie::SyncsOneDirtyBlock] {
        let law = |law: &&LogLaw| law.name() == "what_takes_many_blocks_survives_a_crash";
        let law = LOG_LAWS.iter().find(law).unwrap();
        let broken = law.run_with_unit(&|| Box::new(in_blocks(lie)), &[], BLOCK);
        assert!(broken.is_err(), "{lie:?} got past {law:?}");
    }
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
        move || Assembled::open(Arc::new(store.clone()), Strategy::GroupCommit, 8, 0)
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
