//! The assembled log as a log under test, and the worlds it is searched in.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use wal::parts::segment::{Ahead, FileStore, Preparation, Recycling, Writing};
use wal::{Config, ErrorKind, Lsn, Result, Retention, Strategy, Wal};
use wal_core::{Acknowledgement, CommitStrategy, Env, SegmentStore};
use wal_testkit::model::{OnWait, World};
use wal_testkit::{Atom, Damage, LogUnderTest, Profile, SimDisk, SimFiles, SimStore, Tail, Tape};

use crate::full;
use crate::pace::{BesideSyncs, Pace, Prepares};
use crate::prepared_ahead::PreparedAhead;
use crate::transforms::{self, Growing, SharedTransform, Shrinking};

/// The product. A handle that was closed, poisoned or not, lives on beside the next one, and is
/// dropped when that one has made some appends: giving the lock up is what ends a handle, not its drop.
#[derive(Debug)]
pub(crate) struct Product {
    log: Wal,
    /// Appends before the handle that was closed last is dropped.
    lingers: AtomicU32,
}

thread_local! {
    /// The handle that was closed last.
    static CLOSED: Cell<Option<Wal>> = const { Cell::new(None) };
    /// Which process the thread is, as the log sees it: children are forked off.
    static PROCESS: Cell<u32> = const { Cell::new(0) };
}

/// Does this as a process that was forked off.
pub(crate) fn in_child(work: &mut dyn FnMut()) {
    struct Returns;
    impl Drop for Returns {
        fn drop(&mut self) {
            PROCESS.set(0);
        }
    }
    PROCESS.set(1);
    let _returns = Returns;
    work();
}

/// How the product is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// Commits when somebody waits, or with every append.
    pub(crate) strategy: Strategy,
    /// Flushes end on a multiple of this.
    pub(crate) alignment: u32,
    /// A segment ends before it would grow beyond this, in bytes.
    pub(crate) segment_size: u64,
    /// The most bytes that a record and a batch may have, and twice what is staged, where that is less
    /// than by default: small ones leave less in flight than a segment holds.
    pub(crate) limit: Option<usize>,
    /// How frames are stored.
    pub(crate) stores: Stores,
    /// What it can read besides.
    pub(crate) others: fn() -> Vec<SharedTransform>,
}

/// How frames are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stores {
    /// As they are.
    Plain,
    /// By a transform that adds bytes.
    Grown,
    /// By one that takes some away.
    Shrunk,
}

impl Setup {
    /// Commits when somebody waits; no padding.
    pub(crate) const PLAIN: Self = Self {
        strategy: Strategy::GroupCommit,
        alignment: 8,
        segment_size: 16 * 1024,
        limit: None,
        stores: Stores::Plain,
        others: transforms::all,
    };

    fn config(self) -> Config {
        let mut config = Config::default();
        config.segment_size = self.segment_size;
        config.frame_size = 4096;
        config.alignment = self.alignment;
        if let Some(limit) = self.limit {
            (config.record_limit, config.batch_limit) = (limit, limit);
            config.buffer_size = limit / 2;
        }
        config
    }

    fn strategy(self) -> Arc<dyn CommitStrategy> {
        match self.strategy {
            Strategy::Sync => Arc::new(OnWait::and_on_append()),
            Strategy::Os => Arc::new(OnWait::acknowledging(Acknowledgement::Written)),
            Strategy::Interval(within) => {
                Arc::new(OnWait::acknowledging(Acknowledgement::Buffered(within)))
            }
            _ => Arc::new(OnWait::new()),
        }
    }

    /// The transform of this opening, and those of others.
    fn transforms(self) -> (Option<SharedTransform>, Vec<SharedTransform>) {
        let own: Option<SharedTransform> = match self.stores {
            Stores::Plain => None,
            Stores::Grown => Some(Arc::new(Growing)),
            Stores::Shrunk => Some(Arc::new(Shrinking)),
        };
        let mut others = (self.others)();
        others.retain(|other| own.as_ref().is_none_or(|own| own.id() != other.id()));
        (own, others)
    }
}

impl Product {
    /// Opens the log in this store, which is on this disk, with the smallest segments there are.
    pub(crate) fn open(
        disk: &SimDisk,
        store: Arc<dyn SegmentStore>,
        setup: Setup,
        way: Way,
    ) -> Result<Self> {
        let log = Wal::with_store(store).config(setup.config()).custom_strategy(setup.strategy());
        let (own, others) = setup.transforms();
        let log = others.into_iter().fold(log, wal::Builder::also_reads);
        let log = own.into_iter().fold(log, wal::Builder::transform);
        let lingers = Tape::random(disk.operations() ^ 0x1e).choose(5);
        if lingers == 0 {
            drop(CLOSED.take());
        }
        let log = match way {
            Way::Whole => log,
            Way::Pruned => log.prune_if_full(Retention::all().at_most_segments(1)),
        };
        let (log, _) = log.env(Arc::new(SeededEnv::of(disk))).open()?;
        Ok(Self { log, lingers: AtomicU32::new(lingers) })
    }

    /// The handle that was closed before is called meanwhile, and in the end it is dropped.
    fn appends(&self) {
        let Some(closed) = CLOSED.take() else { return };
        assert!(closed.append(b"late").is_err(), "a closed handle takes a record");
        assert!(
            closed.truncate_after(closed.first_lsn()).is_err()
                || closed.last_lsn() <= closed.first_lsn()
        );
        closed.prune_before(closed.last_lsn()).ok();
        closed.sync().ok();
        closed.close().ok();
        if self.lingers.fetch_sub(1, Ordering::Relaxed) != 1 {
            CLOSED.set(Some(closed));
        }
    }
}

/// How a log is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As it is.
    Whole,
    /// All but the newest segment goes, where the disk is full.
    Pruned,
}

/// Where the strategy commits within the append, that may fail for a record that is staged all the
/// same; the wait for it then says so again.
fn staged(appended: Result<Lsn>) -> Result<Lsn> {
    appended.or_else(|error| error.at_lsn().ok_or(error))
}

impl LogUnderTest for Product {
    fn append(&self, payload: &[u8]) -> Result<Lsn> {
        self.appends();
        staged(self.log.append(payload))
    }

    fn append_batch(&self, payloads: &[Vec<u8>]) -> Result<Lsn> {
        self.appends();
        let lsns = self.log.append_batch(payloads);
        staged(lsns.map(|lsns| lsns.last().copied().unwrap_or(Lsn::ZERO)))
    }

    /// Durable, whatever the strategy says.
    fn wait(&self, lsn: Lsn) -> Result<()> {
        self.log.wait_for_lsn(lsn).wait()?;
        if self.log.acknowledges() == Acknowledgement::Durable { Ok(()) } else { self.log.sync() }
    }

    fn sync(&self) -> Result<()> {
        self.log.sync()
    }

    fn durable_lsn(&self) -> Lsn {
        self.log.durable_lsn()
    }

    fn entries(&self, from: Lsn) -> Result<Vec<(Lsn, Vec<u8>)>> {
        let from = from.max(self.log.first_lsn());
        let entries = self.log.read_from(from)?;
        let entries = entries.map(|entry| entry.map(|entry| (entry.lsn, entry.payload.to_vec())));
        let mut entries: Vec<_> = entries.collect::<Result<_>>()?;
        // What is only written is shown as well, and may be lost.
        let durable = self.log.durable_lsn();
        entries.retain(|(lsn, _)| *lsn <= durable);
        Ok(entries)
    }

    fn prune_before(&self, lsn: Lsn) -> Result<()> {
        self.log.prune_before(lsn).map(drop)
    }

    fn truncate_after(&self, lsn: Lsn) -> Result<()> {
        self.log.truncate_after(lsn)
    }

    fn close(self: Box<Self>) -> Result<()> {
        let said = self.log.close();
        // A close that found no room has closed nothing yet, and holds the lock until it is dropped.
        // One in a child is the parent's.
        let kind = said.as_ref().err().map(wal::Error::kind);
        if !matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::Fenced)) {
            CLOSED.set(Some(self.log));
        }
        said
    }
}

/// Chance that is the same in every run of a case, and never the same twice in one: by how much was
/// done to the disk when the log was opened.
#[derive(Debug)]
struct SeededEnv(AtomicU64);

impl SeededEnv {
    fn of(disk: &SimDisk) -> Self {
        Self(AtomicU64::new(disk.operations() << 20))
    }
}

impl Env for SeededEnv {
    fn now(&self) -> u64 {
        1_700_000_000_000_000_000
    }

    fn random(&self) -> u64 {
        let turn = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let mixed = (turn ^ (turn >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    fn process(&self) -> u32 {
        PROCESS.get()
    }
}

/// A world in which the product is opened like this.
fn world<O>(name: &str, profile: Profile, open: O) -> World
where
    O: Fn(&SimDisk, Way) -> Result<Product> + Send + Sync + 'static,
{
    let open = Arc::new(open);
    let pruned = Arc::clone(&open);
    World::new(name, profile, move |disk: SimDisk| open(&disk, Way::Whole))
        .way_on(move |disk: SimDisk| pruned(&disk, Way::Pruned), full::dead_end)
        .forks(in_child)
        .beside(|disk: SimDisk| full::read(&disk))
        .before_damage(|disk: SimDisk| full::read_before_damage(&disk))
}

/// The plain store on these disks.
pub(crate) fn on_sim_store(name: &str, profile: Profile, setup: Setup) -> World {
    world(name, profile, move |disk, way| {
        Product::open(disk, Arc::new(SimStore::new(disk.clone())), setup, way)
    })
}

/// The file store's code on these disks.
pub(crate) fn on_files(
    name: &str,
    profile: Profile,
    preparation: Preparation,
    setup: Setup,
) -> World {
    on_files_with(name, profile, setup, move |store| store.preparation(preparation))
}

/// As [`on_files`], the store made so. What is to be prepared ahead is prepared as late as it can be.
pub(crate) fn on_files_with(
    name: &str,
    profile: Profile,
    setup: Setup,
    with: impl Fn(FileStore) -> FileStore + Send + Sync + 'static,
) -> World {
    world(name, profile, move |disk, way| {
        let store = with(FileStore::over(Arc::new(SimFiles::new(disk.clone()))));
        Product::open(disk, Arc::new(PreparedAhead(store)), setup, way)
    })
}

/// The file store's code on these disks, its preparing thread between any two file operations.
pub(crate) fn paced(
    name: &str,
    profile: Profile,
    syncs: BesideSyncs,
    with: impl Fn(FileStore, &mut Tape) -> (FileStore, Setup) + Send + Sync + 'static,
) -> World {
    world(name, profile, move |disk, way| {
        let mut tape = Tape::random(disk.operations());
        let pace = Pace::of(disk, syncs);
        let (store, setup) = with(FileStore::over(pace.files(disk)), &mut tape);
        let store = Arc::new(store.ahead(Ahead::Caller));
        pace.drives(&store);
        Product::open(disk, store, setup, way)
    })
}

impl Prepares for FileStore {
    fn prepare_next(&self) -> io::Result<bool> {
        Self::prepare_next(self)
    }
}

/// Every setting by chance, and another one at each opening.
fn drawn(store: FileStore, tape: &mut Tape) -> (FileStore, Setup) {
    let preparation = match tape.choose(4) {
        0 => Preparation::Whole,
        1 => Preparation::None,
        2 => Preparation::Chunks(4096),
        _ => Preparation::ZeroFill,
    };
    let recycling = [Recycling::Off, Recycling::Keep(1), Recycling::Keep(3)];
    let (alignment, writing) = match tape.choose(4) {
        0 => (8, Writing::Buffered),
        1 => (512, Writing::Buffered),
        2 => (4096, Writing::Synced),
        _ => (4096, Writing::Direct),
    };
    let store = store.preparation(preparation).writing(writing);
    let store = store.recycling(recycling[tape.choose(3) as usize]);
    (store, Setup { alignment, ..Setup::PLAIN })
}

/// As [`drawn`], and the settings of the log besides: another segment size, another strategy, bounds
/// that leave less in flight than a segment holds, and transforms that add bytes or take some away.
pub(crate) fn settings(store: FileStore, tape: &mut Tape) -> (FileStore, Setup) {
    let (store, setup) = drawn(store, tape);
    let strategies = [
        Strategy::GroupCommit,
        Strategy::Os,
        Strategy::Interval(Duration::from_millis(10)),
        Strategy::Sync,
    ];
    let limits = [None, Some(LEAST_LIMIT), Some(2000)];
    let stores = [Stores::Plain, Stores::Grown, Stores::Shrunk];
    let setup = Setup {
        strategy: strategies[tape.choose(4) as usize],
        segment_size: [16, 16, 24, 64][tape.choose(4) as usize] * 1024,
        limit: limits[tape.choose(3) as usize],
        stores: stores[tape.choose(3) as usize],
        ..setup
    };
    (store, setup)
}

/// The least that a record may have in the world `settings`, in bytes.
const LEAST_LIMIT: usize = 1000;

/// Every setting by chance, and other ones at each opening, on these disks.
pub(crate) fn in_all_settings(name: &str, profile: Profile) -> World {
    paced(name, profile, BesideSyncs::Comes, settings).may_refuse_above(LEAST_LIMIT)
}

/// All worlds that the product is searched in.
pub(crate) fn worlds() -> Vec<World> {
    let (strict, plain) = (Profile::STRICT, Setup::PLAIN);
    let sync = Setup { strategy: Strategy::Sync, ..plain };
    let aligned = Setup { alignment: 4096, ..plain };
    vec![
        on_files("files", strict, Preparation::Whole, plain),
        on_sim_store("sim", strict, plain),
        on_files("bytes", strict.atom(Atom::Byte), Preparation::Chunks(4096), plain),
        on_files("journaled", Profile::JOURNALED, Preparation::None, plain),
        // A disk that may garble the whole block it is rewriting.
        on_files(
            "aligned",
            strict.atom(Atom::Page).damage(Damage::Atom),
            Preparation::Whole,
            aligned,
        ),
        on_files("stale", strict.tail(Tail::Stale), Preparation::None, plain),
        on_sim_store("sync", strict.atom(Atom::Byte), sync),
        on_files("zero-filled", strict, Preparation::ZeroFill, sync),
        on_files_with("recycled", strict, plain, |store| store.recycling(Recycling::Keep(2))),
        on_files_with("zeros-ahead", strict, plain, |store| {
            store.preparation(Preparation::ZerosAhead(4096)).ahead(Ahead::Caller)
        }),
        on_files_with("recycled-bytes", strict.atom(Atom::Byte), sync, |store| {
            store.preparation(Preparation::None).recycling(Recycling::Keep(1)).ahead(Ahead::Caller)
        }),
        on_files_with(
            "everything",
            strict.atom(Atom::Page).damage(Damage::Atom),
            aligned,
            |store| {
                store
                    .preparation(Preparation::ZeroFill)
                    .recycling(Recycling::Keep(2))
                    .ahead(Ahead::Caller)
                    .writing(Writing::Direct)
            },
        ),
        paced("paced", strict, BesideSyncs::Comes, |store, _| (store, Setup::PLAIN)),
        paced("paced-zeros", strict, BesideSyncs::Waits, |store, _| {
            let zeros = Preparation::ZerosAhead(4096);
            (store.preparation(zeros).recycling(Recycling::Keep(1)), Setup::PLAIN)
        }),
        paced("drawn", strict, BesideSyncs::Comes, drawn),
        in_all_settings("settings", strict),
        in_all_settings("settings-bytes", strict.atom(Atom::Byte)),
    ]
}
