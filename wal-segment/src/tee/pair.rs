//! [`Pair`]: two stores, which of them is lost, and how they stand to each other.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wal_core::{Guarantees, Naming, SegmentStore, Unwritten};

use super::copy;
use super::history::{History, Standing};
use super::relation::Relation;
use super::verdict::Verdict;
use super::view::Word;
use super::{Half, Mismatch, OnLoss};

pub(super) struct Pair {
    stores: [Option<Arc<dyn SegmentStore>>; 2],
    on_loss: OnLoss,
    guarantees: Guarantees,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    lost: Option<Half>,
    /// The half that all is read from.
    source: Half,
    /// Whether this handle may write.
    locked: bool,
}

impl Pair {
    pub(super) fn new(stores: [Arc<dyn SegmentStore>; 2], on_loss: OnLoss) -> io::Result<Self> {
        let [first, second] = stores.each_ref().map(|store| store.guarantees());
        let guarantees = Guarantees::new(first.durability.min(second.durability))
            .alignment(first.alignment.max(second.alignment))
            .overlapping_syncs(first.overlapping_syncs.min(second.overlapping_syncs))
            .unwritten(match first.unwritten {
                Unwritten::Zeros => second.unwritten,
                anything => anything,
            })
            .naming(match first.naming {
                Naming::AtSync => second.naming,
                _ => Naming::AtCreate,
            });
        let state = State { lost: None, source: Half::First, locked: false };
        let stores = stores.map(Some);
        let pair = Self { stores, on_loss, guarantees, state: Mutex::new(state) };
        match pair.relation() {
            Ok(Relation::Rebuilding(good)) => pair.state().source = good,
            Ok(Relation::Together) => {
                let source = pair.further()?;
                pair.state().source = source;
            }
            Ok(Relation::Fresh) => {}
            // It can be read. It cannot be written, since `lock` looks again.
            Err(error) if Mismatch::of(&error) == Some(Mismatch::NoHistory) => {}
            Err(error) => pair.without_the_one_behind(error)?,
        }
        Ok(pair)
    }

    pub(super) fn alone(store: Arc<dyn SegmentStore>, half: Half) -> io::Result<Self> {
        let history = History::read_whatever(&*store)?;
        if history.last().is_some_and(|last| last.standing() == Standing::Unfinished) {
            return Err(Mismatch::Unfinished(half).into());
        }
        let guarantees = store.guarantees();
        let state = State { lost: Some(half.other()), source: half, locked: false };
        let mut stores = [None, None];
        stores[half.index()] = Some(store);
        // With one half there is no other to go on with.
        Ok(Self { stores, on_loss: OnLoss::Fail, guarantees, state: Mutex::new(state) })
    }

    pub(super) fn guarantees(&self) -> Guarantees {
        self.guarantees
    }

    pub(super) fn on_loss(&self) -> OnLoss {
        self.on_loss
    }

    pub(super) fn lost(&self) -> Option<Half> {
        self.state().lost
    }

    pub(super) fn source(&self) -> Half {
        self.state().source
    }

    pub(super) fn set_locked(&self, locked: bool) {
        self.state().locked = locked;
    }

    /// This half's store, unless it is lost.
    pub(super) fn store(&self, half: Half) -> Option<&dyn SegmentStore> {
        if self.lost() == Some(half) { None } else { self.stores[half.index()].as_deref() }
    }

    /// The store that all is read from.
    pub(super) fn source_store(&self) -> io::Result<&dyn SegmentStore> {
        let source = self.source();
        self.store(source).ok_or_else(|| io::Error::other(format!("{source} is lost")))
    }

    /// Does `work` in each half that is not lost, the first one first; `None` of `work` means that
    /// there is nothing to do in that half.
    ///
    /// With [`OnLoss::Fail`] stops at the first failure. With [`OnLoss::GoOn`] a half that fails
    /// where the other succeeds is lost, and marked so, when this returns without an error.
    pub(super) fn each<T>(
        &self,
        mut work: impl FnMut(Half) -> Option<io::Result<T>>,
    ) -> io::Result<[Option<T>; 2]> {
        let mut results = [None, None];
        for half in Half::BOTH {
            if self.store(half).is_none() {
                continue;
            }
            let result = work(half);
            match (result, self.on_loss) {
                (Some(Err(error)), OnLoss::Fail) => return Err(error),
                (result, _) => results[half.index()] = result,
            }
        }
        self.settle(results)
    }

    /// As [`each`](Self::each), for work that is done.
    pub(super) fn settle<T>(
        &self,
        results: [Option<io::Result<T>>; 2],
    ) -> io::Result<[Option<T>; 2]> {
        let any = results.iter().flatten().any(Result::is_ok);
        let mut done = [None, None];
        for (half, result) in Half::BOTH.into_iter().zip(results) {
            match result {
                None => {}
                Some(Ok(value)) => done[half.index()] = Some(value),
                Some(Err(error)) if any => self.lose(half, error)?,
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Gives a half up that failed like this, if the pair may go on without it.
    pub(super) fn lose(&self, half: Half, cause: io::Error) -> io::Result<()> {
        let mut state = self.state();
        let survivor = half.other();
        if state.lost == Some(half) {
            return Ok(());
        }
        let (OnLoss::GoOn, None, Some(store)) =
            (self.on_loss, state.lost, self.stores[survivor.index()].as_deref())
        else {
            return Err(cause);
        };
        copy::alone(store).map_err(|error| {
            let what = format!("{half} failed ({cause}), and {survivor} cannot be marked: {error}");
            io::Error::new(error.kind(), what)
        })?;
        state.lost = Some(half);
        state.source = survivor;
        Ok(())
    }

    /// Whether a failing read may cost a half: only the writer may say so in the other.
    pub(super) fn may_lose_by_reading(&self) -> bool {
        let state = self.state();
        state.locked && state.lost.is_none() && self.on_loss == OnLoss::GoOn
    }

    /// Makes the halves the same, and marks them; both are locked.
    pub(super) fn reconcile(&self) -> io::Result<()> {
        let relation = match self.lost() {
            Some(_) => None,
            None => match self.relation() {
                Ok(relation) => Some(relation),
                Err(error) => {
                    self.without_the_one_behind(error)?;
                    None
                }
            },
        };
        let Some(relation) = relation else {
            return copy::alone(self.source_store()?).map(drop);
        };
        let stores @ [first, second] = self.both()?;
        match relation {
            Relation::Fresh => copy::advance(first, second),
            Relation::Rebuilding(Half::First) => copy::rebuild(first, second),
            Relation::Rebuilding(Half::Second) => copy::rebuild(second, first),
            Relation::Together => {
                let (verdict, views) = Verdict::between(stores)?;
                copy::settle_anchors(stores, &views, verdict)?;
                match verdict {
                    // Where there is no room for a mark, pruning has to make some, and needs the lock. The
                    // halves are the same under the marks that they have, and stay known by those.
                    Verdict::Same => match copy::advance(first, second) {
                        Err(error) if is_full(&error) => Ok(()),
                        advanced => advanced,
                    },
                    Verdict::Good(Half::First) => copy::rebuild(first, second),
                    Verdict::Good(Half::Second) => copy::rebuild(second, first),
                }
            }
        }?;
        self.state().source = Half::First;
        Ok(())
    }

    /// The half whose anchor says that the log goes further; the first where neither does. One that was
    /// put back from an older copy is so known without a lock.
    fn further(&self) -> io::Result<Half> {
        let [first, second] = self.both()?.map(Word::read);
        let end = |word| match word {
            Word::Log(anchor) => Some((anchor.newest, anchor.last_lsn)),
            _ => None,
        };
        Ok(if end(second?) > end(first?) { Half::Second } else { Half::First })
    }

    fn relation(&self) -> io::Result<Relation> {
        Relation::between(self.both()?)
    }

    fn both(&self) -> io::Result<[&dyn SegmentStore; 2]> {
        match self.stores.each_ref().map(Option::as_deref) {
            [Some(first), Some(second)] => Ok([first, second]),
            _ => Err(io::Error::other("half of the pair is not there")),
        }
    }

    /// Goes on without the half that was left behind, where that is what is wrong.
    fn without_the_one_behind(&self, error: io::Error) -> io::Result<()> {
        let (Some(Mismatch::Behind(half)), OnLoss::GoOn) = (Mismatch::of(&error), self.on_loss)
        else {
            return Err(error);
        };
        let mut state = self.state();
        state.lost = Some(half);
        state.source = half.other();
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics half-way through a change of the state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is no space.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = &self.stores;
        f.debug_struct("Pair")
            .field("first", first)
            .field("second", second)
            .field("on_loss", &self.on_loss)
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}
