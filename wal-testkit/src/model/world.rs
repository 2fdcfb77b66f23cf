//! [`World`]: a log on a disk of some kind.

use std::fmt;

use wal_core::{Lsn, Result};

use crate::{LogUnderTest, Profile, SimDisk};

pub(super) type Open = dyn Fn(SimDisk) -> Result<Box<dyn LogUnderTest>> + Send + Sync;

/// A log on a disk of some kind: where cases are run.
///
/// Opening must be a function of the disk: no threads, no clock, no chance but by a seed, so that a
/// case that fails fails again. [`OnWait`](super::OnWait) commits without a thread.
pub struct World {
    pub(super) name: String,
    pub(super) profile: Profile,
    pub(super) damage: Damaged,
    pub(super) full: Full,
    pub(super) open: Box<Open>,
    pub(super) way_on: Option<WayOn>,
    pub(super) in_child: Option<Box<InChild>>,
    pub(super) beside: Option<Box<Beside>>,
    pub(super) before_damage: Option<Box<Beside>>,
    pub(super) may_refuse_above: usize,
}

/// How a log goes on that has filled its disk.
pub(super) struct WayOn {
    pub(super) open: Box<Open>,
    pub(super) dead_end: Box<DeadEnd>,
}

type DeadEnd = dyn Fn(&SimDisk, OnFull) -> Option<String> + Send + Sync;
type InChild = dyn Fn(&mut dyn FnMut()) + Send + Sync;
type Beside = dyn Fn(SimDisk) -> Result<Vec<(Lsn, Vec<u8>)>> + Send + Sync;

/// What is tried on a disk that has not a byte free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// To open the log, which may give up all but its newest records.
    Open,
    /// To prune the log that is open.
    Prune,
}

/// What the log promises about bytes that were durable and are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// It says so: I7 is checked.
    Loud,
    /// Nothing: cases that damage bytes leave them alone.
    Unpromised,
}

/// What the log promises about a full disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// With room again the same handle goes on, as [`wal_core::ErrorKind::StorageFull`] says.
    GoesOn,
    /// It is a failure like any other: the log is to be opened again.
    Fails,
}

impl World {
    /// The log that `open` opens, on disks of this kind.
    pub fn new<L, O>(name: impl Into<String>, profile: Profile, open: O) -> Self
    where
        L: LogUnderTest + 'static,
        O: Fn(SimDisk) -> Result<L> + Send + Sync + 'static,
    {
        let open = Box::new(move |disk| Ok(Box::new(open(disk)?) as Box<dyn LogUnderTest>));
        Self {
            name: name.into(),
            profile,
            damage: Damaged::Loud,
            full: Full::GoesOn,
            open,
            way_on: None,
            in_child: None,
            beside: None,
            before_damage: None,
            may_refuse_above: usize::MAX,
        }
    }

    /// A log that finds its disk too full to be opened is opened by `open`, which may give up all but
    /// the newest records. Openings are then also tried on a disk that has not a byte free beside the
    /// log's own files, and what is open is pruned there. That has to work, but where `dead_end` says of
    /// the disk, before anything was tried, why it cannot.
    pub fn way_on<L, O, D>(mut self, open: O, dead_end: D) -> Self
    where
        L: LogUnderTest + 'static,
        O: Fn(SimDisk) -> Result<L> + Send + Sync + 'static,
        D: Fn(&SimDisk, OnFull) -> Option<String> + Send + Sync + 'static,
    {
        let open = Box::new(move |disk| Ok(Box::new(open(disk)?) as Box<dyn LogUnderTest>));
        self.way_on = Some(WayOn { open, dead_end: Box::new(dead_end) });
        self
    }

    /// What is called within `in_child` is called by a process that was forked off the one that opened
    /// the log, as the log sees it. Without it nothing forks.
    pub fn forks(mut self, in_child: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> Self {
        self.in_child = Some(Box::new(in_child));
        self
    }

    /// How another process reads the whole log, from its first record on, without a lock and without
    /// recovering it. Without it nobody does.
    pub fn beside<B>(mut self, read: B) -> Self
    where
        B: Fn(SimDisk) -> Result<Vec<(Lsn, Vec<u8>)>> + Send + Sync + 'static,
    {
        self.beside = Some(Box::new(read));
        self
    }

    /// How another process reads what is before the damage of a damaged log, or all of it where it finds
    /// none, as far as that goes. Without it nobody does.
    pub fn before_damage<B>(mut self, read: B) -> Self
    where
        B: Fn(SimDisk) -> Result<Vec<(Lsn, Vec<u8>)>> + Send + Sync + 'static,
    {
        self.before_damage = Some(Box::new(read));
        self
    }

    /// A record or a batch of more bytes than this may be refused as
    /// [`Invalid`](wal_core::ErrorKind::Invalid): some openings of the log have a lower limit than others.
    pub fn may_refuse_above(mut self, bytes: usize) -> Self {
        self.may_refuse_above = bytes;
        self
    }

    /// The log promises this about damage; starts as [`Damaged::Loud`].
    pub fn damaged(mut self, damage: Damaged) -> Self {
        self.damage = damage;
        self
    }

    /// The log promises this about a full disk; starts as [`Full::GoesOn`].
    pub fn full(mut self, full: Full) -> Self {
        self.full = full;
        self
    }

    /// The disks that it is on.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Opens the log on this disk, as an [opener](SimDisk::opener) of its own.
    pub fn open(&self, disk: &SimDisk) -> Result<Box<dyn LogUnderTest>> {
        (self.open)(disk.opener())
    }

    /// The name, by which a case finds its world.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("name", &self.name)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}
