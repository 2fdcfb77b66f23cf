//! [`Case`]: one power cut, and everything that is asked of what it leaves.

use std::io;

use crate::chance::Chance;

use super::image::Image;
use super::machine::{Machine, MountFailed};
use super::story::Story;
use super::subject::Subject;
use super::trace::{Cut, Trace};
use super::workload::{End, Log, Stop};

/// How much is asked of the log after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// That reading it finds what was acknowledged.
    Read,
    /// Also that it recovers, goes on, keeps what it has once shown, and survives a second cut at
    /// any point of that recovery.
    CutAgain,
}

/// A log after a power cut.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) machine: &'a Machine,
    pub(super) subject: &'a dyn Subject,
    pub(super) story: &'a Story,
    pub(super) depth: Depth,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Everything was as promised. The second cut, if there was one.
    Held { again: Again },
    /// The file system did not mount.
    Inconclusive(io::Error),
    /// Something was not: what, after which cut, and the disk that it is seen on.
    Violated { what: String, after: After, image: Image },
}

/// One of the two cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    First,
    Second,
}

/// What came of the second cut.
#[derive(Debug)]
pub(super) enum Again {
    /// There was none.
    None,
    /// The log survived it.
    Held,
    /// The file system did not.
    Inconclusive(io::Error),
}

impl Case<'_> {
    /// Switches the machine on with `image` on its disk; records through `heard` must be there.
    pub(super) fn check(
        &self,
        image: Image,
        heard: u64,
        chance: &mut Chance,
    ) -> io::Result<Outcome> {
        let first = self.on(image.clone(), |log| {
            let found = log.look(self.story, heard)?;
            match self.depth {
                Depth::Read => Ok(None),
                Depth::CutAgain => self.recover(log, found, chance).map(Some),
            }
        })?;
        let (recovered, trace) = match first {
            Ran::Done(Ok(None), _) => return Ok(Outcome::Held { again: Again::None }),
            Ran::Done(Ok(Some(recovered)), trace) => (recovered, trace),
            Ran::Done(Err(what), _) => {
                return Ok(Outcome::Violated { what, after: After::First, image });
            }
            Ran::Unmounted(MountFailed(cause)) => return Ok(Outcome::Inconclusive(cause)),
        };
        // Most of the trace is the mounting: every other cut falls behind it.
        let from = [0, trace.first_acknowledged()][chance.below(2) as usize];
        let Some(cut) = trace.plan(from, 1, chance).first().copied() else {
            return Ok(Outcome::Held { again: Again::None });
        };
        self.check_again(&recovered, &trace, cut, chance)
    }

    /// Recovers a log with `found` records, and goes on a little.
    fn recover(
        &self,
        log: &mut Log<'_>,
        found: u64,
        chance: &mut Chance,
    ) -> Result<Recovered, Stop> {
        let mut story = self.story.clone();
        story.begin(found);
        let end = [End::Close, End::Kill][chance.below(2) as usize];
        let heard = log.session(&story, found, 1, end, chance)?;
        let later = log.look(&story, heard)?;
        match end {
            End::Kill => {}
            End::Close if later > heard => {
                return Err(Stop::Broken(format!("LSN {later} was found, {heard} the last")));
            }
            End::Close => log.verify()?,
        }
        Ok(Recovered { story, found })
    }

    /// The second cut: at any point since the machine was switched on after the first one.
    fn check_again(
        &self,
        recovered: &Recovered,
        trace: &Trace,
        cut: Cut,
        chance: &mut Chance,
    ) -> io::Result<Outcome> {
        let image = trace.images().image(cut);
        // What was seen on the first disk was on its platter.
        let heard =
            trace.acknowledged(cut.at).map_or(recovered.found, |lsn| lsn.max(recovered.found));
        let second = self.on(image.clone(), |log| {
            let found = log.look(&recovered.story, heard)?;
            let mut story = recovered.story.clone();
            story.begin(found);
            let last = log.session(&story, found, 1, End::Close, chance)?;
            log.look(&story, last)
        })?;
        Ok(match second {
            Ran::Done(Ok(_), _) => Outcome::Held { again: Again::Held },
            Ran::Done(Err(what), _) => {
                let what = format!("after a second cut, {cut}: {what}");
                Outcome::Violated { what, after: After::Second, image }
            }
            Ran::Unmounted(MountFailed(cause)) => {
                Outcome::Held { again: Again::Inconclusive(cause) }
            }
        })
    }

    /// Does something with the log on a machine that is switched on with this image.
    fn on<T>(
        &self,
        image: Image,
        act: impl FnOnce(&mut Log<'_>) -> Result<T, Stop>,
    ) -> io::Result<Ran<T>> {
        let running = match self.machine.switch_on(image)? {
            Ok(running) => running,
            Err(failed) => return Ok(Ran::Unmounted(failed)),
        };
        let mut log = Log::new(self.subject, &running, self.machine.acknowledgements()?);
        let result = match act(&mut log) {
            Ok(value) => Ok(value),
            Err(Stop::Broken(what)) => Err(what),
            Err(Stop::Rig(error)) => return Err(error),
        };
        drop(log);
        Ok(Ran::Done(result, running.end()?))
    }
}

enum Ran<T> {
    Done(Result<T, String>, Trace),
    Unmounted(MountFailed),
}

struct Recovered {
    story: Story,
    /// The records that the first reader saw.
    found: u64,
}
