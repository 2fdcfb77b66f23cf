//! Sessions on a running machine: appending, hearing acknowledgements, being killed, coming back.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use crate::chance::Chance;

use super::machine::Running;
use super::story::Story;
use super::subject::{Session, Subject};

/// Why a run did not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// The rig itself failed: this says nothing about the log.
    Rig(io::Error),
    /// The log broke its word.
    Broken(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Rig(error)
    }
}

impl Stop {
    fn broken(doing: impl fmt::Display) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Broken(format!("{doing} failed: {error}"))
    }
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In good order.
    Close,
    /// By a kill, in the middle of what it does.
    Kill,
}

/// A log on a running machine.
pub(super) struct Log<'a> {
    pub(super) subject: &'a dyn Subject,
    pub(super) machine: &'a Running<'a>,
    dir: PathBuf,
    ctl: File,
}

impl<'a> Log<'a> {
    pub(super) fn new(subject: &'a dyn Subject, machine: &'a Running<'a>, ctl: File) -> Self {
        Self { subject, machine, dir: machine.root().join("log"), ctl }
    }

    /// Several sessions on a log that is not there yet; each but the last is followed by a look at
    /// what is there. Gives what they appended.
    pub(super) fn work(&mut self, seed: u64, chance: &mut Chance) -> Result<Story, Stop> {
        let mut story = Story::new(seed);
        let mut heard = 0;
        for session in 0..2 + chance.below(4) {
            let found = match session {
                0 => 0,
                _ => self.look(&story, heard)?,
            };
            story.begin(found);
            let end = [End::Close, End::Kill][chance.below(2) as usize];
            let bursts = 10 + chance.below(40);
            heard = self.session(&story, found, bursts, end, chance)?;
        }
        Ok(story)
    }

    /// The number of records there are: all that were heard of, and all what they should be.
    pub(super) fn look(&self, story: &Story, heard: u64) -> Result<u64, Stop> {
        let found = self.subject.read(&self.dir).map_err(Stop::broken("reading the log"))?;
        let count = found.len() as u64;
        story.compare(&found).map_err(Stop::Broken)?;
        if count < heard {
            return Err(Stop::Broken(format!(
                "{} records that were acknowledged, or seen by an earlier reader, are lost: LSN {} \
                 to {heard}",
                heard - count,
                count + 1
            )));
        }
        Ok(count)
    }

    /// Appends to a log that ends with `last`, in bursts of a few records, with some of them
    /// unacknowledged at any time. Gives the last LSN that was heard of.
    pub(super) fn session(
        &mut self,
        story: &Story,
        last: u64,
        bursts: u32,
        end: End,
        chance: &mut Chance,
    ) -> Result<u64, Stop> {
        let opened = self.subject.open(&self.dir, chance.next());
        let mut session = opened.map_err(Stop::broken("opening the log"))?;
        let (mut appended, mut heard) = (last, last);
        let window = chance.below(24);
        for _ in 0..bursts {
            for _ in 0..=chance.below(8) {
                appended += 1;
                let record = story.record(appended);
                session.append(&record).map_err(Stop::broken(format_args!("LSN {appended}")))?;
            }
            let unheard = u64::from(chance.below(window + 1));
            heard = self.hear(&mut *session, heard, appended, unheard)?;
        }
        match end {
            End::Kill => session.kill()?,
            End::Close => {
                session.close().map_err(Stop::broken("closing the log"))?;
                heard = appended;
                self.machine.acknowledge(&mut self.ctl, heard)?;
            }
        }
        Ok(heard)
    }

    /// Waits until at most `unheard` records are not acknowledged.
    fn hear(
        &mut self,
        session: &mut dyn Session,
        mut heard: u64,
        appended: u64,
        unheard: u64,
    ) -> Result<u64, Stop> {
        while appended - heard > unheard {
            let lsn = session.acknowledged().map_err(Stop::broken("an acknowledgement"))?;
            if lsn <= heard || lsn > appended {
                return Err(Stop::Broken(format!(
                    "LSN {lsn} was acknowledged after LSN {heard}, with LSN {appended} the last"
                )));
            }
            heard = lsn;
            self.machine.acknowledge(&mut self.ctl, heard)?;
        }
        Ok(heard)
    }

    /// Lets the subject check a log that was closed in good order.
    pub(super) fn verify(&self) -> Result<(), Stop> {
        self.subject.verify(&self.dir).map_err(Stop::broken("verifying the recovered log"))
    }
}
