//! [`Run`]: does the steps of a case, and holds the log to the model at each.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wal_core::{Error, ErrorKind, Lsn};

use super::checks::{Crash, Found, Rot};
use super::invariant::{Check, Invariant, Violation};
use super::reference::Reference;
use super::{Case, Cut, Damaged, Full, Step, World};
use crate::chance::Chance;
use crate::{CutChoice, History, LogUnderTest, Room, SimDisk};

/// A case that broke an invariant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// What was broken.
    pub violation: Violation,
    /// What breaks it.
    pub case: Case,
}

/// Runs this case alone. Says how many images were checked; `told` gets every step with its outcome,
/// and at the end the operations of the disk.
pub fn replay(world: &World, case: &Case, told: &History) -> Result<u64, Box<Failure>> {
    let mut run = Run::new(world, Fan::None);
    run.told = Some(told.clone());
    let outcome = run.case(case);
    told.note(format!("the disk:\n{}", run.disk.trace()));
    outcome
}

/// Of how many cuts at a crash the recovery is interrupted too, where it is.
const INTERRUPTED: usize = 4;

/// What is tried at a crash beside the one cut that the case goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fan {
    None,
    Seeds {
        seed: u64,
        count: u64,
    },
    /// Every cut without chance; and where it is so said, another crash at every operation of each
    /// recovery.
    Extremes(Recoveries),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recoveries {
    Whole,
    Interrupted,
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

/// What a run was stopped by: the invariant, and the steps that lead there from the one it was in.
pub(super) struct Stop {
    pub(super) violation: Violation,
    /// The cut of this step is to be this one, where it was tried beside the case's own.
    cut: Option<(usize, Cut)>,
    /// And then these.
    then: Vec<Step>,
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self { violation, cut: None, then: Vec::new() }
    }
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
        self.ends().map_err(|stop| Box::new(stop.failure(case, last)))?;
        Ok(self.images)
    }

    /// Does step number `at`, and says whether the power failed in it.
    pub(super) fn step(&mut self, at: usize, step: &Step) -> Result<Flow, Stop> {
        let flow = self.perform(at, step);
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
            Step::Rot(..) | Step::Lose(_) if self.world.damage == Damaged::Unpromised => {}
            Step::Rot(file, byte, bits) => return self.rots(*file, *byte, *bits),
            Step::Lose(file) => return self.loses(*file),
            _ => {
                return match self.up()? {
                    Flow::On => self.asks(step).map(|()| Flow::On),
                    flow => Ok(flow),
                };
            }
        }
        Ok(Flow::On)
    }

    /// Asks the log, which is open, for something.
    fn asks(&mut self, step: &Step) -> Result<(), Stop> {
        let Some(log) = self.log.take() else { return Ok(()) };
        let asked = catch_unwind(AssertUnwindSafe(|| self.ask(log, step)));
        self.log = asked.map_err(|panic| panicked(&step.to_string(), &*panic))??;
        if let Some(log) = &self.log
            && !self.disk.is_off()
        {
            self.reference.claims(log.durable_lsn())?;
        }
        Ok(())
    }

    fn ask(
        &mut self,
        log: Box<dyn LogUnderTest>,
        step: &Step,
    ) -> Result<Option<Box<dyn LogUnderTest>>, Violation> {
        let last = self.reference.last();
        let before = |back: &u32| last.saturating_sub(u64::from(*back));
        match step {
            Step::Append(length) => {
                let payload = self.reference.compose(1, *length).remove(0);
                let said = log.append(&payload);
                self.reference.appended(1, *length, &said)?;
                self.hears(&*log, said.err().as_ref())?;
            }
            Step::Batch(count, length) => {
                let said = log.append_batch(&self.reference.compose(*count, *length));
                self.reference.appended(*count, *length, &said)?;
                self.hears(&*log, said.err().as_ref())?;
            }
            Step::Wait(back) if before(back) > 0 => {
                let said = log.wait(Lsn::new(before(back)));
                if said.is_ok() {
                    self.reference.acknowledges(before(back))?;
                }
                self.hears(&*log, said.err().as_ref())?;
            }
            Step::Sync => {
                let said = log.sync();
                if said.is_ok() {
                    self.reference.acknowledges(last)?;
                }
                self.hears(&*log, said.err().as_ref())?;
            }
            Step::Read => match Found::of(&*log) {
                Ok(found) => self.reference.read(&found)?,
                Err(_) if self.disk.is_off() => {}
                // What a truncation removed before it failed is still named by this handle.
                Err(_) if self.reference.half_truncated() => {}
                Err(error) => {
                    return Err(Invariant::DurableReads
                        .broken(format!("the open log cannot be read: {}", error.report())));
                }
            },
            Step::Prune(back) => {
                let lsn = before(back) + 1;
                self.reference.prunes_before(lsn);
                let said = log.prune_before(Lsn::new(lsn));
                self.tell_error(said.as_ref().err());
                if said.is_ok() {
                    self.reference.pruned(lsn);
                }
                if let (Ok(()), Ok(found)) = (said, Found::of(&*log)) {
                    self.reference.read(&found)?;
                }
            }
            Step::Truncate(back) => {
                let lsn = before(back).max(self.reference.first.end() - 1);
                if lsn >= last {
                    return Ok(Some(log));
                }
                self.reference.truncates_after(lsn);
                let said = log.truncate_after(Lsn::new(lsn));
                match &said {
                    Ok(()) => self.reference.truncated_after(lsn),
                    Err(error) if error.kind() == ErrorKind::Invalid => {
                        self.reference.truncation_refused();
                    }
                    Err(_) => {}
                }
                self.hears(&*log, said.err().as_ref())?;
            }
            Step::Close => {
                let said = log.close();
                self.tell_error(said.as_ref().err());
                if said.is_ok() {
                    self.reference.acknowledges(last)?;
                }
                self.crash = Crash::None;
                self.reference.goes_down();
                return Ok(None);
            }
            _ => {}
        }
        Ok(Some(log))
    }

    /// Takes note of how a call failed, if it did.
    fn hears(&mut self, log: &dyn LogUnderTest, error: Option<&Error>) -> Check {
        let Some(error) = error else { return Ok(()) };
        self.tell_error(Some(error));
        if self.disk.is_off() {
            return Ok(());
        }
        let check = self.i12_liveness(error);
        if error.kind() == ErrorKind::StorageFull && self.world.full == Full::GoesOn {
            self.full = true;
        } else {
            self.reference.failed(error, log.durable_lsn());
        }
        check
    }

    /// I12, as far as one thread can see it: a well disk, that was well all the time the log was
    /// open, is no reason to fail.
    fn i12_liveness(&self, error: &Error) -> Check {
        let well = self.faults == Faults::None && self.room == Room::Plenty && !self.full;
        let well = well && self.reference.failed_at.is_none();
        Invariant::Liveness
            .holds(!well, || format!("a call failed on a disk that is well: {}", error.report()))
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
        match log.sync() {
            Ok(()) => self.reference.acknowledges(self.reference.last()),
            Err(error) => Err(Invariant::FullDisk
                .broken(format!("with room again, a sync fails: {}", error.report()))),
        }
    }

    /// Opens the log, where it is not open, and checks what it shows.
    fn up(&mut self) -> Result<Flow, Stop> {
        while self.log.is_none() {
            self.full = false;
            let disk = self.disk.clone();
            let opened = match open(self.world, disk) {
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

    /// Tries other cuts than the one the case goes on from, which step `at` is about.
    fn tries_beside(&mut self, at: usize) -> Result<(), Stop> {
        let cuts: Vec<Cut> = match self.fan {
            Fan::None => return Ok(()),
            Fan::Seeds { seed, count } => {
                let mut chance = Chance::new(seed ^ (at as u64) << 48);
                (0..count).map(|_| CutChoice::Seed(chance.next() >> 32).into()).collect()
            }
            Fan::Extremes(_) => super::exhaustive::extremes(&self.disk),
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
        recover(self.world, &image, &mut reference, &mut found)
            .map_err(|violation| (violation, shown))?;
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
            let opened = open(self.world, disk.clone());
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

    fn rots(&mut self, file: u32, byte: u32, bits: u8) -> Result<Flow, Stop> {
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
        self.up()
    }

    fn loses(&mut self, file: u32) -> Result<Flow, Stop> {
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
        self.up()
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

impl Stop {
    /// The case that stops like this, by step `at` of `case`.
    pub(super) fn failure(self, case: &Case, at: usize) -> Failure {
        let mut steps: Vec<_> = case.steps.iter().take(at + 1).cloned().collect();
        if let Some((at, cut)) = self.cut
            && let Some(Step::Cut(other) | Step::Power(_, other)) = steps.get_mut(at)
        {
            *other = cut;
        }
        steps.extend(self.then);
        Failure { violation: self.violation, case: Case::new(case.world.clone(), steps) }
    }
}

/// Opens a log and reads it.
#[expect(clippy::type_complexity, reason = "named nowhere else")]
fn open(
    world: &World,
    disk: SimDisk,
) -> Result<Result<(Box<dyn LogUnderTest>, Found), Error>, Violation> {
    catch_unwind(AssertUnwindSafe(|| {
        let log = (world.open)(disk)?;
        let found = Found::of(&*log)?;
        Ok((log, found))
    }))
    .map_err(|panic| panicked("opening", &*panic))
}

/// Recovers an image alone, and hands out what was found.
fn recover(
    world: &World,
    image: &SimDisk,
    reference: &mut Reference,
    shown: &mut Option<Found>,
) -> Check {
    let (log, found) = open(world, image.clone())?.map_err(|error| unopened(&error))?;
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
fn panicked(what: &str, panic: &(dyn std::any::Any + Send)) -> Violation {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
    Invariant::Total.broken(format!("{what} panics: {text}"))
}

/// The disk itself did what it does not do.
fn odd(what: &str) -> Violation {
    Invariant::Total.broken(format!("the simulated disk refused to be damaged: {what}"))
}

fn pick(names: &[String], number: u32) -> Option<&String> {
    names.get((number as usize).checked_rem(names.len())?)
}
