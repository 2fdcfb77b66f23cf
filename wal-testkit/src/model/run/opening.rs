//! Opens the log of a [`Run`], and checks what it shows.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wal_core::{Error, ErrorKind};

use super::super::World;
use super::super::checks::{Crash, Found, Rot};
use super::super::invariant::{Check, Invariant, Violation};
use super::super::reference::Reference;
use super::{Faults, Flow, Run, Stop};
use crate::{LogUnderTest, Room, SimDisk};

impl Run<'_> {
    /// Opens the log, where it is not open, and checks what it shows.
    pub(super) fn up(&mut self) -> Result<Flow, Stop> {
        while self.log.is_none() {
            self.full = false;
            let disk = self.disk.clone();
            let opened = match open(self.world, &disk) {
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

/// Opens a log and reads it.
#[expect(clippy::type_complexity, reason = "named nowhere else")]
pub(super) fn open(
    world: &World,
    disk: &SimDisk,
) -> Result<Result<(Box<dyn LogUnderTest>, Found), Error>, Violation> {
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let log = (world.open)(disk.opener())?;
        let found = Found::of(&*log)?;
        Ok((log, found))
    }));
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
