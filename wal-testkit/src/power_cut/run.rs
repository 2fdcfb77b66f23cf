//! [`Run`]: many power cuts, counted.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::chance::Chance;

use super::case::{After, Again, Case, Depth, Outcome};
use super::image::Image;
use super::machine::Machine;
use super::story::Story;
use super::subject::Subject;
use super::trace::{Cut, Trace};
use super::workload::{Log, Stop};

/// A subject, and how it is to be cut. Rounds follow one another until there are enough cuts: each
/// makes a new log by a workload of its own, and cuts it at many points.
#[derive(Debug)]
pub struct Run<'a> {
    /// Where it runs.
    pub machine: &'a Machine,
    /// What is put to the proof.
    pub subject: &'a dyn Subject,
    /// First cuts to make; second ones come on top.
    pub cuts: u64,
    /// Decides the workloads and the cuts, round by round. The kernel decides with it what reaches
    /// the disk when: a round that is run again by its seed is alike, not the same to the byte.
    pub seed: u64,
    /// The round to begin with; 0 but to run a case again.
    pub first_round: u64,
    /// What is asked of each.
    pub depth: Depth,
    /// Where the disks of violations are kept.
    pub keep: Option<PathBuf>,
}

/// Cuts of one workload.
const CUTS_PER_ROUND: u64 = 100;

/// What came of the cuts so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Workloads run, and logs so made.
    pub rounds: u64,
    /// First cuts, inconclusive ones included. No two of a round leave the same disk.
    pub cuts: u64,
    /// Cuts in the middle of the recovery from a first one.
    pub second_cuts: u64,
    /// Cuts, first and second, after which the file system did not mount.
    pub inconclusive: u64,
    /// Workloads and cuts after which the log had broken its word.
    pub violations: u64,
    /// How many of the violations came to light after a second cut.
    pub second_violations: u64,
    /// The records that the workloads appended.
    pub records: u64,
}

/// Something that happens during a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A cut has been checked.
    Checked(&'a Tally),
    /// The log broke its word.
    Violation(&'a Violation),
    /// A file system did not mount after a cut: why.
    Inconclusive(&'a io::Error),
}

/// A broken word, and what it takes to see it again.
#[derive(Debug)]
pub struct Violation {
    /// The seed of the run.
    pub seed: u64,
    /// The round.
    pub round: u64,
    /// The cut, as the how-manieth of its round; `None` where the log broke its word with the power
    /// on.
    pub cut: Option<(usize, Cut)>,
    /// The last LSN that had been acknowledged.
    pub heard: u64,
    /// What was found.
    pub what: String,
    /// The disk it is seen on, if it is kept.
    pub image: Option<PathBuf>,
}

impl Run<'_> {
    /// Runs it. Fails where the rig itself does.
    pub fn run(&self, mut progress: impl FnMut(Progress<'_>)) -> io::Result<Tally> {
        let mut tally = Tally::default();
        for round in self.first_round.. {
            let budget = CUTS_PER_ROUND.min(self.cuts - tally.cuts);
            if budget == 0 {
                break;
            }
            self.round(round, budget, &mut tally, &mut progress)?;
            // Where the workloads themselves fail, there is no end to wait for.
            if tally.violations > tally.cuts + 10 {
                break;
            }
        }
        Ok(tally)
    }

    fn round(
        &self,
        round: u64,
        budget: u64,
        tally: &mut Tally,
        progress: &mut impl FnMut(Progress<'_>),
    ) -> io::Result<()> {
        let seed = Chance::new(self.seed ^ round.rotate_left(32)).next();
        let mut chance = Chance::new(seed);
        tally.rounds += 1;
        let (story, trace) = match self.workload(seed, &mut chance)? {
            Ok(done) => done,
            Err(what) => {
                let (seed, cut, image) = (self.seed, None, None);
                let violation = Violation { seed, round, cut, heard: 0, what, image };
                tally.violations += 1;
                progress(Progress::Violation(&violation));
                return Ok(());
            }
        };
        tally.records += trace.acknowledged(trace.events.len()).unwrap_or(0);
        let Self { machine, subject, depth, .. } = *self;
        let case = Case { machine, subject, story: &story, depth };
        let budget = usize::try_from(budget).unwrap_or(usize::MAX);
        let mut images = trace.images();
        for (number, cut) in trace.plan(0, budget, &mut chance).into_iter().enumerate() {
            let heard = trace.acknowledged(cut.at).unwrap_or(0);
            let outcome = case.check(images.image(cut), heard, &mut chance)?;
            if let Some(cause) = tally.count(&outcome) {
                progress(Progress::Inconclusive(cause));
            }
            if let Outcome::Violated { what, image, .. } = outcome {
                let image = self.keep(&format!("round-{round}-cut-{number}"), &image)?;
                let cut = Some((number, cut));
                let violation = Violation { seed: self.seed, round, cut, heard, what, image };
                progress(Progress::Violation(&violation));
            }
            progress(Progress::Checked(tally));
        }
        Ok(())
    }

    /// Lets the subject work on an empty file system.
    fn workload(
        &self,
        seed: u64,
        chance: &mut Chance,
    ) -> io::Result<Result<(Story, Trace), String>> {
        let running = self.machine.switch_on(self.machine.empty())?;
        let running = running.map_err(|failed| failed.0)?;
        let mut log = Log::new(self.subject, &running, self.machine.acknowledgements()?);
        let story = log.work(seed, chance);
        drop(log);
        let trace = running.end()?;
        match story {
            Ok(story) => Ok(Ok((story, trace))),
            Err(Stop::Broken(what)) => Ok(Err(what)),
            Err(Stop::Rig(error)) => Err(error),
        }
    }

    fn keep(&self, name: &str, image: &Image) -> io::Result<Option<PathBuf>> {
        let Some(dir) = &self.keep else { return Ok(None) };
        fs::create_dir_all(dir)?;
        let file_system = self.machine.file_system();
        let path = dir.join(format!("{file_system}-seed-{}-{name}.img", self.seed));
        image.save(&path)?;
        Ok(Some(path))
    }
}

impl Tally {
    /// Counts a first cut, and the second where there was one. The reason that one of them was
    /// inconclusive.
    fn count<'a>(&mut self, outcome: &'a Outcome) -> Option<&'a io::Error> {
        self.cuts += 1;
        let cause = match outcome {
            Outcome::Held { again: Again::None } => None,
            Outcome::Held { again } => {
                self.second_cuts += 1;
                match again {
                    Again::Inconclusive(cause) => Some(cause),
                    Again::None | Again::Held => None,
                }
            }
            Outcome::Inconclusive(cause) => Some(cause),
            Outcome::Violated { after, .. } => {
                self.violations += 1;
                if *after == After::Second {
                    self.second_cuts += 1;
                    self.second_violations += 1;
                }
                None
            }
        };
        self.inconclusive += u64::from(cause.is_some());
        cause
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, round, cut, heard, what, image } = self;
        write!(f, "seed {seed}, round {round}")?;
        match cut {
            Some((number, cut)) => write!(f, ", cut {number} ({cut}; LSN {heard} acknowledged)")?,
            None => f.write_str(", with the power on")?,
        }
        write!(f, ": {what}")?;
        if let Some(image) = image {
            write!(f, "\n  the disk is kept: mount -o loop {}", image.display())?;
        }
        Ok(())
    }
}
