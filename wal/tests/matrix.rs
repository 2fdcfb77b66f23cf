//! Every part with every other: codec × transform × store × strategy × strategy after a reopen ×
//! replay engine.
//!
//! Each combination writes records of its codec over several segments, alone and in batches, closes,
//! opens under the other strategy, prunes, goes on, and replays through the engine; what comes out
//! is compared with a model. A part that is new is one line in its table.
//!
//! By default, every pair of parts meets in some combination; with `WAL_MATRIX=full` all
//! combinations are tried.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use common::StillEnv;
use tempfile::TempDir;
#[cfg(feature = "bincode")]
use wal::parts::codec::Bincode;
use wal::parts::codec::{Binary, Operation, Raw};
use wal::parts::core::{
    Applications, Applied, Codec, ReplayEngine, ReplayTarget, Scope, SegmentStore, Transform,
    TransformId,
};
use wal::parts::segment::MemoryStore;
use wal::{
    CodecId, Config, Entry, Error, ErrorKind, Grouping, Lsn, Preparation, Reader, Result,
    Sequential, Strategy, Verdict, Wal,
};
use wal_testkit::{Profile, SimDisk, SimStore};

/// The codecs, each over records of its own type.
const CODECS: &[(&str, CodecRow)] = &[
    ("raw", || Box::new(Typed(Raw, raw_record))),
    ("binary", || Box::new(Typed(Binary, operation))),
    #[cfg(feature = "bincode")]
    ("bincode", || Box::new(Typed(Bincode, operation))),
];

/// What frames go through.
const TRANSFORMS: &[(&str, TransformRow)] =
    &[("plain", || None), ("runs", || Some(Arc::new(RunLength)))];

/// Where segments live.
const STORES: &[(&str, StoreRow)] = &[
    ("memory", || Place::store(MemoryStore::new())),
    ("simulated", || Place::store(SimStore::new(SimDisk::new(Profile::STRICT)))),
    ("files", || Place::files(Preparation::None)),
    ("files, whole", || Place::files(Preparation::Whole)),
    ("files, in chunks", || Place::files(Preparation::Chunks(8 * 1024))),
    ("files, zero-filled", || Place::files(Preparation::ZeroFill)),
];

/// Who syncs, and when.
const STRATEGIES: &[(&str, StrategyRow)] = &[
    ("sync", |config| config.strategy = Strategy::Sync),
    ("group commit", |config| config.strategy = Strategy::GroupCommit),
    ("group commit in windows", |config| {
        config.strategy = Strategy::GroupCommit;
        config.group_commit = Some(Grouping::new(Duration::from_millis(1), 10));
    }),
    ("flush thread", |config| {
        config.strategy = Strategy::FlushThread;
        config.group_commit = Some(Grouping::new(Duration::from_millis(1), 10));
    }),
    ("pipelined", |config| config.strategy = Strategy::Pipelined),
    ("parallel", |config| config.strategy = Strategy::Parallel),
    ("interval", |config| config.strategy = Strategy::Interval(Duration::from_millis(2))),
    ("os", |config| config.strategy = Strategy::Os),
    #[cfg(feature = "tokio")]
    ("tokio", |config| config.strategy = Strategy::Tokio),
];

/// Who replays.
const ENGINES: &[(&str, EngineRow)] = &[
    ("one by one", || Box::new(Sequential::new())),
    ("in groups", || Box::new(Sequential::grouped(7))),
];

type CodecRow = fn() -> Box<dyn Face>;
type TransformRow = fn() -> Option<Arc<dyn Transform>>;
type StoreRow = fn() -> Place;
type StrategyRow = fn(&mut Config);
type EngineRow = fn() -> Box<dyn ReplayEngine>;

/// How many parts each table has; the strategies twice.
const SIZES: [usize; 6] = [
    CODECS.len(),
    TRANSFORMS.len(),
    STORES.len(),
    STRATEGIES.len(),
    STRATEGIES.len(),
    ENGINES.len(),
];

/// A part of each table.
type Combination = [usize; 6];

#[test]
fn every_part_works_with_every_other() {
    let combinations = match std::env::var("WAL_MATRIX").as_deref() {
        Ok("full") => all(),
        Ok(other) => panic!("WAL_MATRIX is {other}, and only full is known"),
        Err(_) => pairwise(),
    };
    #[cfg(feature = "tokio")]
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    #[cfg(feature = "tokio")]
    let _entered = runtime.enter();
    println!("{} of {} combinations", combinations.len(), all().len());
    for combination in combinations {
        let named = Named(combination);
        println!("{named}");
        run(combination).unwrap_or_else(|error| panic!("{named}: {error:?}"));
    }
}

#[test]
fn the_short_form_has_every_pair() {
    let chosen = pairwise();
    assert!(chosen.len() * 4 < all().len(), "{} are no short form", chosen.len());
    for pair in all().into_iter().flat_map(pairs) {
        assert!(chosen.iter().any(|&combination| pairs(combination).any(|other| other == pair)));
    }
}

/// The log's life under this combination.
fn run(combination: Combination) -> Result<()> {
    let [codec, transform, store, before, after, engine] = combination;
    let face = CODECS[codec].1();
    let transform = TRANSFORMS[transform].1();
    let place = STORES[store].1();
    let mut model = BTreeMap::new();

    let wal = place.open(STRATEGIES[before].1, face.id(), transform.clone())?;
    face.append(&wal, 1..=60, &mut model)?;
    let last = wal.last_lsn();
    wal.wait_for_lsn(last).wait()?;
    assert!(wal.current_segment().is_some_and(|(id, _)| id.get() > 2), "it did not rotate");
    wal.close()?;
    drop(wal);

    let wal = place.open(STRATEGIES[after].1, face.id(), transform.clone())?;
    assert_eq!(wal.last_lsn(), last);
    face.append(&wal, 61..=90, &mut model)?;
    let first = wal.prune_before(Lsn::new(40))?;
    assert!(first > Lsn::FIRST && first <= Lsn::new(40), "pruned up to {first}");
    model.retain(|&lsn, _| lsn >= first.get());
    wal.sync()?;
    face.check(&wal, &model)?;
    let mut target = Collect(BTreeMap::new());
    let report = ENGINES[engine].1().replay(&mut wal.read_from(first)?, &mut target)?;
    assert_eq!((report.entries, report.last_lsn), (model.len() as u64, wal.last_lsn()));
    assert!(target.0 == model, "the engine applied something else");
    wal.close()?;
    drop(wal);

    let found = Reader::with_store(place.reopened()?).verify(|_| ())?;
    assert_eq!(found.verdict, Verdict::Clean, "{found:?}");
    let wal = place.open(STRATEGIES[before].1, face.id(), transform)?;
    face.check(&wal, &model)
}

/// A codec with the type of its records forgotten; a record is named by its number.
trait Face {
    fn id(&self) -> CodecId;

    /// Appends the records of these numbers, alone and in batches of three; their bytes go into the
    /// model.
    fn append(
        &self,
        wal: &Wal,
        numbers: std::ops::RangeInclusive<u64>,
        model: &mut BTreeMap<u64, Vec<u8>>,
    ) -> Result<()>;

    /// Holds where the log decodes to the records of the model.
    fn check(&self, wal: &Wal, model: &BTreeMap<u64, Vec<u8>>) -> Result<()>;
}

struct Typed<C, R>(C, fn(u64) -> R);

impl<R: PartialEq + fmt::Debug, C: Codec<R> + Clone + 'static> Face for Typed<C, R> {
    fn id(&self) -> CodecId {
        self.0.id()
    }

    fn append(
        &self,
        wal: &Wal,
        numbers: std::ops::RangeInclusive<u64>,
        model: &mut BTreeMap<u64, Vec<u8>>,
    ) -> Result<()> {
        let log = wal.typed::<R, C>(self.0.clone())?;
        let records: Vec<_> = numbers.clone().map(self.1).collect();
        for (number, record) in numbers.zip(&records) {
            let mut bytes = Vec::new();
            self.0.encode(record, &mut bytes)?;
            model.insert(number, bytes);
        }
        for (turn, group) in records.chunks(3).enumerate() {
            if turn % 2 == 0 {
                log.append_batch(group)?;
                continue;
            }
            for record in group {
                let lsn = log.append(record)?;
                log.wait_for_lsn(lsn).wait()?;
            }
        }
        Ok(())
    }

    fn check(&self, wal: &Wal, model: &BTreeMap<u64, Vec<u8>>) -> Result<()> {
        let log = wal.typed::<R, C>(self.0.clone())?;
        let mut lsns = model.keys();
        for entry in log.read_from(wal.first_lsn())? {
            let (lsn, record) = entry?;
            assert_eq!(Some(&lsn.get()), lsns.next());
            assert!(record == self.1(lsn.get()), "LSN {lsn} is another record");
        }
        assert_eq!(lsns.next(), None, "records are missing");
        Ok(())
    }
}

fn raw_record(number: u64) -> Vec<u8> {
    let mut record = number.to_le_bytes().to_vec();
    record.resize(900 + usize::try_from(number % 7).unwrap() * 150, 0);
    // Half of it repeats, half of it does not.
    record.extend((0..500_u64).map(|at| (at * number).wrapping_mul(0x9e37_79b9).to_le_bytes()[2]));
    record
}

fn operation(number: u64) -> Operation {
    match number % 5 {
        0 => Operation::delete("orders", number.to_le_bytes()),
        1 => Operation::commit(number),
        _ => Operation::put("orders", number.to_le_bytes(), raw_record(number)).within(number),
    }
}

/// A place that a log lives in and that outlives it.
struct Place {
    dir: Option<TempDir>,
    /// `None` for the files in the directory.
    store: Option<Arc<dyn SegmentStore>>,
    preparation: Preparation,
    env: Arc<StillEnv>,
}

impl Place {
    fn store(store: impl SegmentStore + 'static) -> Self {
        let (store, env) = (Some(Arc::new(store) as _), Arc::default());
        Self { dir: None, store, preparation: Preparation::default(), env }
    }

    fn files(preparation: Preparation) -> Self {
        let dir = Some(tempfile::tempdir().unwrap());
        Self { dir, store: None, preparation, env: Arc::default() }
    }

    fn open(
        &self,
        strategy: StrategyRow,
        codec: CodecId,
        transform: Option<Arc<dyn Transform>>,
    ) -> Result<Wal> {
        let mut config = Config::default();
        config.segment_size = 16 * 1024;
        strategy(&mut config);
        config.preparation = Some(self.preparation);
        let builder = match (&self.store, &self.dir) {
            (Some(store), _) => Wal::with_store(Arc::clone(store)),
            (None, Some(dir)) => Wal::builder(dir.path()),
            (None, None) => unreachable!("a place has a store or a directory"),
        };
        let builder = builder.config(config).codec(codec).env(Arc::clone(&self.env) as _);
        let builder = transform.into_iter().fold(builder, wal::Builder::transform);
        builder.open().map(|(wal, _)| wal)
    }

    fn reopened(&self) -> Result<Arc<dyn SegmentStore>> {
        let files = |dir: &TempDir| wal::parts::segment::FileStore::open_read_only(dir.path());
        match (&self.store, &self.dir) {
            (None, Some(dir)) => {
                Ok(Arc::new(files(dir).map_err(|cause| Error::io("opening failed", cause))?))
            }
            (store, _) => Ok(Arc::clone(store.as_ref().unwrap())),
        }
    }
}

/// A transform in a few lines: runs of a byte as their length. Skips what would grow.
#[derive(Debug)]
struct RunLength;

impl Transform for RunLength {
    fn id(&self) -> TransformId {
        TransformId(200)
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        let start = out.len();
        for run in body.chunk_by(|one, other| one == other) {
            for piece in run.chunks(255) {
                out.push(u8::try_from(piece.len()).expect("255 at the most"));
                out.push(piece[0]);
            }
        }
        if out.len() - start < body.len() {
            return Ok(Applied::Stored);
        }
        out.truncate(start);
        Ok(Applied::Skipped)
    }

    fn undo(&self, stored: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        for run in stored.chunks(2) {
            let &[len, byte] = run else {
                return Err(Error::new(ErrorKind::Corrupt, "half a run"));
            };
            out.resize(out.len() + usize::from(len), byte);
            if out.len() - start > limit {
                return Err(Error::new(ErrorKind::Corrupt, "more than a body may have"));
            }
        }
        Ok(())
    }
}

struct Collect(BTreeMap<u64, Vec<u8>>);

impl ReplayTarget for Collect {
    fn apply(&mut self, group: &[Entry]) -> Result<Applications> {
        self.0.extend(group.iter().map(|entry| (entry.lsn.get(), entry.payload.to_vec())));
        Ok(Applications::new(group.len() as u64, 0))
    }

    fn scope(&self, _: &Entry) -> Scope {
        Scope::Barrier
    }
}

fn all() -> Vec<Combination> {
    let mut all = vec![[0; 6]];
    for (table, &size) in SIZES.iter().enumerate() {
        let longer = |combination: Combination| {
            (0..size).map(move |part| {
                let mut combination = combination;
                combination[table] = part;
                combination
            })
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

/// The pairs of parts that meet in a combination: two tables, and a part of each.
fn pairs(combination: Combination) -> impl Iterator<Item = [(usize, usize); 2]> {
    (0..SIZES.len()).flat_map(move |one| {
        (one + 1..SIZES.len())
            .map(move |other| [(one, combination[one]), (other, combination[other])])
    })
}

/// Combinations in which every pair meets, each chosen for the most pairs that have not met yet.
fn pairwise() -> Vec<Combination> {
    let mut left: std::collections::BTreeSet<_> = all().into_iter().flat_map(pairs).collect();
    let mut chosen = Vec::new();
    while !left.is_empty() {
        let met = |&combination: &Combination| {
            pairs(combination).filter(|pair| left.contains(pair)).count()
        };
        let best = all().into_iter().max_by_key(met).expect("no table is empty");
        for pair in pairs(best) {
            left.remove(&pair);
        }
        chosen.push(best);
    }
    chosen
}

struct Named(Combination);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [codec, transform, store, before, after, engine] = self.0;
        let (codec, transform) = (CODECS[codec].0, TRANSFORMS[transform].0);
        let (store, engine) = (STORES[store].0, ENGINES[engine].0);
        let (before, after) = (STRATEGIES[before].0, STRATEGIES[after].0);
        write!(f, "{codec} · {transform} · {store} · {before}, then {after} · {engine}")
    }
}
