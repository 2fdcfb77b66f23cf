//! [`Fan`]: the other cuts that are tried at a crash.

use super::super::checks::{Crash, Found};
use super::super::exhaustive::extremes;
use super::super::invariant::{Invariant, Violation};
use super::super::{Cut, Step};
use super::full::opens_full;
use super::opening::{open, recover};
use super::others::looks;
use super::{Run, Stop, apart};
use crate::chance::Chance;
use crate::{CutChoice, SimDisk};

/// Of how many cuts at a crash the recovery is interrupted too, where it is.
const INTERRUPTED: usize = 4;

/// What is tried at a crash beside the one cut that the case goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Fan {
    None,
    Seeds {
        seed: u64,
        count: u64,
    },
    /// Every cut without chance; and where it is so said, another crash at every operation of each
    /// recovery.
    Extremes(Recoveries),
}

/// Whether the power fails in the recoveries from a crash, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recoveries {
    /// It does not.
    Whole,
    /// At each of their operations, for the first few cuts of each crash.
    Interrupted,
}

impl Run<'_> {
    /// Tries other cuts than the one the case goes on from, which step `at` is about.
    pub(super) fn tries_beside(&mut self, at: usize) -> Result<(), Stop> {
        let cuts: Vec<Cut> = match self.fan {
            Fan::None => return Ok(()),
            Fan::Seeds { seed, count } => {
                let mut chance = Chance::new(seed ^ (at as u64) << 48);
                (0..count).map(|_| CutChoice::Seed(chance.next() >> 32).into()).collect()
            }
            Fan::Extremes(_) => extremes(&self.disk),
        };
        for (number, cut) in cuts.into_iter().enumerate() {
            let recoveries = match self.fan {
                Fan::Extremes(recoveries) if number < INTERRUPTED => recoveries,
                _ => Recoveries::Whole,
            };
            self.tries(&cut, recoveries).map_err(|(violation, then)| {
                let cut = Some((at, cut.clone()));
                Stop { violation, cut, then }
            })?;
        }
        Ok(())
    }

    /// Opens the disk that this cut leaves, and checks what it shows.
    fn tries(&mut self, cut: &Cut, recoveries: Recoveries) -> Result<(), (Violation, Vec<Step>)> {
        let image = cut.apply(&self.disk);
        image.set_room(None);
        let again = (recoveries == Recoveries::Interrupted).then(|| image.kill());
        let shown = vec![Step::Read];
        let mut found = None;
        let mut reference = self.reference.clone();
        reference.goes_down();
        self.images += 1;
        let world = self.world;
        // What the case itself has left on its thread is not for these: else it would go another way
        // where nothing is tried beside.
        apart(|| {
            let on_full = opens_full(world, &image, &reference, Crash::Power);
            let beside = on_full.and_then(|()| looks(world, &image, &reference));
            beside.map_err(|violation| (violation, vec![Step::Look, Step::Read]))?;
            recover(world, &image, &mut reference, &mut found)
                .map_err(|violation| (violation, shown))
        })?;
        match (again, found) {
            (Some(image), Some(found)) => self.interrupts(&image, &found),
            _ => Ok(()),
        }
    }

    /// Cuts the recovery of this image short at each of its operations: the next one finds what the
    /// first would have, `whole`.
    fn interrupts(&mut self, image: &SimDisk, whole: &Found) -> Result<(), (Violation, Vec<Step>)> {
        for after in 0.. {
            let disk = image.kill();
            disk.crash_at(disk.operations() + u64::from(after));
            let opened = open(self.world, &disk);
            if !disk.is_off() {
                return Ok(());
            }
            drop(opened);
            for choice in [CutChoice::Nothing, CutChoice::Everything] {
                let mut reference = self.reference.clone();
                let mut found = None;
                self.images += 1;
                let second = disk.power_cut(choice);
                recover(self.world, &second, &mut reference, &mut found)
                    .and_then(|()| {
                        Invariant::Idempotent.holds(found.as_ref() == Some(whole), || {
                            let again = found.as_ref().map(Found::extent);
                            let whole = whole.extent();
                            format!("a recovery finds {whole:?}, and cut short and again {again:?}")
                        })
                    })
                    .map_err(|violation| {
                        (violation, vec![Step::Power(after, choice.into()), Step::Read, Step::Read])
                    })?;
            }
        }
        Ok(())
    }
}
