//! [`SimKv`]: an ordered key-value store in memory that comes to every harm.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use wal_core::{Durability, Error, SegmentStore, StoreLock};
use wal_segment::{Change, KeyShape, KvStore, Locks, Order, OrderedKv, Persist, Visit};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Harm, Inflicted, Place, Room};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Of the batches that no sync covered a crash keeps any, each as a whole.
#[derive(Clone)]
pub(crate) struct SimKv(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What was there after the last crash.
    base: Map,
    seen: Map,
    batches: Vec<Batch>,
    operations: u64,
    power_off_at: Option<u64>,
    rules: Vec<Rule>,
    room: Option<usize>,
    locks: Locks,
    /// Values shown by scans.
    shown: usize,
}

struct Batch {
    operation: u64,
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Durable,
    Lost,
}

struct Rule {
    rule: FaultRule,
    struck: u64,
}

impl SimKv {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// What the keys and values take.
    pub(crate) fn contents(&self) -> Map {
        self.state().seen.clone()
    }

    /// How many values scans have shown so far.
    pub(crate) fn shown(&self) -> usize {
        self.state().shown
    }

    /// The store as a crash leaves it; this one goes on apart from it.
    pub(crate) fn crash(&self, choice: CutChoice) -> Self {
        let state = self.state();
        let mut base = state.base.clone();
        let last = state.batches.last().map(|batch| batch.operation);
        for batch in &state.batches {
            let chosen = match choice {
                CutChoice::Nothing => false,
                CutChoice::Drop(operation) => batch.operation != operation,
                CutChoice::Only(operation) => batch.operation == operation,
                CutChoice::TearLast(_) => Some(batch.operation) != last,
                CutChoice::Seed(seed) => mix(seed ^ mix(batch.operation)) & 1 == 1,
                _ => true,
            };
            if batch.fate == Fate::Durable || (batch.fate == Fate::Open && chosen) {
                make(&mut base, &batch.changes);
            }
        }
        let (seen, operations, room) = (base.clone(), state.operations, state.room);
        Self(Arc::new(Mutex::new(State { base, seen, operations, room, ..State::default() })))
    }

    /// The store as the death of its process leaves it.
    fn kill(&self) -> Self {
        let mut state = self.state();
        let (base, batches) = (state.base.clone(), std::mem::take(&mut state.batches));
        let (seen, operations, room) = (state.seen.clone(), state.operations, state.room);
        let state = State { base, seen, batches, operations, room, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }
}

fn make(map: &mut Map, changes: &[(Vec<u8>, Option<Vec<u8>>)]) {
    for (key, value) in changes {
        match value {
            Some(value) => drop(map.insert(key.clone(), value.clone())),
            None => drop(map.remove(key)),
        }
    }
}

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl State {
    fn powered(&self) -> io::Result<()> {
        match self.power_off_at {
            Some(at) if self.operations >= at => Err(io::Error::other("the power is off")),
            _ => Ok(()),
        }
    }

    fn operate(&mut self) -> io::Result<()> {
        self.powered()?;
        self.operations += 1;
        Ok(())
    }

    fn fault(&mut self, call: Call) -> Option<Fault> {
        let Rule { rule, struck } = self.rules.iter_mut().find(|rule| {
            rule.rule.call() == call
                && rule.struck < rule.rule.passing().saturating_add(rule.rule.failing())
        })?;
        *struck += 1;
        (*struck > rule.passing()).then(|| rule.fault())
    }

    fn read(&mut self) -> io::Result<()> {
        self.powered()?;
        match self.fault(Call::Read) {
            Some(Fault::Io | Fault::AfterEffect) => Err(io::Error::other("a read that failed")),
            _ => Ok(()),
        }
    }

    fn write(&mut self, changes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> io::Result<()> {
        self.operate()?;
        let fault = self.fault(Call::Write);
        if let Some(Fault::Io | Fault::Partial(_)) = fault {
            return Err(io::Error::other("a batch that failed"));
        }
        let size =
            |map: &Map| map.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let before = size(&self.seen);
        let mut seen = self.seen.clone();
        make(&mut seen, &changes);
        if let Some(room) = &mut self.room {
            let Some(left) = (*room + before).checked_sub(size(&seen)) else {
                return Err(io::ErrorKind::StorageFull.into());
            };
            *room = left;
        }
        self.seen = seen;
        self.batches.push(Batch { operation: self.operations - 1, changes, fate: Fate::Open });
        match fault {
            Some(Fault::AfterEffect) => Err(io::Error::other("a batch that failed and was made")),
            _ => Ok(()),
        }
    }

    fn settle(&mut self, from: usize) -> io::Result<()> {
        self.operate()?;
        let (fate, failed) = match self.fault(Call::Sync) {
            Some(Fault::Io) => return Err(io::Error::other("a sync that failed")),
            Some(Fault::Dropped) => (Fate::Lost, true),
            Some(Fault::AfterEffect) => (Fate::Durable, true),
            _ => (Fate::Durable, false),
        };
        for batch in &mut self.batches[from..] {
            if batch.fate == Fate::Open {
                batch.fate = fate;
            }
        }
        if failed { Err(io::Error::other("a sync that failed")) } else { Ok(()) }
    }
}

impl OrderedKv for SimKv {
    fn durability(&self) -> Durability {
        Durability::Power
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn StoreLock>> {
        let state = self.state();
        state.powered()?;
        state.locks.take(name)
    }

    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let mut state = self.state();
        state.read()?;
        Ok(state.seen.get(key).cloned())
    }

    fn scan(&self, range: Range<&[u8]>, order: Order, visit: &mut Visit<'_>) -> io::Result<()> {
        let mut state = self.state();
        state.read()?;
        let mut found = state.seen.range(range.start.to_vec()..range.end.to_vec());
        let mut shown = 0;
        while let Some((key, value)) = match order {
            Order::Ascending => found.next(),
            Order::Descending => found.next_back(),
        } {
            shown += 1;
            if visit(key, value).is_break() {
                break;
            }
        }
        state.shown += shown;
        Ok(())
    }

    fn apply(&self, batch: &[Change<'_>], persist: Persist) -> io::Result<()> {
        let owned = batch.iter().map(|change| match change {
            Change::Put(key, value) => (key.to_vec(), Some(value.to_vec())),
            Change::Delete(key) => (key.to_vec(), None),
        });
        let mut state = self.state();
        state.write(owned.collect())?;
        match persist {
            // Itself alone: whatever else waits, waits on.
            Persist::Now => {
                let last = state.batches.len() - 1;
                state.settle(last)
            }
            Persist::AtSync => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.state().settle(0)
    }
}

impl fmt::Debug for SimKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimKv").field("keys", &self.state().seen.len()).finish_non_exhaustive()
    }
}

/// A place whose log is in a [`SimKv`].
pub(crate) struct InSimKv {
    kv: Mutex<SimKv>,
    shape: KeyShape,
}

impl InSimKv {
    pub(crate) fn new(shape: KeyShape) -> Self {
        Self { kv: Mutex::new(SimKv::new()), shape }
    }
}

impl Place<dyn SegmentStore> for InSimKv {
    fn open(&self) -> wal_core::Result<Box<dyn SegmentStore>> {
        let kv = self.kv.lock().unwrap().clone();
        let store = KvStore::open(Arc::new(kv), "log", self.shape);
        Ok(Box::new(store.map_err(|cause| Error::io("the store does not open", cause))?))
    }

    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        None
    }

    fn inflict(&self, harm: Harm) -> Inflicted {
        let mut kv = self.kv.lock().unwrap();
        match harm {
            Harm::Crash(choice) => *kv = kv.crash(choice),
            Harm::Kill => *kv = kv.kill(),
            Harm::Interrupt { after } => {
                let mut state = kv.state();
                state.power_off_at = Some(state.operations.saturating_add(after));
            }
            Harm::Fault(rule) => kv.state().rules.push(Rule { rule, struck: 0 }),
            Harm::Room(Room::Bytes(bytes)) => {
                kv.state().room = Some(usize::try_from(bytes).unwrap());
            }
            Harm::Room(Room::Plenty) => kv.state().room = None,
            _ => return Inflicted::Cannot,
        }
        Inflicted::Done
    }
}
