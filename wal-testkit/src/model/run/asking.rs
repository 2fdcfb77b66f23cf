//! Asks the log of a [`Run`] for something, and holds the model to what it says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wal_core::{Error, ErrorKind, Lsn};

use super::super::checks::{Crash, Found};
use super::super::invariant::{Check, Invariant, Violation};
use super::super::{Full, Step};
use super::opening::panicked;
use super::{Faults, Run, Stop};
use crate::{LogUnderTest, Room};

impl Run<'_> {
    /// Asks the log, which is open, for something.
    pub(super) fn asks(&mut self, step: &Step) -> Result<(), Stop> {
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
                self.hears_of_append(&*log, said.err().as_ref(), 1, *length)?;
            }
            Step::Batch(count, length) => {
                let said = log.append_batch(&self.reference.compose(*count, *length));
                self.reference.appended(*count, *length, &said)?;
                self.hears_of_append(&*log, said.err().as_ref(), *count, *length)?;
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
                match &said {
                    Ok(()) => self.reference.pruned(lsn),
                    // Of a log for which a full disk is a failure like any other, it is one here.
                    Err(error)
                        if error.kind() == ErrorKind::StorageFull
                            && self.world.full == Full::Fails =>
                    {
                        self.reference.failed(error, log.durable_lsn());
                    }
                    Err(_) => {}
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
                self.hears_of_truncation(&*log, said.err().as_ref())?;
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

    /// As [`hears`](Self::hears); but what is over a limit of this opening is refused, and that is all.
    fn hears_of_append(
        &mut self,
        log: &dyn LogUnderTest,
        error: Option<&Error>,
        count: u32,
        length: u32,
    ) -> Check {
        // A record has its length before it.
        let bytes = count as usize * (length as usize + 10);
        match error {
            Some(error)
                if error.kind() == ErrorKind::Invalid && bytes > self.world.may_refuse_above =>
            {
                self.tell_error(Some(error));
                Ok(())
            }
            error => self.hears(log, error),
        }
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

    /// As [`hears`](Self::hears); but a truncation that fails before it has cut anything leaves the
    /// log as it was, which then goes on. One that failed later is told by the next call.
    fn hears_of_truncation(&mut self, log: &dyn LogUnderTest, error: Option<&Error>) -> Check {
        let failed_before = self.reference.failed_at;
        self.hears(log, error)?;
        let ends_it = |error: &Error| match error.kind() {
            ErrorKind::Poisoned => true,
            ErrorKind::StorageFull => self.world.full == Full::Fails,
            _ => false,
        };
        if error.is_some_and(|error| !ends_it(error)) {
            self.reference.failed_at = failed_before;
        }
        Ok(())
    }

    /// I12, as far as one thread can see it: a well disk, that was well all the time the log was
    /// open, is no reason to fail.
    fn i12_liveness(&self, error: &Error) -> Check {
        let well = self.faults == Faults::None && self.room == Room::Plenty && !self.full;
        let well = well && self.reference.failed_at.is_none();
        Invariant::Liveness
            .holds(!well, || format!("a call failed on a disk that is well: {}", error.report()))
    }
}
