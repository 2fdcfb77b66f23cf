//! [`Hold`]: a reader's place, from which on nothing is pruned.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use wal_core::{Env, Error, ErrorKind, Lsn, Result};

use crate::Wal;
use crate::log::lock;

/// A reader's place in a log: while this lives, nothing at or behind its LSN is pruned, neither by
/// [`prune_before`](Wal::prune_before) nor by
/// [`delete_segments_before`](Wal::delete_segments_before) nor by [`retain`](Wal::retain). Dropping
/// it lets go. [`Wal::space`] tells how much each hold keeps.
///
/// **In memory only.** After a restart there are no holds: a reader that is to be waited for takes
/// its hold again, from where it keeps its own place, before anybody prunes.
///
/// [`truncate_after`](Wal::truncate_after) is not stopped by a hold. One behind the cut moves to the
/// first record after it; what its owner had read from there on is gone, and other records get these
/// LSNs.
///
/// ```
/// # fn main() -> wal::Result<()> {
/// # let store = std::sync::Arc::new(wal::parts::segment::MemoryStore::new());
/// # let (wal, _) = wal::Wal::with_store(store).open()?;
/// let hold = wal.hold("replica-2", wal.first_lsn())?;
/// # wal.append("paid 4711")?;
/// # wal.sync()?;
/// for entry in wal.read_from(hold.lsn())? {
///     let entry = entry?;
///     // ... send it, hear that it has arrived ...
///     hold.advance(entry.lsn.next());
/// }
/// # assert_eq!(hold.lsn(), wal.last_lsn().next());
/// # wal.close()
/// # }
/// ```
#[must_use = "dropping a hold lets go of the records it keeps"]
pub struct Hold {
    holds: Arc<Holds>,
    name: Arc<str>,
}

/// The holds of a log, by name.
#[derive(Debug)]
pub(crate) struct Holds {
    places: Mutex<BTreeMap<Arc<str>, Lsn>>,
    env: Arc<dyn Env>,
    process: u32,
}

impl Wal {
    /// Keeps the records from `lsn` on from being pruned, for as long as the returned [`Hold`]
    /// lives. `lsn` may be the record to come next. Waits for a prune that is under way.
    ///
    /// - [`Invalid`](ErrorKind::Invalid): another hold has this name, or the LSN was never issued.
    /// - [`NotFound`](ErrorKind::NotFound): the record was pruned.
    pub fn hold(&self, name: impl Into<String>, lsn: Lsn) -> Result<Hold> {
        let name: Arc<str> = name.into().into();
        let _no_pruning = self.pruning()?;
        let lsn = lsn.max(Lsn::FIRST);
        self.check_issued(lsn)?;
        if lsn < self.first_lsn() {
            return Err(Error::new(ErrorKind::NotFound, "the record was pruned").lsn(lsn));
        }
        let holds = Arc::clone(self.holds());
        let mut places = holds.places();
        if places.contains_key(&name) {
            let what = format!("there is a hold named {name:?} already");
            return Err(Error::new(ErrorKind::Invalid, what).lsn(lsn));
        }
        places.insert(Arc::clone(&name), lsn);
        drop(places);
        Ok(Hold { holds, name })
    }

    /// As [`hold`](Self::hold) from the first record on, under the first name of its kind that is
    /// free.
    pub(crate) fn hold_all(&self, kind: &str) -> Result<Hold> {
        let _no_pruning = self.pruning()?;
        let lsn = self.first_lsn();
        let holds = Arc::clone(self.holds());
        let mut places = holds.places();
        let names = (2_u64..).map(|number| format!("{kind} {number}"));
        let mut names = std::iter::once(kind.to_owned()).chain(names);
        let free = names.find(|name| !places.contains_key(name.as_str()));
        let name: Arc<str> = free.unwrap_or_default().into();
        places.insert(Arc::clone(&name), lsn);
        drop(places);
        Ok(Hold { holds, name })
    }
}

impl Hold {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first record that it keeps.
    pub fn lsn(&self) -> Lsn {
        self.holds.places().get(&self.name).copied().unwrap_or_default()
    }

    /// Keeps the records from `lsn` on, and no earlier ones any more. A hold only moves forward: an
    /// LSN before its own changes nothing.
    pub fn advance(&self, lsn: Lsn) {
        if let Some(place) = self.holds.places().get_mut(&self.name) {
            *place = lsn.max(*place);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.holds.env.process() != self.holds.process {
            // A fork's copy, whose lock a thread may hold that is not there.
            return;
        }
        self.holds.places().remove(&self.name);
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold")
            .field("name", &self.name)
            .field("lsn", &self.lsn())
            .finish_non_exhaustive()
    }
}

impl Holds {
    pub(crate) fn new(env: Arc<dyn Env>) -> Self {
        Self { places: Mutex::default(), process: env.process(), env }
    }

    /// The first record that any of them keeps.
    pub(crate) fn floor(&self) -> Option<Lsn> {
        self.places().values().min().copied()
    }

    /// Each hold's name and place, by name.
    pub(crate) fn listed(&self) -> Vec<(String, Lsn)> {
        self.places().iter().map(|(name, &lsn)| (name.to_string(), lsn)).collect()
    }

    /// The log goes on with `lsn`, and what was behind is gone.
    pub(crate) fn cut(&self, lsn: Lsn) {
        for place in self.places().values_mut() {
            *place = lsn.min(*place);
        }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Lsn>> {
        lock(&self.places)
    }
}
