//! [`World`]: a log on a disk of some kind.

use std::fmt;

use wal_core::Result;

use crate::{LogUnderTest, Profile, SimDisk};

type Open = dyn Fn(SimDisk) -> Result<Box<dyn LogUnderTest>> + Send + Sync;

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
        Self { name: name.into(), profile, damage: Damaged::Loud, full: Full::GoesOn, open }
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
