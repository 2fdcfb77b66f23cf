//! [`State`]: a disk, behind its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::choice::Fates;
use super::clock::SimClock;
use super::directory::{Directory, InodeNumber};
use super::fault::{Call, Fault, FaultRule};
use super::inode::Inode;
use super::owners::Owners;
use super::profile::Profile;
use super::trace::{Counts, Event, Operation, Trace};

#[derive(Clone)]
pub(super) struct State {
    pub(super) profile: Profile,
    pub(super) inodes: BTreeMap<InodeNumber, Inode>,
    pub(super) directory: Directory,
    pub(super) next_inode: InodeNumber,
    pub(super) locks: BTreeSet<String>,
    pub(super) owners: Owners,
    /// The number of the next operation.
    pub(super) operations: u64,
    pub(super) crash_at: Option<u64>,
    power: Power,
    pub(super) faults: Vec<FaultRule>,
    pub(super) room: Option<u64>,
    pub(super) trace: Trace,
    pub(super) counts: Counts,
    pub(super) clock: SimClock,
    pub(super) latencies: BTreeMap<Call, Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    Off,
}

impl State {
    pub(super) fn new(profile: Profile) -> Self {
        Self {
            profile,
            inodes: BTreeMap::new(),
            directory: Directory::default(),
            next_inode: 0,
            locks: BTreeSet::new(),
            owners: Owners::default(),
            operations: 0,
            crash_at: None,
            power: Power::On,
            faults: Vec::new(),
            room: None,
            trace: Trace::default(),
            counts: Counts::default(),
            clock: SimClock::new(),
            latencies: BTreeMap::new(),
        }
    }

    /// Numbers a call, lets it fail where it must, and writes it into the trace.
    pub(super) fn operate<T>(
        &mut self,
        call: Call,
        name: &Arc<str>,
        bytes: Option<Range<u64>>,
        effect: impl FnOnce(&mut Self, u64, Option<Fault>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.powered()?;
        let number = self.operations;
        if self.crash_at.is_some_and(|at| number >= at) {
            self.power = Power::Off;
            self.trace.push(Event::Mishap(format!("power off at {call} {name}")));
            return Err(off());
        }
        self.operations += 1;
        let fault = self.strike(call, name);
        let result = match fault.and_then(|fault| fault.refusal(call)) {
            Some(refusal) => Err(refusal),
            None => effect(self, number, fault),
        };
        let result = match fault.and_then(|fault| fault.verdict(call)) {
            Some(verdict) => result.and(Err(verdict)),
            None => result,
        };
        let failure = result.as_ref().err().map(ToString::to_string);
        let operation = Operation { number, call, name: Arc::clone(name), bytes, failure };
        self.trace.push(Event::Operation(operation));
        result
    }

    /// Counts a call, lets its time pass, and says how it fails if it does.
    pub(super) fn strike(&mut self, call: Call, name: &str) -> Option<Fault> {
        self.counts.count(call);
        if let Some(&latency) = self.latencies.get(&call) {
            self.clock.advance(latency);
        }
        let strikes = self.faults.iter_mut().map(|rule| rule.strike(call, name));
        strikes.fold(None, Option::or)
    }

    pub(super) fn is_off(&self) -> bool {
        self.power == Power::Off
    }

    /// Whether calls reach the disk. After a breach of the rules for owners none does.
    pub(super) fn powered(&self) -> io::Result<()> {
        match self.power {
            Power::On => {
                if self.owners.broken().is_some() {
                    self.tell_breach();
                    return Err(off());
                }
                Ok(())
            }
            Power::Off => Err(off()),
        }
    }

    /// A rule for owners was broken.
    pub(super) fn breach(&mut self, what: &str) {
        self.trace.push(Event::Mishap(format!("BREACH: {what}")));
        self.owners.breaks(what.to_owned());
        self.tell_breach();
    }

    /// Panics, but not in the middle of another panic.
    fn tell_breach(&self) {
        let what = self.owners.broken().unwrap_or_default();
        assert!(thread::panicking(), "{what}\nthe disk:\n{}", self.trace);
    }

    pub(super) fn find(&self, name: &str) -> io::Result<InodeNumber> {
        self.powered()?;
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no file {name}"));
        self.directory.names().get(name).copied().ok_or_else(missing)
    }

    pub(super) fn inode(&mut self, inode: InodeNumber) -> &mut Inode {
        self.inodes.get_mut(&inode).expect("an inode stays as long as its disk")
    }

    /// The bytes that all files with a name take.
    pub(super) fn used(&self) -> u64 {
        let space = |(name, inode): (&Arc<str>, &InodeNumber)| {
            let space = self.inodes[inode].space();
            // What is written down in it is as long as the number of this process: the same case must
            // have the same room in every process.
            if **name == *"LOCK" { space.next_multiple_of(4096) } else { space }
        };
        self.directory.names().iter().map(space).sum()
    }

    /// How many bytes more fit.
    pub(super) fn left(&self) -> u64 {
        self.room.map_or(u64::MAX, |room| room.saturating_sub(self.used()))
    }

    /// Whether more was written than fits.
    pub(super) fn overfull(&self) -> bool {
        self.room.is_some_and(|room| self.used() > room)
    }

    /// The numbers of all operations that a power cut may lose, in order.
    pub(super) fn pending(&self) -> Vec<u64> {
        let mut pending: Vec<_> = self.inodes.values().flat_map(Inode::pending).collect();
        pending.extend(self.directory.pending());
        pending.sort_unstable();
        pending
    }

    /// The newest unsynced write, and of how many atoms it is.
    pub(super) fn last_write(&self) -> Option<(u64, u64)> {
        let atom = self.profile.atom.bytes();
        self.inodes.values().filter_map(|inode| inode.last_write(atom)).max()
    }

    pub(super) fn cut(&self, what: &str, fates: &mut Fates<'_>) -> Self {
        let names = self.directory.after_cut(fates);
        let mut inodes = BTreeMap::new();
        for (name, number) in &names {
            let mut inode = self.inodes[number].after_cut(fates);
            inode.name = Arc::clone(name);
            inodes.insert(*number, inode);
        }
        let mut state = Self {
            inodes,
            directory: Directory::new(names),
            next_inode: self.next_inode,
            owners: self.owners.clone(),
            operations: self.operations,
            room: self.room,
            trace: self.trace.clone(),
            clock: self.clock.clone(),
            latencies: self.latencies.clone(),
            ..Self::new(self.profile)
        };
        state.start_over(what);
        state
    }

    pub(super) fn start_over(&mut self, what: &str) {
        self.locks.clear();
        self.owners.start_over();
        self.crash_at = None;
        self.power = Power::On;
        self.faults.clear();
        self.counts = Counts::default();
        self.trace.push(Event::Mishap(what.to_owned()));
    }
}

fn off() -> io::Error {
    io::Error::other("the simulated machine is off")
}
