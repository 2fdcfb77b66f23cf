//! The end of a log, or of a part of it: closing, giving up, truncating.

use std::sync::PoisonError;

use wal_core::{Error, ErrorKind, Lsn, Result, Resume, Uncut, Woken};

use super::{Flusher, closed, lock};
use crate::stage::Staged;
use crate::writer::{Ending, Writer};

impl Flusher {
    /// Writes and syncs what is left, ends the segment and gives the log up. Without room for all of
    /// it the log stays as it is, and the error says so. A second call finds nothing to do; two at
    /// once both return when that is done. Calls `last` between the log's end and the lock's.
    pub(crate) fn finish(&self, last: impl FnOnce() -> Result<()>) -> Result<()> {
        let finished = self.write_or_sync().and_then(|()| self.end_log()).and_then(|()| last());
        if !matches!(&finished, Err(error) if error.kind() == ErrorKind::StorageFull) {
            self.give_up();
        }
        finished
    }

    fn end_log(&self) -> Result<()> {
        let mut woken = Woken::default();
        let ended = self.guarded(|| {
            let mut writing = self.turn_to_write()?;
            let Some(writer) = &mut writing.writer else { return Ok(()) };
            // All in one turn: what is written by now is durable before the seal vouches for it.
            let result = self.end_segment(writer, Ending::OfLog, &mut woken);
            if result.is_ok() {
                writing.writer = None;
            }
            self.end_turn(writing, result)
        });
        drop(woken);
        ended
    }

    /// Lets go of everything that can change the store, and of the store's lock behind it. Waits for
    /// each call of the store that is under way, on a poisoned log too: one that comes back later would
    /// change what belongs to the next owner.
    pub(crate) fn give_up(&self) {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = self.syncing.all().unwrap_or_else(|turns| turns);
        writing.writer = None;
        writing.taken = Staged::default();
        writing.next = 0;
        lock(&self.tip).segment = None;
        // Nothing is written from here on: what is staged is memory and nothing else.
        let mut stage = lock(&self.stage);
        let last_lsn = stage.last_lsn();
        stage.reset(last_lsn);
        drop(stage);
        writing.lock = None;
        drop(turns);
    }

    /// Swaps the written log for another one that ends earlier: everything is written and durable,
    /// `cut` gets the writer's idea of the log, and what it gives back goes on by `again`. Where there
    /// was no room for the cut, that is the log as it was.
    ///
    /// The stage is marked, and not locked, while `cut` works on the disk: callers that must not block
    /// are refused meanwhile, and look up what they want to know.
    pub(crate) fn replace(
        &self,
        cut: impl FnOnce(Resume) -> Result<Resume, Uncut>,
        again: impl Fn(Resume) -> Writer,
        gone: impl Fn(Lsn) -> Error,
    ) -> Result<()> {
        let woken = self.guarded(|| {
            let mut writing = self.turn_to_write()?;
            let turns = self.turn_to_sync(self.syncing.all())?;
            let mut stage = lock(&self.stage);
            if stage.len() > 0 || writing.next < writing.taken.frames.len() {
                let what = "records were appended while the log was being truncated";
                return Err(Error::new(ErrorKind::Invalid, what));
            }
            let Some(writer) = &writing.writer else { return Err(closed()) };
            if self.durable.get() < writer.last_lsn() {
                // Its append may have been acknowledged, and the cut knows of no such record.
                let what = "records were written while the log was being truncated";
                return Err(Error::new(ErrorKind::Invalid, what).lsn(writer.last_lsn()));
            }
            let Some(writer) = writing.writer.take() else { return Err(closed()) };
            stage.set_being_cut(true);
            drop(stage);
            // Its syncer holds the segment, which the cut may end.
            lock(&self.tip).segment = None;
            let (resume, refused) = match cut(writer.into_resume()) {
                Ok(resume) => (resume, None),
                Err(Uncut { error, log: Some(resume) }) => (*resume, Some(error)),
                Err(Uncut { error, log: None }) => {
                    self.poison(&error);
                    drop((turns, writing));
                    return self.poisoned().map(|()| None);
                }
            };
            let writer = again(resume);
            let last_lsn = writer.last_lsn();
            writing.install(&mut lock(&self.tip), writer);
            let mut stage = lock(&self.stage);
            stage.set_being_cut(false);
            if let Some(error) = refused {
                // Under the lock of the stage: who comes behind it is not concerned.
                let then = self.written.moment();
                drop((stage, turns, writing));
                // For appends that wait for the end of this: they look again.
                self.written.reject_before(then, last_lsn, gone(last_lsn));
                return Err(error);
            }
            // All under the lock of the stage: a record appended next has an LSN that the marks
            // have already been taken back from.
            stage.reset(last_lsn);
            let mut woken = self.written.retreat(last_lsn, gone(last_lsn));
            woken.merge(self.durable.retreat(last_lsn, gone(last_lsn)));
            drop((stage, turns, writing));
            Ok(Some(woken))
        })?;
        drop(woken);
        Ok(())
    }
}
