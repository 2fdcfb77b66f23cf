//! [`Case`]: one run of a law on a fresh place.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use wal_core::{Error, ErrorKind, SegmentStore, StoreLock};

use super::{At, Fresh};
use crate::store_laws::{Behind, Synced};
use crate::{
    CutChoice, Harm, History, Inflicted, LogUnderTest, Place, Room, Stranger, Traced, TracedLog,
};

/// After so many operations a call that is interrupted at each in turn ought to be through.
const MOST_INTERRUPTS: u64 = 5_000;

/// How much of a part's `Debug` a report shows.
const PART_SHOWN: usize = 200;

/// The place, and what was done to it so far.
pub(crate) struct Case<'a, Part: ?Sized> {
    fresh: Fresh<'a, Part>,
    place: Box<dyn Place<Part>>,
    at: At,
    lay: Lay<Part>,
    /// Records that are in the place before the law begins, and not seen by it.
    laid: Result<u64, Saw>,
    synced: Synced,
    history: History,
    part: RefCell<String>,
    seed: Cell<Option<u64>>,
}

/// Puts so many bytes into a fresh place, in so many records.
type Lay<Part> = fn(&dyn Place<Part>, u64) -> Result<u64, Saw>;

/// Bytes by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What a law saw that it should not have.
#[derive(Clone, Debug)]
pub(crate) struct Saw(String);

impl Saw {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// Compares what a law saw with what it wanted.
#[expect(clippy::needless_pass_by_value, reason = "so that a law reads as a sentence")]
pub(crate) fn saw<T: PartialEq<U> + fmt::Debug, U: fmt::Debug>(
    what: &str,
    seen: T,
    wanted: U,
) -> Result<(), Saw> {
    if seen == wanted {
        return Ok(());
    }
    Err(Saw(format!("{what}: saw {seen:?}, wanted {wanted:?}")))
}

impl<'a, Part: ?Sized> Case<'a, Part> {
    pub(super) fn new(fresh: Fresh<'a, Part>, at: At, lay: Lay<Part>) -> Self {
        let (place, history) = (fresh(), History::new());
        let (part, seed) = (RefCell::default(), Cell::default());
        let (laid, synced) = (lay(&*place, at.front), Synced::default());
        Self { fresh, place, at, lay, laid, synced, history, part, seed }
    }

    /// Bytes that lie before the first one of the law.
    pub(crate) fn front(&self) -> u64 {
        self.at.front
    }

    /// The unit that the part works in inside; 0 where its author named none.
    pub(crate) fn unit(&self) -> u64 {
        self.at.unit.unwrap_or(0)
    }

    /// The largest block that the part's space may come in.
    pub(crate) fn block(&self) -> u64 {
        self.unit().max(64 * 1024)
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    pub(super) fn seed(&self) -> Option<u64> {
        self.seed.get()
    }

    /// Runs `work` at a fresh place for so many seeds, or for the one in the environment variable
    /// `WAL_SEED`.
    pub(crate) fn each_seed(
        &mut self,
        seeds: u64,
        mut work: impl FnMut(&mut Self, u64) -> Result<(), Saw>,
    ) -> Result<(), Saw> {
        let only = match std::env::var(super::SEED_VARIABLE) {
            Err(_) => None,
            Ok(text) => match text.parse() {
                Ok(seed) => Some(seed),
                Err(_) => return Err(Saw(format!("WAL_SEED is set to {text:?}, no number"))),
            },
        };
        for seed in only.map_or(0..seeds, |seed: u64| seed..seed.saturating_add(1)) {
            self.renew();
            self.seed.set(Some(seed));
            work(self, seed)?;
        }
        self.seed.set(None);
        Ok(())
    }

    /// The part that was opened last, as it shows itself.
    pub(super) fn part(&self) -> String {
        self.part.borrow().clone()
    }

    /// Goes on at a fresh place.
    pub(crate) fn renew(&mut self) {
        self.place = (self.fresh)();
        self.history = History::new();
        self.laid = (self.lay)(&*self.place, self.at.front);
        self.synced = Synced::default();
    }

    pub(crate) fn inflict(&self, harm: Harm) -> Result<(), Saw> {
        let what = harm.to_string();
        self.history.note(&what);
        match self.place.inflict(harm) {
            Inflicted::Done => Ok(()),
            Inflicted::Cannot => Err(Saw(format!("the place could not do it: {what}"))),
        }
    }

    /// The files of the place, without the one that is locked.
    pub(crate) fn files(&self) -> Result<Files, Saw> {
        let files = self.place.files().ok_or_else(|| Saw::new("the place has no files to show"))?;
        Ok(files.into_iter().filter(|(name, _)| name != "LOCK").collect())
    }

    pub(crate) fn stranger(&self, does: Stranger) -> Result<(), Saw> {
        self.inflict(Harm::Stranger(does))
    }

    pub(crate) fn crash(&self) -> Result<(), Saw> {
        self.inflict(Harm::Crash(self.at.choice))
    }

    /// A crash that loses all that may be lost.
    pub(crate) fn crash_hard(&self) -> Result<(), Saw> {
        self.inflict(Harm::Crash(CutChoice::Nothing))
    }

    pub(crate) fn leave_room(&self, bytes: u64) -> Result<(), Saw> {
        self.inflict(Harm::Room(Room::Bytes(bytes)))
    }

    pub(crate) fn give_room(&self) -> Result<(), Saw> {
        self.inflict(Harm::Room(Room::Plenty))
    }

    /// Runs `work` on a fresh place again and again, each time with one operation more before the
    /// power fails, until it gets through. `work` calls [`interrupt`](Self::interrupt) where the
    /// counting begins, and says whether it got through.
    pub(crate) fn at_every_operation(
        &mut self,
        mut work: impl FnMut(&Self, u64) -> Result<Through, Saw>,
    ) -> Result<(), Saw> {
        // A part may pass over the failure of what it does last and need not do, so the first run
        // that gets through is not yet the proof.
        let mut through = 0;
        for operation in 0..MOST_INTERRUPTS {
            self.renew();
            through = match work(self, operation)? {
                Through::Yes => through + 1,
                Through::No => 0,
            };
            if through == 4 {
                return Ok(());
            }
        }
        Err(Saw(format!("it still fails when interrupted after {MOST_INTERRUPTS} operations")))
    }

    pub(crate) fn interrupt(&self, after: u64) -> Result<(), Saw> {
        self.inflict(Harm::Interrupt { after })
    }

    fn show(&self, part: &(impl fmt::Debug + ?Sized)) {
        let shown = format!("{part:?}");
        let cut = shown.char_indices().nth(PART_SHOWN).map_or(shown.len(), |(at, _)| at);
        let more = if cut < shown.len() { " .." } else { "" };
        *self.part.borrow_mut() = format!("{}{more}", &shown[..cut]);
    }
}

impl<Part: fmt::Debug + ?Sized> Case<'_, Part> {
    /// A part that nobody looks at while it works.
    pub(crate) fn part_opened(&self) -> Result<Box<Part>, Saw> {
        let part = self.place.open()?;
        self.show(&*part);
        Ok(part)
    }
}

impl Case<'_, dyn SegmentStore> {
    pub(crate) fn open(&self) -> Result<Traced, Saw> {
        let store = self.history.call("OPEN the place", self.place.open())?;
        self.show(&store);
        let store: Arc<dyn SegmentStore> = match self.at.front {
            0 => store.into(),
            front => Arc::new(Behind::new(store.into(), front, self.synced.clone())),
        };
        Ok(Traced::new(store, self.history.clone()))
    }
}

/// A store that this handle has for writing, as whatever changes it must.
pub(crate) struct Held {
    store: Traced,
    _lock: Box<dyn StoreLock>,
}

impl Case<'_, dyn SegmentStore> {
    /// Opens the store and takes it for writing.
    pub(crate) fn hold(&self) -> Result<Held, Saw> {
        let store = self.open()?;
        let lock = store.lock()?;
        Ok(Held { store, _lock: lock })
    }
}

impl Deref for Held {
    type Target = Traced;

    fn deref(&self) -> &Traced {
        &self.store
    }
}

impl Case<'_, dyn LogUnderTest> {
    pub(crate) fn open(&self) -> wal_core::Result<TracedLog> {
        let log = self.history.call("OPEN the place", self.place.open())?;
        self.show(&log);
        let laid = self.laid.clone().map_err(|saw| Error::new(ErrorKind::Io, saw.0))?;
        Ok(TracedLog::new(log, laid, self.history.clone()))
    }
}

impl fmt::Display for Saw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Saw {
    fn from(error: io::Error) -> Self {
        Self(format!("an error nobody asked for: {error}"))
    }
}

impl From<Error> for Saw {
    fn from(error: Error) -> Self {
        Self(format!("an error nobody asked for: {error:?}"))
    }
}

/// Whether an interrupted piece of work got to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    Yes,
    No,
}

impl Through {
    pub(crate) fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Yes } else { Self::No }
    }
}
