//! Opens the log of a [`Run`] on a disk that has not a byte free.

use wal_core::{ErrorKind, Lsn};

use super::super::World;
use super::super::checks::{Crash, Found, Rot};
use super::super::invariant::{Check, Invariant, Violation};
use super::super::reference::Reference;
use super::super::world::OnFull;
use super::opening::{open_by, recover};
use crate::{CutChoice, LogUnderTest, SimDisk};

/// Of so many openings one is tried on a full disk, too.
const ONE_IN: u64 = 3;

/// I11: with nothing but its own files on a disk that is full to the last byte, the log opens, or does
/// so by pruning, and nothing acknowledged is lost but what pruning may take. Then an open log can be
/// pruned; a truncation works, or is "storage full" and has changed nothing; and with room it goes on.
pub(super) fn opens_full(
    world: &World,
    disk: &SimDisk,
    reference: &Reference,
    crash: Crash,
) -> Check {
    let Some(way_on) = &world.way_on else { return Ok(()) };
    if !disk.operations().is_multiple_of(ONE_IN) {
        return Ok(());
    }
    let (disk, mut reference) = (disk.kill(), reference.clone());
    reference.goes_down();
    disk.set_room(Some(0));
    let untried = disk.kill();
    let mut opened = open_by(&world.open, &disk)?;
    if opened.as_ref().is_err_and(|error| error.kind() == ErrorKind::StorageFull) {
        may_prune(&mut reference);
        opened = open_by(&way_on.open, &disk)?;
    }
    let (log, found) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let dead_end = (way_on.dead_end)(&untried, OnFull::Open);
            let full = error.kind() == ErrorKind::StorageFull;
            return Invariant::FullDisk.holds(full && dead_end.is_some(), || {
                format!("on a full disk the log is neither opened nor pruned: {}", error.report())
            });
        }
    };
    reference.recovered(&found, crash, Rot::None)?;
    let unprunable = (way_on.dead_end)(&untried, OnFull::Prune);
    if disk.operations().is_multiple_of(2) {
        truncates(&*log, &mut reference)?;
        prunes(&*log, &mut reference, unprunable.as_deref())?;
    } else {
        prunes(&*log, &mut reference, unprunable.as_deref())?;
        truncates(&*log, &mut reference)?;
    }
    goes_on(world, &disk, log, &mut reference)
}

/// Everything but the newest may go, and nobody knows what did.
pub(super) fn may_prune(reference: &mut Reference) {
    reference.prunes_before(reference.last() + 1);
}

fn prunes(log: &dyn LogUnderTest, reference: &mut Reference, unprunable: Option<&str>) -> Check {
    let last = reference.last();
    if last == 0 {
        return Ok(());
    }
    reference.prunes_before(last);
    match log.prune_before(Lsn::new(last)) {
        Ok(()) => reference.pruned(last),
        Err(error) => {
            let full = error.kind() == ErrorKind::StorageFull;
            Invariant::FullDisk.holds(full && unprunable.is_some(), || {
                format!("on a full disk an open log cannot be pruned: {}", error.report())
            })?;
        }
    }
    read(log, reference)
}

fn truncates(log: &dyn LogUnderTest, reference: &mut Reference) -> Check {
    let lsn = reference.last().saturating_sub(1).max(reference.first.end() - 1);
    if lsn >= reference.last() {
        return Ok(());
    }
    let before = Found::of(log);
    reference.truncates_after(lsn);
    match log.truncate_after(Lsn::new(lsn)) {
        Ok(()) => reference.truncated_after(lsn),
        Err(error) if error.kind() == ErrorKind::StorageFull => {
            reference.truncation_refused();
            let after = Found::of(log);
            Invariant::FullDisk.holds(
                before.is_ok() && before.ok() == after.ok(),
                || "a truncation without room has changed the log",
            )?;
        }
        Err(error) => {
            let what = error.report();
            return Err(broken(format!("on a full disk a truncation fails as {what}")));
        }
    }
    read(log, reference)
}

fn read(log: &dyn LogUnderTest, reference: &mut Reference) -> Check {
    let found = Found::of(log).map_err(|error| {
        broken(format!("on a full disk the log cannot be read: {}", error.report()))
    })?;
    reference.read(&found)
}

/// With room, a record becomes durable, and is found after a power cut, with all that is acknowledged.
fn goes_on(
    world: &World,
    disk: &SimDisk,
    log: Box<dyn LogUnderTest>,
    reference: &mut Reference,
) -> Check {
    disk.set_room(None);
    let payload = reference.compose(1, 20).remove(0);
    let said = log.append(&payload);
    reference.appended(1, 20, &said)?;
    log.sync()
        .map_err(|error| broken(format!("with room again, a sync fails: {}", error.report())))?;
    reference.acknowledges(reference.last())?;
    let after = disk.power_cut(CutChoice::Nothing);
    disk.crash_at(0);
    drop(log);
    recover(world, &after, reference, &mut None)
}

fn broken(saw: String) -> Violation {
    Invariant::FullDisk.broken(saw)
}
