//! [`Run`]: does the steps of a case, and holds the log to the model at each.

mod asking;
mod damage;
mod fan;
mod full;
mod opening;
mod others;
mod stop;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use wal_core::Error;

use super::checks::{Crash, Rot};
use super::invariant::{Check, Invariant, Violation};
use super::reference::Reference;
use super::{Case, Cut, Damaged, Step, World};
use crate::{CutChoice, History, LogUnderTest, Room, SimDisk};
use opening::panicked;

pub(super) use fan::Fan;
pub use fan::Recoveries;
pub(super) use stop::Stop;

/// A case that broke an invariant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// What was broken.
    pub violation: Violation,
    /// What breaks it.
    pub case: Case,
}

/// Runs this case alone, on a thread of its own. Says how many images were checked; `told` gets every step
/// with its outcome, and at the end the operations of the disk.
pub fn replay(world: &World, case: &Case, told: &History) -> Result<u64, Box<Failure>> {
    apart(|| {
        let mut run = Run::new(world, Fan::None);
        run.told = Some(told.clone());
        let outcome = run.case(case);
        told.note(format!("the disk:\n{}", run.disk.trace()));
        outcome
    })
}

/// Does this on a thread of its own, on which no case has run before: what the log, its world and its
/// counters keep for a thread begins anew. A case that fails by what another one has left there would
/// not fail alone.
pub(super) fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

/// A log, the disk under it, and the model of both.
pub(super) struct Run<'w> {
    world: &'w World,
    pub(super) disk: SimDisk,
    log: Option<Box<dyn LogUnderTest>>,
    pub(super) reference: Reference,
    fan: Fan,
    /// How the log went down last.
    crash: Crash,
    rot: Rot,
    /// The step that armed a power failure, and its cut.
    armed: Option<(usize, Cut)>,
    faults: Faults,
    room: Room,
    /// A full disk was told of since the log was opened.
    full: bool,
    pub(super) images: u64,
    pub(super) told: Option<History>,
    /// The cuts made, with the number of the step that each is of, their choices written out; kept
    /// where it is wanted.
    pub(super) cuts: Option<Vec<(usize, Cut)>>,
}

/// Whether calls of the disk may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Faults {
    None,
    Armed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    /// Nothing more can be said of this log.
    Over,
    /// The power failed during this step.
    Down,
}

impl<'w> Run<'w> {
    /// A run on an empty disk.
    pub(super) fn new(world: &'w World, fan: Fan) -> Self {
        Self::on(world, fan, SimDisk::new(world.profile), Reference::new())
    }

    /// A run on this disk, on which this log is closed.
    pub(super) fn on(world: &'w World, fan: Fan, disk: SimDisk, reference: Reference) -> Self {
        Self {
            world,
            disk,
            log: None,
            reference,
            fan,
            crash: Crash::None,
            rot: Rot::None,
            armed: None,
            faults: Faults::None,
            room: Room::Plenty,
            full: false,
            images: 0,
            told: None,
            cuts: None,
        }
    }

    /// Does all steps, and then what every history ends with: the disk is well again, a record can
    /// be made durable, and is found after a last power cut.
    pub(super) fn case(&mut self, case: &Case) -> Result<u64, Box<Failure>> {
        for at in 0..case.steps.len() {
            match self.step(at, &case.steps[at]) {
                Ok(Flow::Over) => return Ok(self.images),
                Ok(Flow::On | Flow::Down) => {}
                Err(stop) => return Err(Box::new(stop.failure(case, at))),
            }
        }
        let last = case.steps.len().saturating_sub(1);
        let ended = self.ends();
        let ended = ended.map_err(|stop| self.breach().map_or(stop, Stop::from));
        ended.map_err(|stop| Box::new(stop.failure(case, last)))?;
        Ok(self.images)
    }

    /// Does step number `at`, and says whether the power failed in it.
    pub(super) fn step(&mut self, at: usize, step: &Step) -> Result<Flow, Stop> {
        let acknowledged = self.reference.acknowledged;
        let flow = self.perform(at, step).and_then(|flow| {
            self.i13_named(acknowledged)?;
            Ok(flow)
        });
        let flow = flow.map_err(|stop| self.breach().map_or(stop, Stop::from));
        let flow = match flow {
            Ok(Flow::On) if self.armed.is_some() && self.disk.is_off() => {
                self.power_fails()?;
                Ok(Flow::Down)
            }
            flow => flow,
        };
        self.tell(|| match &flow {
            Ok(Flow::On) => step.to_string(),
            Ok(flow) => format!("{step} -> {flow:?}"),
            Err(end) => format!("{step} -> {}", end.violation),
        });
        flow
    }

    fn perform(&mut self, at: usize, step: &Step) -> Result<Flow, Stop> {
        match step {
            Step::Kill => self.goes_down(SimDisk::kill),
            Step::Cut(cut) => {
                self.tries_beside(at)?;
                self.cut(at, cut);
            }
            Step::Power(after, cut) => {
                self.disk.crash_at(self.disk.operations() + u64::from(*after));
                self.armed = Some((at, cut.clone()));
            }
            Step::Fault(rule) => {
                self.disk.fail(rule.clone());
                self.faults = Faults::Armed;
            }
            Step::Room(room) => self.has_room(*room)?,
            Step::Rot(..) | Step::Lose(_) | Step::Blank(..) | Step::Short(..)
                if self.world.damage == Damaged::Unpromised => {}
            Step::Rot(file, byte, bits) => return self.rots(*file, *byte, *bits),
            Step::Lose(file) => return self.loses(*file),
            Step::Blank(file, at, block) => {
                return self.closes_and_damages(*file, |disk, name, size| {
                    let at = u64::from(*at) % size.div_ceil(block.bytes()) * block.bytes();
                    disk.blank(name, at..at + block.bytes())
                });
            }
            Step::Short(file, at, block) => {
                return self.closes_and_damages(*file, |disk, name, size| {
                    disk.shorten(
                        name,
                        u64::from(*at) % size.div_ceil(block.bytes()) * block.bytes(),
                    )
                });
            }
            Step::Look => self.looks()?,
            _ => {
                let flow = self.up()?;
                if flow != Flow::On {
                    return Ok(flow);
                }
                match step {
                    Step::Fork => self.forks()?,
                    Step::Orphan => self.orphans()?,
                    Step::Contend => self.contends()?,
                    _ => self.asks(step)?,
                }
            }
        }
        Ok(Flow::On)
    }

    fn has_room(&mut self, room: Room) -> Result<(), Stop> {
        self.room = room;
        match room {
            Room::Bytes(bytes) => self.disk.set_room(Some(bytes)),
            Room::Plenty => {
                self.disk.set_room(None);
                if self.full && self.faults == Faults::None {
                    self.i11_full_disk()?;
                }
            }
        }
        Ok(())
    }

    /// I11: the log was told of a full disk and of nothing worse, and there is room again.
    fn i11_full_disk(&mut self) -> Check {
        let Some(log) = &self.log else { return Ok(()) };
        if self.reference.failed_at.is_some() || self.armed.is_some() {
            return Ok(());
        }
        self.full = false;
        let synced = catch_unwind(AssertUnwindSafe(|| log.sync()));
        match synced.map_err(|panic| panicked("a sync with room again", &*panic))? {
            Ok(()) => self.reference.acknowledges(self.reference.last()),
            Err(error) => Err(Invariant::FullDisk
                .broken(format!("with room again, a sync fails: {}", error.report()))),
        }
    }

    /// I13: a rule for owners was broken; whatever else went wrong then did so for this.
    fn breach(&self) -> Option<Violation> {
        self.disk.breach().map(|breach| Invariant::Ownership.broken(breach))
    }

    /// I13: what was acknowledged, after the first `before` records, is in a file that has a name.
    fn i13_named(&self, before: u64) -> Check {
        if self.rot != Rot::None {
            return Ok(());
        }
        let acknowledged = self.reference.acknowledged;
        for (lsn, payload) in self.reference.payloads(before + 1..=acknowledged) {
            Invariant::Ownership.holds(self.disk.holds(&payload), || {
                format!("record {lsn} was acknowledged, and no file that has a name holds it")
            })?;
        }
        Ok(())
    }

    fn heals(&mut self) {
        self.disk.heal();
        self.disk.set_room(None);
        (self.faults, self.room) = (Faults::None, Room::Plenty);
    }

    /// The process is gone, and the disk is what `next` makes of it.
    fn goes_down(&mut self, next: impl FnOnce(&SimDisk) -> SimDisk) {
        let disk = next(&self.disk);
        // What the old handle still does at its end reaches nothing, and need not be waited for.
        self.disk.crash_at(0);
        let log = self.log.take();
        drop(catch_unwind(AssertUnwindSafe(|| drop(log))));
        self.disk = disk;
        self.reference.goes_down();
        (self.armed, self.faults) = (None, Faults::None);
    }

    fn cut(&mut self, at: usize, cut: &Cut) {
        if let Some(cuts) = &mut self.cuts {
            cuts.push((at, cut.recorded(&self.disk)));
        }
        self.goes_down(|disk| cut.apply(disk));
        self.crash = Crash::Power;
        self.images += 1;
    }

    /// The power failure that was armed has come.
    fn power_fails(&mut self) -> Result<(), Stop> {
        let Some((at, cut)) = self.armed.clone() else { return Ok(()) };
        self.reference.goes_down();
        self.tries_beside(at)?;
        self.tell(|| format!("  the power fails, {cut}"));
        self.cut(at, &cut);
        Ok(())
    }

    /// What every history ends with.
    fn ends(&mut self) -> Result<(), Stop> {
        if self.armed.is_some() && self.disk.is_off() {
            self.power_fails()?;
        }
        self.armed = None;
        if self.reference.failed_at.is_some() || self.faults == Faults::Armed {
            self.goes_down(SimDisk::kill);
            self.crash = Crash::None;
        } else {
            self.disk.crash_at(u64::MAX);
            self.has_room(Room::Plenty)?;
        }
        self.full = false;
        self.heals();
        for step in [Step::Append(20), Step::Sync, Step::Read] {
            self.tell(|| format!("  at the end, {step}"));
            self.up()?;
            self.asks(&step)?;
            if let Some(failed) = self.reference.failed_at {
                let saw = format!("on a disk that is well, {step} fails, durable through {failed}");
                return Err(Invariant::Liveness.broken(saw).into());
            }
        }
        self.cut(usize::MAX, &CutChoice::Nothing.into());
        self.up()?;
        Ok(())
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if let Some(told) = &self.told {
            told.note(what());
        }
    }

    fn tell_error(&self, error: Option<&Error>) {
        if let Some(error) = error {
            self.tell(|| format!("  -> {}", error.report()));
        }
    }
}
