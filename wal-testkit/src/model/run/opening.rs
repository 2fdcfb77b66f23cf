//! Opens the log of a [`Run`], and checks what it shows.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wal_core::{Error, ErrorKind};

use super::super::World;
use super::super::checks::{Crash, Found, Rot};
use super::super::invariant::{Check, Invariant, Violation};
use super::super::reference::Reference;
use super::super::world::Open;
use super::full::{may_prune, opens_full};
use super::{Faults, Flow, Run, Stop, apart};
use crate::allocated::allocated;
use crate::{Counts, LogUnderTest, Room, SimDisk};

impl Run<'_> {
    /// Opens the log; by way of pruning, where the disk is full.
    fn opens(&mut self, disk: &SimDisk) -> Result<Opened, Violation> {
        let opened = open(self.world, disk)?;
        let full = opened.as_ref().is_err_and(|error| error.kind() == ErrorKind::StorageFull);
        let full = full && self.rot == Rot::None && self.room != Room::Plenty && !disk.is_off();
        match &self.world.way_on {
            Some(way_on) if full => {
                self.tell_error(opened.as_ref().err());
                may_prune(&mut self.reference);
                open_by(&way_on.open, disk)
            }
            _ => Ok(opened),
        }
    }

    /// Opens the log, where it is not open, and checks what it shows.
    pub(super) fn up(&mut self) -> Result<Flow, Stop> {
        while self.log.is_none() {
            self.full = false;
            let disk = self.disk.clone();
            if self.rot == Rot::None && self.armed.is_none() {
                apart(|| opens_full(self.world, &disk, &self.reference, self.crash))?;
            }
            let opened = match self.opens(&disk) {
                Ok(opened) => opened,
                Err(_) if self.disk.is_off() => {
                    self.power_fails()?;
                    return Ok(Flow::Down);
                }
                Err(violation) => return Err(violation.into()),
            };
            match opened {
                Ok((log, found)) => {
                    self.reference.recovered(&found, self.crash, self.rot)?;
                    self.tell(|| format!("  opened, with records {:?}", found.extent()));
                    self.log = Some(log);
                    self.crash = Crash::None;
                }
                Err(error) if self.disk.is_off() => {
                    self.tell_error(Some(&error));
                    self.power_fails()?;
                    return Ok(Flow::Down);
                }
                Err(error) if self.rot != Rot::None => {
                    self.tell_error(Some(&error));
                    let loud = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
                    Invariant::LoudCorruption.holds(loud, || {
                        format!("damage is told as {:?}: {}", error.kind(), error.report())
                    })?;
                    return Ok(Flow::Over);
                }
                Err(error) if self.faults == Faults::Armed || self.room != Room::Plenty => {
                    self.tell_error(Some(&error));
                    let said =
                        self.faults == Faults::Armed || error.kind() == ErrorKind::StorageFull;
                    Invariant::FullDisk.holds(said, || {
                        format!("a recovery fails on a full disk as {}", error.report())
                    })?;
                    self.heals();
                }
                Err(error) => return Err(unopened(&error).into()),
            }
            if self.rot != Rot::None {
                return Ok(Flow::Over);
            }
        }
        Ok(Flow::On)
    }
}

/// A log with what it shows, or why it does not open.
pub(super) type Opened = Result<(Box<dyn LogUnderTest>, Found), Error>;

/// Opens a log and reads it.
pub(super) fn open(world: &World, disk: &SimDisk) -> Result<Opened, Violation> {
    open_by(&world.open, disk)
}

/// As [`open`], in this way.
pub(super) fn open_by(by: &Open, disk: &SimDisk) -> Result<Opened, Violation> {
    let mut cost = None;
    let mut after = disk.counts();
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let (before, held) = (disk.counts(), disk.used());
        let (log, most) = allocated(|| by(disk.opener()));
        after = disk.counts();
        cost = Some(Cost { before, held, most });
        let log = log?;
        let found = Found::of(&*log)?;
        Ok((log, found))
    }));
    if let Some(cost) = cost {
        cost.is_bounded(&after)?;
    }
    match disk.breach() {
        Some(breach) => Err(Invariant::Ownership.broken(breach)),
        None => opened.map_err(|panic| panicked("opening", &*panic)),
    }
}

/// Recovers an image alone, and hands out what was found.
pub(super) fn recover(
    world: &World,
    image: &SimDisk,
    reference: &mut Reference,
    shown: &mut Option<Found>,
) -> Check {
    let (log, found) = open(world, image)?.map_err(|error| unopened(&error))?;
    image.crash_at(0);
    drop(log);
    reference.recovered(&found, Crash::Power, Rot::None)?;
    *shown = Some(found);
    Ok(())
}

/// I10: it does not open.
fn unopened(error: &Error) -> Violation {
    Invariant::Total.broken(format!("the log does not open: {}", error.report()))
}

/// I10: it panics.
pub(super) fn panicked(what: &str, panic: &(dyn std::any::Any + Send)) -> Violation {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
    Invariant::Total.broken(format!("{what} panics: {text}"))
}

/// What an opening takes: not what is in the log, but what is on the disk bounds it.
struct Cost {
    before: Counts,
    /// Bytes on the disk before it.
    held: u64,
    /// The most memory that it had at a time, where that is counted.
    most: u64,
}

/// An opening reads a byte of the disk no more often than this,
const READ_TIMES: u64 = 8;

/// and this many bytes besides, whatever there is: headers, anchors, looks at what is not there.
const READ_BESIDES: u64 = 128 * 1024;

/// Nor has it more memory at a time than this many times what is on the disk; the simulated disk keeps
/// in memory what is written to it.
const MEMORY_TIMES: u64 = 8;

/// And this much besides, in bytes: buffers of a fixed size, 2 MiB of direct writing and 1 MiB of zeros or of
/// what is read.
const MEMORY_BESIDES: u64 = 4 << 20;

impl Cost {
    /// I10: in time and memory, too. A read is of 512 bytes at the least, on the average.
    fn is_bounded(&self, after: &Counts) -> Check {
        let Self { before, held, most } = self;
        let bytes = after.bytes_read.saturating_sub(before.bytes_read);
        let reads = after.reads.saturating_sub(before.reads);
        let may = READ_TIMES * held + READ_BESIDES;
        Invariant::Total.holds(bytes <= may && reads <= may / 512, || {
            format!("an opening reads {bytes} bytes in {reads} reads of a disk that holds {held}")
        })?;
        Invariant::Total.holds(*most <= MEMORY_TIMES * held + MEMORY_BESIDES, || {
            format!("an opening takes {most} bytes of memory for a disk that holds {held}")
        })
    }
}
