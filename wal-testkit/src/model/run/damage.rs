//! Damages the medium under a [`Run`].

use std::io;

use super::super::Step;
use super::super::checks::Rot;
use super::super::invariant::{Invariant, Violation};
use super::{Faults, Flow, Run, Stop};
use crate::SimDisk;

impl Run<'_> {
    pub(super) fn rots(&mut self, file: u32, byte: u32, bits: u8) -> Result<Flow, Stop> {
        self.goes_down(SimDisk::kill);
        let names = self.disk.list().unwrap_or_default();
        let Some(name) = pick(&names, file) else { return Ok(Flow::Over) };
        let size = self.disk.open(name).and_then(|file| file.size()).unwrap_or(0);
        if size == 0 {
            return Ok(Flow::Over);
        }
        let at = u64::from(byte) % size;
        self.disk.flip(name, at, bits).map_err(|error| odd(&error.to_string()))?;
        self.rot = Rot::Byte;
        self.heals();
        self.reads_damaged()?;
        self.up()
    }

    /// Closes the log in order, damages a file of it, given its name and size, and opens it again.
    pub(super) fn closes_and_damages(
        &mut self,
        file: u32,
        damage: impl FnOnce(&SimDisk, &str, u64) -> io::Result<()>,
    ) -> Result<Flow, Stop> {
        let failed = self.reference.failed_at.is_some() || self.faults == Faults::Armed;
        if self.armed.take().is_some() || failed {
            self.goes_down(SimDisk::kill);
        }
        self.heals();
        for step in [Step::Sync, Step::Close] {
            if self.up()? != Flow::On {
                return Ok(Flow::Over);
            }
            self.asks(&step)?;
        }
        if self.log.is_some() || self.reference.acknowledged < self.reference.last() {
            // It had failed before; that is another step's matter.
            return Ok(Flow::Over);
        }
        let names = self.disk.list().unwrap_or_default();
        let Some(name) = pick(&names, file) else { return Ok(Flow::Over) };
        let size = self.disk.open(name).and_then(|file| file.size()).unwrap_or(0);
        if size == 0 {
            return Ok(Flow::Over);
        }
        damage(&self.disk, name, size).map_err(|error| odd(&error.to_string()))?;
        self.rot = Rot::Closed;
        self.reads_damaged()?;
        self.up()
    }

    pub(super) fn loses(&mut self, file: u32) -> Result<Flow, Stop> {
        self.armed = None;
        self.goes_down(SimDisk::kill);
        self.heals();
        for step in [Step::Append(20), Step::Sync, Step::Close] {
            if self.up()? != Flow::On {
                return Ok(Flow::Over);
            }
            self.asks(&step)?;
        }
        let mut names = self.disk.list().unwrap_or_default();
        let kind = |name: &String| name.rsplit_once('.').map(|(_, kind)| kind.to_owned());
        let segments = names.first().and_then(kind);
        names.retain(|name| kind(name) == segments);
        names.pop();
        let Some(name) = pick(&names, file) else { return Ok(Flow::Over) };
        self.disk.remove(name).map_err(|error| odd(&error.to_string()))?;
        self.rot = Rot::File;
        self.reads_damaged()?;
        self.up()
    }
}

/// The disk itself did what it does not do.
fn odd(what: &str) -> Violation {
    Invariant::Total.broken(format!("the simulated disk refused to be damaged: {what}"))
}

fn pick(names: &[String], number: u32) -> Option<&String> {
    names.get((number as usize).checked_rem(names.len())?)
}
