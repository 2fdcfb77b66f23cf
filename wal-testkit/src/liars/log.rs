//! A small log that is right, or lies in one way.
//!
//! Its one file begins with the log's identity and a snapshot of all records, and goes on with a frame
//! for every batch; a close ends it with a seal. Opening, pruning and truncating write a new file of the next number,
//! sync it and its name, and then remove the old one: slow, and nothing can go wrong with it.

#![expect(clippy::cast_possible_truncation, reason = "logs of tests are small")]

mod files;
mod frame;
mod lie;

use std::fmt;
use std::io;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wal_core::{Error, ErrorKind, Lsn, Result};

use crate::{LogUnderTest, SimDisk, SimFile, SimLock};

pub use lie::LogLie;

use files::{Anchor, name_of, recover, write_new};
use frame::{HEAD, SEAL, frame};

/// Bytes from which on [`LogLie::NameGoesMeanwhile`] lies.
const LONG: u64 = 32 * 1024;

/// A log on a simulated disk that lies in one way, or, with [`LogLie::None`], in none.
#[derive(Debug)]
pub struct LyingLog {
    disk: SimDisk,
    lie: LogLie,
    state: Mutex<State>,
    _lock: Option<SimLock>,
}

struct State {
    file: SimFile,
    /// Which log this is: no other one's file is taken for ours.
    id: u64,
    number: u64,
    end: u64,
    /// How many records are pruned.
    base: u64,
    records: Vec<Vec<u8>>,
    /// How many of the records, counted from the first ever, are durable.
    durable: u64,
    staged: Vec<Vec<Vec<u8>>>,
    failed: Option<Error>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("base", &self.base)
            .field("records", &self.records.len())
            .finish_non_exhaustive()
    }
}

impl LyingLog {
    /// Opens the log on this disk.
    pub fn open(disk: SimDisk, lie: LogLie) -> Result<Self> {
        let lock = match disk.lock("LOCK") {
            Err(_) if lie == LogLie::TwoMayWrite => None,
            Err(_) => return Err(Error::new(ErrorKind::Locked, "the log is open")),
            Ok(lock) => Some(lock),
        };
        let state = recover(&disk, lie).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Error::new(ErrorKind::Corrupt, "the log is damaged"),
            _ => Error::io("recovery failed", error),
        })?;
        let log = Self { disk, lie, state: Mutex::new(state), _lock: lock };
        if lie == LogLie::OpeningAppends {
            log.append(b"opened")?;
            log.sync()?;
        }
        Ok(log)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_staged(&self, state: &mut State) -> Result<()> {
        if let Some(failed) = &state.failed {
            return Err(Error::new(ErrorKind::Poisoned, "the log failed").because(failed.clone()));
        }
        let done = self.try_write_staged(state);
        done.map_err(|error| {
            let error = Error::io("the log could not write", error);
            if self.lie != LogLie::SyncIsTriedAgain && self.lie != LogLie::WriteErrorsLeaveAHole {
                state.failed = Some(error.clone());
            }
            error
        })
    }

    fn try_write_staged(&self, state: &mut State) -> io::Result<()> {
        let (mut next, before) = (state.durable, state.end);
        for batch in mem::take(&mut state.staged) {
            let frames = match self.lie {
                LogLie::BatchIsSplit => batch.chunks(1).map(<[_]>::to_vec).collect(),
                _ => vec![batch],
            };
            for records in frames {
                let frame = frame(next, &records);
                next += records.len() as u64;
                let at = state.end;
                if self.lie == LogLie::WriteErrorsLeaveAHole {
                    state.end += frame.len() as u64;
                }
                match state.file.write_all_at(at, &frame) {
                    Err(error)
                        if self.lie == LogLie::FullIsAcknowledged
                            && error.kind() == io::ErrorKind::StorageFull => {}
                    written => written?,
                }
                state.end = at + frame.len() as u64;
            }
        }
        if self.lie == LogLie::SyncIsTriedAgain {
            state.durable = next;
        }
        let long = self.lie == LogLie::LongFramesAreNotSynced && state.end - before > 64 * 1024;
        if self.lie != LogLie::NothingIsSynced && !long {
            state.file.sync_data()?;
        }
        state.durable = state.base + state.records.len() as u64;
        if self.lie == LogLie::NameGoesMeanwhile && before < LONG && state.end >= LONG {
            // As by a thread of its own that takes the file for another's remains.
            self.disk.outside().remove(&name_of(state.number))?;
        }
        Ok(())
    }

    /// Replaces the file by one with these records.
    fn replace(&self, state: &mut State, base: u64, records: Vec<Vec<u8>>) -> Result<()> {
        let number = state.number + 1;
        let new = write_new(&self.disk, self.lie, state.id, number, base, &records);
        match new {
            Ok((file, end)) => {
                (state.file, state.end, state.number) = (file, end, number);
                (state.base, state.records) = (base, records);
                state.durable = base + state.records.len() as u64;
                Ok(())
            }
            Err(error) => {
                let error = Error::io("the log could not be rewritten", error);
                state.failed = Some(error.clone());
                Err(error)
            }
        }
    }
}

impl LogUnderTest for LyingLog {
    fn append(&self, payload: &[u8]) -> Result<Lsn> {
        self.append_batch(&[payload.to_vec()])
    }

    fn append_batch(&self, payloads: &[Vec<u8>]) -> Result<Lsn> {
        let mut state = self.state();
        if state.failed.is_some() {
            self.write_staged(&mut state)?;
        }
        state.records.extend_from_slice(payloads);
        state.staged.push(payloads.to_vec());
        let last = state.base + state.records.len() as u64;
        Ok(Lsn::new(if self.lie == LogLie::FirstLsnIsZero { last - 1 } else { last }))
    }

    fn wait(&self, lsn: Lsn) -> Result<()> {
        let mut state = self.state();
        let last = state.base + state.records.len() as u64;
        if lsn.get() > last && self.lie != LogLie::WaitsForAnything {
            return Err(Error::new(ErrorKind::Invalid, "never issued").lsn(lsn));
        }
        if lsn.get() <= state.durable { Ok(()) } else { self.write_staged(&mut state) }
    }

    fn sync(&self) -> Result<()> {
        self.write_staged(&mut self.state())
    }

    fn durable_lsn(&self) -> Lsn {
        let state = self.state();
        match self.lie {
            LogLie::DurableIsNothing => Lsn::ZERO,
            LogLie::DurableIsStaged => Lsn::new(state.base + state.records.len() as u64),
            _ => Lsn::new(state.durable),
        }
    }

    fn entries(&self, from: Lsn) -> Result<Vec<(Lsn, Vec<u8>)>> {
        let state = self.state();
        let from = if self.lie == LogLie::ReadsFromTheStart { Lsn::FIRST } else { from };
        let numbered = (state.base + 1..=state.durable).zip(&state.records);
        let mut entries: Vec<_> = numbered
            .filter(|(number, _)| *number >= from.get())
            .map(|(number, payload)| (Lsn::new(number), payload.clone()))
            .collect();
        match self.lie {
            LogLie::ReadsBackwards => entries.reverse(),
            LogLie::ReadsOneSegment => entries.truncate(100),
            _ => {}
        }
        Ok(entries)
    }

    fn prune_before(&self, lsn: Lsn) -> Result<()> {
        let mut state = self.state();
        self.write_staged(&mut state)?;
        let base = lsn.get() - u64::from(self.lie != LogLie::PrunesTooMuch);
        let base = base.clamp(state.base, state.durable);
        let records = state.records[(base - state.base) as usize..].to_vec();
        if self.lie == LogLie::PruneForgets {
            (state.base, state.records) = (base, records);
            return Ok(());
        }
        self.replace(&mut state, base, records)
    }

    fn truncate_after(&self, lsn: Lsn) -> Result<()> {
        let mut state = self.state();
        self.write_staged(&mut state)?;
        if self.lie == LogLie::TruncateDoesNothing {
            return Ok(());
        }
        let (base, mut records) = (state.base, state.records.clone());
        records.truncate((lsn.get() - base) as usize);
        if self.lie == LogLie::TruncateForgets {
            state.durable = base + records.len() as u64;
            state.records = records;
            return Ok(());
        }
        self.replace(&mut state, base, records)
    }

    fn close(self: Box<Self>) -> Result<()> {
        if self.lie == LogLie::CloseForgets {
            return Ok(());
        }
        let mut state = self.state();
        self.write_staged(&mut state)?;
        let frames = state.end - HEAD as u64;
        let seal = frame(SEAL, &[frames.to_le_bytes().to_vec()]);
        let sealed = state.file.write_all_at(state.end, &seal);
        let State { id, number, durable: count, .. } = *state;
        let sealed = sealed.and_then(|()| state.file.sync_data());
        let sealed = sealed.and_then(|()| Anchor { id, number, count }.write(&self.disk));
        sealed.map_err(|error| Error::io("the log could not be closed", error))
    }
}
