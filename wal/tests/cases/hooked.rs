//! [`Hooked`]: a store that asks before every step that changes it.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use wal::parts::core::{
    Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer, SegmentWriter,
    StoreLock,
};

/// What a store is about to do. A hook may wait or fail the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Append,
    Sync,
    Trim,
    /// Not before it: the segments were listed, and nothing was done with the list yet.
    Listed,
}

type Hook = Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;

/// Another store, and what is asked before each step of it.
pub(crate) struct Hooked {
    below: Arc<dyn SegmentStore>,
    hook: Hook,
}

impl Hooked {
    pub(crate) fn new(
        below: impl SegmentStore + 'static,
        hook: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { below: Arc::new(below), hook: Arc::new(hook) })
    }
}

/// A place where the steps of a store stop, from `shut` on and until `open`.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    shut: bool,
    stopped: u64,
}

/// Only a hang takes as long.
const PATIENCE: Duration = Duration::from_secs(60);

impl Gate {
    pub(crate) fn shut(&self) {
        self.state.lock().unwrap().shut = true;
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().shut = false;
        self.changed.notify_all();
    }

    /// Goes through, or stops here until the gate is open.
    pub(crate) fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        if state.shut {
            state.stopped += 1;
            self.changed.notify_all();
        }
        let passed = self.changed.wait_timeout_while(state, PATIENCE, |state| state.shut).unwrap();
        assert!(!passed.1.timed_out(), "the gate was never opened");
    }

    /// Whether a step has stopped here.
    pub(crate) fn is_reached(&self) -> bool {
        self.state.lock().unwrap().stopped > 0
    }

    /// Waits until a step has stopped here.
    pub(crate) fn reached(&self) {
        let state = self.state.lock().unwrap();
        let there = self.changed.wait_timeout_while(state, PATIENCE, |state| state.stopped == 0);
        assert!(!there.unwrap().1.timed_out(), "no step came to the gate");
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.below.fmt(f)
    }
}

impl SegmentStore for Hooked {
    fn guarantees(&self) -> Guarantees {
        self.below.guarantees()
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.below.lock()
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        let listed = self.below.list();
        (self.hook)(Step::Listed)?;
        listed
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        (self.hook)(Step::Create)?;
        let below = self.below.create(id, size)?;
        Ok(Box::new(Writer { below, hook: Arc::clone(&self.hook) }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        self.below.open(id)
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        (self.hook)(Step::Trim)?;
        self.below.trim(id, len)
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        self.below.remove(ids)
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        self.below.read_anchor()
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        self.below.write_anchor(bytes)
    }
}

struct Writer {
    below: Box<dyn SegmentWriter>,
    hook: Hook,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.below.fmt(f)
    }
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        (self.hook)(Step::Append)?;
        self.below.append(bytes)
    }

    fn end(&self) -> u64 {
        self.below.end()
    }

    fn space(&self) -> SegmentSpace {
        self.below.space()
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        Arc::new(Syncer { below: self.below.syncer(), hook: Arc::clone(&self.hook) })
    }
}

struct Syncer {
    below: Arc<dyn SegmentSyncer>,
    hook: Hook,
}

impl fmt::Debug for Syncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.below.fmt(f)
    }
}

impl SegmentSyncer for Syncer {
    fn sync(&self) -> io::Result<()> {
        (self.hook)(Step::Sync)?;
        self.below.sync()
    }
}
