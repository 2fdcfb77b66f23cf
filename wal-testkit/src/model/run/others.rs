//! Other processes beside the log of a [`Run`]: children, rivals, readers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wal_core::{Error, ErrorKind, Lsn};

use super::super::World;
use super::super::checks::{Crash, Found, Told};
use super::super::invariant::{Check, Invariant};
use super::opening::panicked;
use super::{Run, Stop};
use crate::{LogUnderTest, SimDisk};

impl Run<'_> {
    /// I13: a child that was forked off has every call refused, and changes nothing.
    pub(super) fn forks(&mut self) -> Result<(), Stop> {
        let (Some(log), Some(in_child)) = (&self.log, &self.world.in_child) else { return Ok(()) };
        let (before, durable) = (self.disk.operations(), log.durable_lsn());
        let last = Lsn::new(self.reference.last());
        let payload = self.reference.compose(1, 20);
        let mut said = Vec::new();
        let run = catch_unwind(AssertUnwindSafe(|| {
            in_child(&mut || {
                said = vec![
                    ("append", log.append(&payload[0]).map(drop)),
                    ("batch", log.append_batch(&payload).map(drop)),
                    ("sync", log.sync()),
                    ("read", log.entries(Lsn::FIRST).map(drop)),
                    ("prune", log.prune_before(last)),
                    ("truncate", log.truncate_after(last.previous())),
                ];
                if last > Lsn::ZERO {
                    said.push(("wait", log.wait(last)));
                }
            });
        }));
        run.map_err(|panic| panicked("a child", &*panic))?;
        for (call, said) in &said {
            refused(call, said)?;
        }
        untouched(&self.disk, before, "a child")?;
        Invariant::Ownership.holds(durable == log.durable_lsn(), || {
            format!("a child has moved the durable LSN from {durable}")
        })?;
        Ok(())
    }

    /// I13: a child whose parent is gone closes the log, which is refused, and lets go of it.
    pub(super) fn orphans(&mut self) -> Result<(), Stop> {
        let Some(in_child) = &self.world.in_child else { return Ok(()) };
        let Some(log) = self.log.take() else { return Ok(()) };
        let left = self.disk.kill();
        let (before, mut log) = (self.disk.operations(), Some(log));
        let mut said = Ok(());
        let run = catch_unwind(AssertUnwindSafe(|| {
            in_child(&mut || said = log.take().map_or(Ok(()), LogUnderTest::close));
        }));
        run.map_err(|panic| panicked("a child", &*panic))?;
        refused("close", &said)?;
        untouched(&self.disk, before, "a child")?;
        self.goes_down(|_| left);
        self.crash = Crash::None;
        Ok(())
    }

    /// I13: another process does not get the log while it is open, and changes nothing.
    pub(super) fn contends(&mut self) -> Result<(), Stop> {
        let Some(_log) = &self.log else { return Ok(()) };
        if self.world.in_child.is_none() {
            return Ok(());
        }
        let (before, world) = (self.disk.operations(), self.world);
        let opened = catch_unwind(AssertUnwindSafe(|| world.open(&self.disk).map(drop)));
        let opened = opened.map_err(|panic| panicked("a second opening", &*panic))?;
        if self.disk.is_off() {
            return Ok(());
        }
        let kind = opened.as_ref().err().map(Error::kind);
        Invariant::Ownership.holds(kind == Some(ErrorKind::Locked), || {
            format!("another process opens a log that is open, and is told {opened:?}")
        })?;
        untouched(&self.disk, before, "another process").map_err(Stop::from)
    }

    /// I8: another process reads the log as it lies there, open or not.
    pub(super) fn looks(&mut self) -> Result<(), Stop> {
        if self.disk.is_off() || self.rot != super::Rot::None {
            return Ok(());
        }
        looks(self.world, &self.disk, &self.reference).map_err(Stop::from)
    }
}

impl Run<'_> {
    /// I7, I2 and I3: readers of a damaged log are told of the damage, or get all that is vouched for; and
    /// what is before the damage is what was appended, and was not overruled.
    pub(super) fn reads_damaged(&self) -> Check {
        if self.reference.half_truncated() {
            return Ok(());
        }
        let readers = [
            (&self.world.beside, Told::Nothing, "a reader of a damaged log"),
            (&self.world.before_damage, Told::Damage, "a reader of what is before the damage"),
        ];
        for (read, told, what) in readers {
            let Some(read) = read else { continue };
            let before = self.disk.operations();
            let entries = catch_unwind(AssertUnwindSafe(|| read(self.disk.opener())));
            let entries = entries.map_err(|panic| panicked(what, &*panic))?;
            untouched(&self.disk, before, what)?;
            match entries {
                Ok(entries) => {
                    self.reference.read_damaged(&Found::read(entries), told, self.rot)?;
                }
                Err(error) => {
                    let loud = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
                    Invariant::LoudCorruption.holds(loud, || {
                        format!("{what} is told {:?}: {}", error.kind(), error.report())
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// A reader that recovers nothing finds what is durable on this disk, in order, and nothing else; it
/// changes nothing.
pub(super) fn looks(world: &World, disk: &SimDisk, reference: &super::Reference) -> Check {
    let Some(read) = &world.beside else { return Ok(()) };
    let before = disk.operations();
    let entries = catch_unwind(AssertUnwindSafe(|| read(disk.opener())));
    let entries = entries.map_err(|panic| panicked("a reader", &*panic))?;
    if disk.is_off() {
        return Ok(());
    }
    untouched(disk, before, "a reader")?;
    match entries {
        Ok(entries) => reference.looked_at(&Found::read(entries)),
        // What a truncation removed before it failed may still be named.
        Err(_) if reference.half_truncated() => Ok(()),
        Err(error) => Err(Invariant::DurableReads
            .broken(format!("a reader cannot read the log: {}", error.report()))),
    }
}

fn refused<T>(call: &str, said: &wal_core::Result<T>) -> Check {
    let kind = said.as_ref().err().map(Error::kind);
    Invariant::Ownership.holds(kind == Some(ErrorKind::Fenced), || match said {
        Ok(_) => format!("{call} in a child says yes"),
        Err(error) => format!("{call} in a child says {}", error.report()),
    })
}

fn untouched(disk: &SimDisk, before: u64, who: &str) -> Check {
    let done = disk.operations() - before;
    Invariant::Ownership
        .holds(done == 0, || format!("{who} has done {done} operations:\n{}", disk.trace()))
}
