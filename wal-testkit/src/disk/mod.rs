//! A disk with the files of one directory, in memory, that behaves as a real one may when the power
//! fails.
//!
//! # The fault model
//!
//! **Two copies.** Every file has a *cache*, which all reads see, and a *platter*, which a power
//! cut leaves. Writes, changes of length and allocations go to the cache and wait, in order; so do
//! changes of the directory: names made, removed, renamed.
//!
//! **Syncs.** The sync of a file moves everything issued for that file before the call to its
//! platter, its size included. It says nothing of the file's name. The sync of the directory moves
//! all changes of names. (Under [`EntrySync::WithFile`] the sync of a file takes its name along.)
//!
//! **A power cut** leaves the platter and any part of what was waiting, each independently:
//!
//! - *Data* by [atoms](Atom). An atom comes back as it was at the last sync, or as it was after any
//!   write since. Atoms, writes and files keep no order among them. An atom that was being written
//!   may come back as garbage, in the bytes being written or as a whole ([`Damage`]).
//! - *Sizes* apart from data: any size the file has had since its last sync. Where the size is
//!   there and the bytes are not, the file reads as zeros, or as what the blocks held before
//!   ([`Tail`]); where the bytes are there and the size is not, they are cut off.
//! - *Cuts, extensions, allocations* happened or did not.
//! - *Names* are made, removed and renamed or not: in order, or any of them ([`DirectoryOrder`]).
//!   A rename is never half done. A removed name that comes back has the bytes of its platter.
//! - Open handles and locks are gone.
//!
//! Which part is a [`CutChoice`], or the choices of a [`Tape`]. **The cut gives a new disk**; the
//! old one goes on as if nothing had happened, so that whatever the dead process still does in the
//! background cannot touch the new one.
//!
//! **The death of the process** ([`SimDisk::kill`]) loses handles and locks and nothing else: the
//! cache stays, what waits still waits, and a power cut may lose it later.
//!
//! **Faults** ([`FaultRule`]): the n-th call of a kind fails, before, in the middle or after what it
//! does; a write or a read is short; a failed sync keeps what waits, drops it, or has done it all
//! the same ([`Fault::Dropped`] is the one that bites). A rule may be about some files only, strike
//! once, several times or for ever. **Space** is a budget in bytes; a write that does not fit is
//! short first and fails then, or [the sync fails](Space::AtSync).
//!
//! **The medium lies**, without an error: a write is lost or lands elsewhere, a sync does nothing
//! ([`Fault::Ignored`], [`Fault::Misdirected`]); a bit of a write is wrong for good, of a read once
//! ([`Fault::WrongBit`]); a byte [rots](SimDisk::flip) later, a range [cannot be
//! read](SimDisk::lose) any more; two files [trade places](SimDisk::swap), one [takes the place of
//! another](SimDisk::duplicate). What is asked of a log then is to say so or to give the right
//! data, not to have it still.
//!
//! **Time** passes only where a [`SimClock`] is moved: by the calls of a disk that has
//! [latencies](SimDisk::set_latency), or by a test. Nothing sleeps.
//!
//! **Owners.** A handle from [`SimDisk::opener`] has an identity, which its clones, its files and its
//! locks share: it stands for one opening of a log. At every operation the disk checks that
//!
//! - a file that one opener has open for writing is not removed, renamed, replaced, cut or written
//!   to by another one; a file counts from when it was made, or opened for writing by a
//!   store of files, or else from its first write on, until the last clone of the handle is gone;
//! - nothing is renamed over a file that is there;
//! - an opener goes on writing to no file, and syncs none, whose last name it has taken away, nor one
//!   that was given another use (renamed twice) since the handle began to write;
//! - an opener changes nothing while another one holds a lock, nor after it has
//!   given its own lock up. The file `LOCK` is exempt.
//!
//! A breach panics, and so does every operation after it, so that a breach by a thread whose panic
//! goes unseen ends the test all the same. The panic tells all operations so far. A disk from
//! [`SimDisk::new`], and one that a power cut or a kill has left, is the hand of the test: it may do
//! anything.
//!
//! **Not in the model**: space that is held by a removed file that is still open, and several
//! directories.
//!
//! The same calls with the same choices give the same bytes, on every machine.

mod anchor;
mod choice;
mod clock;
mod directory;
mod fault;
mod file;
mod inode;
mod owners;
mod profile;
mod state;
mod trace;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use choice::{CutChoice, ParseCutChoiceError};
pub use clock::SimClock;
pub use fault::{Call, Fault, FaultRule};
pub use file::{SimFile, SimLock};
pub use profile::{Atom, Damage, DirectoryOrder, EntrySync, Profile, Space, Tail};
pub use trace::{Counts, Event, Operation, Trace};

use crate::{Stranger, Tape};
use choice::{Fates, Fixed};
use inode::Inode;
use owners::Opener;
use state::State;

/// A simulated disk with one directory; what it may lose is [in the module](self).
///
/// A clone is another handle of the same disk. Calls are counted as *operations*, from 0, where
/// they change the disk or make a change durable; the count goes on over power cuts.
///
/// ```
/// use wal_testkit::{CutChoice, Profile, SimDisk};
///
/// let disk = SimDisk::new(Profile::STRICT);
/// let file = disk.create_new("a")?;
/// file.write_at(0, b"synced")?;
/// file.sync_data()?;
/// let after = disk.power_cut(CutChoice::Nothing);
/// assert!(after.open("a").is_err(), "nobody synced the directory");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    opener: Opener,
}

impl SimDisk {
    /// An empty disk.
    pub fn new(profile: Profile) -> Self {
        Self::of(State::new(profile))
    }

    /// A handle of the same disk with an identity of its own: one more opening of what is on it.
    /// What is checked of it is [in the module](self), under *Owners*.
    pub fn opener(&self) -> Self {
        let opener = self.state().owners.opener();
        Self { state: Arc::clone(&self.state), opener }
    }

    /// A handle of the same disk that belongs to no opening: the hand of the test, which may do
    /// anything, as the one from [`new`](Self::new) may.
    pub fn outside(&self) -> Self {
        Self { state: Arc::clone(&self.state), opener: Opener::OUTSIDE }
    }

    /// Tells this opener from all others of the disk.
    pub(crate) fn identity(&self) -> u64 {
        self.opener.number()
    }

    /// The first breach of the rules for [owners](Self::opener), if there was one.
    pub fn breach(&self) -> Option<String> {
        self.state().owners.broken().map(ToOwned::to_owned)
    }

    /// Whether a file that has a name holds these bytes in one piece, as readers see it.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        let state = self.state();
        state.directory.names().values().rev().any(|inode| state.inodes[inode].holds(bytes))
    }

    /// Makes an empty file. Its name is durable after [`sync_dir`](Self::sync_dir);
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) where the name is taken.
    pub fn create_new(&self, name: &str) -> io::Result<SimFile> {
        let name: Arc<str> = name.into();
        let inode = self.state().operate(Call::Create, &name, None, |state, operation, _| {
            if state.directory.names().contains_key(&name) {
                return Err(already_exists(&name));
            }
            state.may_name(self.opener, "makes", &name);
            let inode = state.next_inode;
            state.next_inode += 1;
            state.inodes.insert(inode, Inode::new(Arc::clone(&name)));
            let link = directory::Change::Link { name: Arc::clone(&name), inode };
            state.directory.change(operation, link);
            Ok(inode)
        })?;
        let file = SimFile::new(self.clone(), inode);
        file.writes();
        Ok(file)
    }

    /// Opens a file; [`NotFound`](io::ErrorKind::NotFound) where there is none. The handle is good
    /// also after the name is gone.
    pub fn open(&self, name: &str) -> io::Result<SimFile> {
        let inode = self.state().find(name)?;
        Ok(SimFile::new(self.clone(), inode))
    }

    /// The names of all files, ascending.
    pub fn list(&self) -> io::Result<Vec<String>> {
        let state = self.state();
        state.powered()?;
        Ok(state.directory.names().keys().map(ToString::to_string).collect())
    }

    /// Removes a name. Durable after [`sync_dir`](Self::sync_dir).
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let name: Arc<str> = name.into();
        self.state().operate(Call::Remove, &name, None, |state, operation, _| {
            let inode = state.find(&name)?;
            state.may_name(self.opener, "removes", &name);
            state.directory.change(operation, directory::Change::Unlink { name: name.clone() });
            state.was_unlinked(inode, self.opener);
            Ok(())
        })
    }

    /// Gives a file another name, over what had that name before. Durable after
    /// [`sync_dir`](Self::sync_dir).
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to): (Arc<str>, Arc<str>) = (from.into(), to.into());
        let names = format!("{from} to {to}").into();
        self.state().operate(Call::Rename, &names, None, |state, operation, _| {
            let inode = state.find(&from)?;
            state.may_name(self.opener, "renames", &from);
            state.may_name(self.opener, "replaces", &to);
            state.may_take(self.opener, &from, &to);
            let (from, to) = (Arc::clone(&from), Arc::clone(&to));
            state.directory.change(operation, directory::Change::Rename { from, to, inode });
            state.was_renamed(inode);
            Ok(())
        })
    }

    /// As [`rename`](Self::rename), but never over anything:
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) where the name is taken, and nothing has
    /// happened.
    pub fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to): (Arc<str>, Arc<str>) = (from.into(), to.into());
        let names = format!("{from} to {to}").into();
        self.state().operate(Call::Rename, &names, None, |state, operation, _| {
            let inode = state.find(&from)?;
            if state.directory.names().contains_key(&to) {
                return Err(already_exists(&to));
            }
            state.may_name(self.opener, "renames", &from);
            let (from, to) = (Arc::clone(&from), Arc::clone(&to));
            state.directory.change(operation, directory::Change::Rename { from, to, inode });
            state.was_renamed(inode);
            Ok(())
        })
    }

    /// Makes all changes of names issued before the call durable.
    pub fn sync_dir(&self) -> io::Result<()> {
        self.state().operate(Call::SyncDir, &Arc::default(), None, |state, _, fault| {
            match fault {
                Some(Fault::Dropped) => state.directory.forget_pending(),
                Some(Fault::Ignored) => {}
                _ => state.directory.sync(),
            }
            Ok(())
        })
    }

    /// Takes a lock of this name, until the returned value is dropped, the process is killed or
    /// the power fails; [`WouldBlock`](io::ErrorKind::WouldBlock) while another holds it.
    pub fn lock(&self, name: &str) -> io::Result<SimLock> {
        let mut state = self.state();
        state.powered()?;
        if !state.locks.insert(name.to_owned()) {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, format!("{name} is locked")));
        }
        state.owners.locked(self.opener);
        drop(state);
        Ok(SimLock::new(self.clone(), name))
    }

    /// From operation number `operation` on, every call fails, reads included: the machine is off.
    /// Then [`power_cut`](Self::power_cut) or [`kill`](Self::kill) tells what is left.
    pub fn crash_at(&self, operation: u64) {
        self.state().crash_at = Some(operation);
    }

    /// Whether the machine is off, since a call came to the crash point.
    pub fn is_off(&self) -> bool {
        self.state().is_off()
    }

    /// How many operations there have been, which is the number of the next one.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets calls fail by this rule, and by all rules given before it. Every rule counts every call
    /// of its kind; the oldest one that strikes decides.
    pub fn fail(&self, rule: FaultRule) {
        self.state().faults.push(rule);
    }

    /// Forgets all fault rules.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// Leaves room for this many bytes more than there are; `None` is room for ever.
    pub fn set_room(&self, bytes: Option<u64>) {
        let mut state = self.state();
        let used = state.used();
        state.room = bytes.map(|bytes| used.saturating_add(bytes));
    }

    /// Turns bits of one byte of a file over, in the cache and on the platter: the medium rots.
    pub fn flip(&self, name: &str, offset: u64, bits: u8) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.find(name)?;
        state.inode(inode).flip(offset, bits);
        state.trace.push(Event::Mishap(format!("byte {offset} of {name} rots")));
        Ok(())
    }

    /// These bytes of a file are zeros, as far as there are any, in the cache and on the platter: a block
    /// that was written never came there, or a repair of the file system has given another one.
    pub fn blank(&self, name: &str, bytes: Range<u64>) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.find(name)?;
        state.trace.push(Event::Mishap(format!("bytes {bytes:?} of {name} are zeros now")));
        state.inode(inode).blank(bytes);
        Ok(())
    }

    /// A file is no longer than this, in the cache and on the platter: a repair of the file system, or a
    /// copy that ended early.
    pub fn shorten(&self, name: &str, size: u64) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.find(name)?;
        state.trace.push(Event::Mishap(format!("{name} ends at {size} now")));
        state.inode(inode).shorten(size);
        Ok(())
    }

    /// These bytes of a file cannot be read from now on, until they are written anew: a sector that
    /// went bad.
    pub fn lose(&self, name: &str, bytes: Range<u64>) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.find(name)?;
        state.trace.push(Event::Mishap(format!("bytes {bytes:?} of {name} are lost")));
        state.inode(inode).lose(bytes);
        Ok(())
    }

    /// Two files have each other's name, on the platter too: a restore went wrong.
    pub fn swap(&self, one: &str, other: &str) -> io::Result<()> {
        let mut state = self.state();
        let (first, second) = (state.find(one)?, state.find(other)?);
        state.directory.redirect(&one.into(), second);
        state.directory.redirect(&other.into(), first);
        state.trace.push(Event::Mishap(format!("{one} and {other} trade places")));
        Ok(())
    }

    /// A copy of the first file is under the second name, in place of what was there, on the
    /// platter too.
    pub fn duplicate(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let original = state.find(from)?;
        let (copy, number) = (state.inode(original).clone(), state.next_inode);
        state.next_inode += 1;
        state.inodes.insert(number, copy);
        state.directory.redirect(&to.into(), number);
        state.trace.push(Event::Mishap(format!("{to} is a copy of {from}")));
        Ok(())
    }

    /// The bytes of every file, as the processes see them.
    pub fn contents(&self) -> io::Result<BTreeMap<String, Vec<u8>>> {
        let read = |name: String| {
            let file = self.open(&name)?;
            let mut bytes = vec![0; usize::try_from(file.size()?).map_err(io::Error::other)?];
            self.state().inode(file.number()).read_whole(&mut bytes);
            Ok((name, bytes))
        };
        self.list()?.into_iter().map(read).collect()
    }

    /// Somebody else does this, durably: it is no operation of the part under test, and no fault
    /// strikes it.
    pub(crate) fn meddle(&self, stranger: &Stranger) -> io::Result<()> {
        let mut state = self.state();
        match stranger {
            Stranger::Puts(name, bytes) => {
                let number = state.next_inode;
                state.next_inode += 1;
                let inode = Inode::durable(name.as_str().into(), bytes);
                state.inodes.insert(number, inode);
                state.directory.redirect(&name.as_str().into(), number);
            }
            Stranger::Removes(name) => {
                state.find(name)?;
                state.directory.forget(name);
            }
            Stranger::Swaps(one, other) => {
                let (first, second) = (state.find(one)?, state.find(other)?);
                state.directory.redirect(&one.as_str().into(), second);
                state.directory.redirect(&other.as_str().into(), first);
            }
            Stranger::Links(from, to) => {
                let inode = state.find(from)?;
                state.directory.redirect(&to.as_str().into(), inode);
            }
            Stranger::Nothing => {}
        }
        state.trace.push(Event::Mishap(format!("a stranger {stranger}")));
        Ok(())
    }

    /// Every call of this kind takes so much time on the disk's [clock](Self::clock), and none in
    /// truth.
    pub fn set_latency(&self, call: Call, latency: Duration) {
        self.state().latencies.insert(call, latency);
    }

    /// The clock that the calls of this disk move. Power cuts and kills leave it running.
    pub fn clock(&self) -> SimClock {
        self.state().clock.clone()
    }

    /// The disk that a power cut would leave now. It has no fault rules, no crash point, and the
    /// room there was.
    #[must_use = "the cut leaves a new disk; this one does not change"]
    pub fn power_cut(&self, choice: CutChoice) -> Self {
        let state = self.state();
        let pending = state.pending();
        let nth = |n| usize::try_from(n).ok().and_then(|n: usize| pending.get(n).copied());
        let (what, profile) = (format!("power cut, {choice}"), state.profile);
        let fixed = match choice {
            CutChoice::Nothing => Fixed::None,
            CutChoice::Everything => Fixed::All,
            CutChoice::Drop(n) => nth(n).map_or(Fixed::All, Fixed::AllBut),
            CutChoice::Only(n) => nth(n).map_or(Fixed::None, Fixed::Only),
            CutChoice::TearLast(atoms) => state
                .last_write()
                .map_or(Fixed::All, |(operation, _)| Fixed::Tear { operation, atoms }),
            CutChoice::Seed(seed) => {
                let mut tape = Tape::random(seed);
                return Self::of(state.cut(&what, &mut Fates::Tape { tape: &mut tape, profile }));
            }
        };
        Self::of(state.cut(&what, &mut Fates::Fixed { choice: fixed, profile }))
    }

    /// As [`power_cut`](Self::power_cut), with the choices of this tape.
    #[must_use = "the cut leaves a new disk; this one does not change"]
    pub fn power_cut_by(&self, tape: &mut Tape) -> Self {
        let state = self.state();
        let profile = state.profile;
        Self::of(state.cut("power cut, by tape", &mut Fates::Tape { tape, profile }))
    }

    /// Every choice without chance that makes a difference now: nothing, everything, and for each
    /// operation that may be lost all but it and it alone, and the last write torn at each atom.
    pub fn extremes(&self) -> Vec<CutChoice> {
        let state = self.state();
        let each = 0..state.pending().len() as u64;
        let atoms = state.last_write().map_or(0, |(_, atoms)| atoms);
        [CutChoice::Nothing, CutChoice::Everything]
            .into_iter()
            .chain(each.flat_map(|n| [CutChoice::Drop(n), CutChoice::Only(n)]))
            .chain((1..atoms).map(CutChoice::TearLast))
            .collect()
    }

    /// The disk after the death of all processes: what waits still waits. It has no fault rules, no
    /// crash point, and the room there was.
    #[must_use = "the kill leaves a new disk; this one does not change"]
    pub fn kill(&self) -> Self {
        let mut state = self.state().clone();
        state.start_over("process killed");
        Self::of(state)
    }

    /// All operations so far, also those before the power cuts that this disk comes from.
    pub fn trace(&self) -> Trace {
        self.state().trace.clone()
    }

    /// How often the disk was asked for what.
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// The bytes that all files with a name take.
    pub(crate) fn used(&self) -> u64 {
        self.state().used()
    }

    fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)), opener: Opener::OUTSIDE }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("SimDisk")
            .field("profile", &state.profile)
            .field("files", &state.directory.names().len())
            .field("bytes", &state.used())
            .field("operations", &state.operations)
            .finish_non_exhaustive()
    }
}

fn already_exists(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{name} is taken"))
}
