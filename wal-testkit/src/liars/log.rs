//! A small log that is right, or lies in one way.
//!
//! Its one file begins with a snapshot of all records and goes on with a frame for every batch; a
//! close ends it with a seal. Opening, pruning and truncating write a new file of the next number,
//! sync it and its name, and then remove the old one: slow, and nothing can go wrong with it.

#![expect(clippy::cast_possible_truncation, reason = "logs of tests are small")]

use std::fmt;
use std::io;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wal_core::{Error, ErrorKind, Lsn, Result};

use crate::{LogUnderTest, SimDisk, SimFile, SimLock};

/// In place of the number of the record before: the frame is the seal that a close writes, and
/// holds where the frames end.
const SEAL: u64 = u64::MAX;

/// The one way in which a [`LyingLog`] lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogLie {
    /// It is honest.
    None,
    /// After a crash it goes on behind the torn bytes.
    AppendsBehindATear,
    /// A batch is written as several frames.
    BatchIsSplit,
    /// What recovery carries over is not synced before the old file goes.
    CarriesUnsynced,
    /// A close writes nothing.
    CloseForgets,
    /// Damage anywhere is taken for a torn tail, and cut.
    DamageIsATear,
    /// The durable LSN stays at zero.
    DurableIsNothing,
    /// The durable LSN is the last staged one.
    DurableIsStaged,
    /// LSNs begin at zero.
    FirstLsnIsZero,
    /// A write on a full disk is taken for done.
    FullIsAcknowledged,
    /// The name of a new file is not synced.
    NameIsNotSynced,
    /// Records are not synced.
    NothingIsSynced,
    /// The old file goes before the new one is durable.
    OldGoesBeforeNewIsSynced,
    /// Opening appends a record.
    OpeningAppends,
    /// Pruning takes place in memory only.
    PruneForgets,
    /// Pruned records keep their space.
    PruneKeepsTheSpace,
    /// Pruning takes one record too many.
    PrunesTooMuch,
    /// What cannot be read is taken for the end of the log.
    ReadErrorsAreTheEnd,
    /// Records are read newest first.
    ReadsBackwards,
    /// A reader begins at the first record, wherever it was told to.
    ReadsFromTheStart,
    /// A reader stops after a hundred records.
    ReadsOneSegment,
    /// Recovery goes on in the file it found, and syncs nothing.
    RecoversInPlace,
    /// Recovery goes on behind damage.
    RecoverySkipsDamage,
    /// Every open loses the last record.
    ReopenForgetsTheLast,
    /// Every second open loses the last record.
    SecondOpenForgets,
    /// Checksums are written and not checked.
    SumsAreNotChecked,
    /// After a failed sync the next one counts.
    SyncIsTriedAgain,
    /// Truncating drops nothing.
    TruncateDoesNothing,
    /// Truncating takes place in memory only.
    TruncateForgets,
    /// Two handles may write at once.
    TwoMayWrite,
    /// Waiting for an LSN never issued succeeds.
    WaitsForAnything,
    /// A failed write is skipped, and the log goes on behind it.
    WriteErrorsLeaveAHole,
    /// A record of zeros is taken for the end.
    ZerosAreTheEnd,
}

impl LogLie {
    /// Every lie, with the laws that are there to catch it. A lie may break others too.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::AppendsBehindATear, &["tear_after_tear_is_recovered"]),
        (Self::BatchIsSplit, &["a_batch_is_whole_or_absent"]),
        (Self::CarriesUnsynced, &["what_was_seen_stays"]),
        (Self::CloseForgets, &["closing_makes_everything_durable"]),
        (Self::DamageIsATear, &["damage_is_loud", "a_wrong_read_destroys_nothing"]),
        (Self::DurableIsNothing, &["the_durable_lsn_covers_what_was_acknowledged"]),
        (Self::DurableIsStaged, &["what_the_durable_lsn_covers_survives_a_crash"]),
        (Self::FirstLsnIsZero, &["lsns_are_dense_from_one"]),
        (Self::FullIsAcknowledged, &["a_full_disk_loses_nothing_acknowledged"]),
        (Self::NameIsNotSynced, &["a_crash_at_any_operation_loses_nothing"]),
        (Self::NothingIsSynced, &["acknowledged_records_survive_a_crash"]),
        (
            Self::OldGoesBeforeNewIsSynced,
            &[
                "a_crash_in_recovery_loses_nothing",
                "an_interrupted_prune_leaves_no_gap",
                "an_interrupted_truncation_leaves_a_prefix",
            ],
        ),
        (Self::OpeningAppends, &["an_empty_log_opens_again"]),
        (Self::PruneForgets, &["pruned_records_never_come_back"]),
        (Self::PruneKeepsTheSpace, &["pruning_gives_space_back"]),
        (Self::PrunesTooMuch, &["pruning_keeps_the_rest"]),
        (Self::ReadErrorsAreTheEnd, &["a_failed_read_is_no_end"]),
        (Self::ReadsBackwards, &["records_come_back_in_order"]),
        (Self::ReadsFromTheStart, &["reading_begins_where_it_is_told"]),
        (Self::ReadsOneSegment, &["records_cross_segments"]),
        (
            Self::RecoversInPlace,
            &["what_is_seen_after_a_failed_sync_stays", "what_is_seen_after_a_kill_stays"],
        ),
        (Self::RecoverySkipsDamage, &["recovery_finds_a_prefix"]),
        (Self::ReopenForgetsTheLast, &["reopening_goes_on_with_the_next_lsn"]),
        (Self::SecondOpenForgets, &["a_second_open_finds_the_same"]),
        (Self::SumsAreNotChecked, &["damage_is_loud"]),
        (Self::SyncIsTriedAgain, &["nothing_is_acknowledged_after_a_failed_sync"]),
        (Self::TruncateDoesNothing, &["truncating_drops_the_rest"]),
        (Self::TruncateForgets, &["truncated_records_never_come_back"]),
        (Self::TwoMayWrite, &["a_second_writer_is_refused"]),
        (Self::WaitsForAnything, &["waiting_for_an_lsn_never_issued_is_an_error"]),
        (Self::WriteErrorsLeaveAHole, &["a_failed_write_loses_nothing_acknowledged"]),
        (Self::ZerosAreTheEnd, &["records_of_any_length_come_back"]),
    ];
}

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
        let mut next = state.durable;
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
        if self.lie != LogLie::NothingIsSynced {
            state.file.sync_data()?;
        }
        state.durable = state.base + state.records.len() as u64;
        Ok(())
    }

    /// Replaces the file by one with these records.
    fn replace(&self, state: &mut State, base: u64, records: Vec<Vec<u8>>) -> Result<()> {
        let number = state.number + 1;
        let new = write_new(&self.disk, self.lie, number, base, &records);
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
        let seal = frame(SEAL, &[state.end.to_le_bytes().to_vec()]);
        let sealed = state.file.write_all_at(state.end, &seal);
        let sealed = sealed.and_then(|()| state.file.sync_data());
        sealed.map_err(|error| Error::io("the log could not be closed", error))
    }
}

fn recover(disk: &SimDisk, lie: LogLie) -> io::Result<State> {
    let mut numbers: Vec<u64> =
        disk.list()?.iter().filter_map(|name| name.strip_prefix("log.")?.parse().ok()).collect();
    numbers.sort_unstable();
    let last = numbers.last().copied().unwrap_or(0);
    let (mut base, mut records) = (0, Vec::new());
    for &number in numbers.iter().rev() {
        let file = disk.open(&name_of(number))?;
        let mut bytes = vec![0; file.size()? as usize];
        match file.read_all_at(0, &mut bytes) {
            Err(_) if lie == LogLie::ReadErrorsAreTheEnd => bytes.clear(),
            read => drop(read?),
        }
        let intact = parse(&bytes, lie).map_or(0, |(_, _, valid)| valid as u64);
        if lie != LogLie::DamageIsATear && sealed_end(&bytes, lie).is_some_and(|end| end > intact) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if let Some((first, found, valid)) = parse(&bytes, lie) {
            (base, records) = (first, found);
            let end = if lie == LogLie::AppendsBehindATear { bytes.len() } else { valid } as u64;
            if matches!(lie, LogLie::AppendsBehindATear | LogLie::RecoversInPlace) {
                let durable = base + records.len() as u64;
                let (staged, failed) = (Vec::new(), None);
                return Ok(State { file, number, end, base, records, durable, staged, failed });
            }
            break;
        }
    }
    match lie {
        LogLie::ReopenForgetsTheLast => drop(records.pop()),
        LogLie::SecondOpenForgets if last % 2 == 0 => drop(records.pop()),
        _ => {}
    }
    let number = last + 1;
    let (file, end) = write_new(disk, lie, number, base, &records)?;
    let durable = base + records.len() as u64;
    Ok(State { file, number, end, base, records, durable, staged: Vec::new(), failed: None })
}

fn write_new(
    disk: &SimDisk,
    lie: LogLie,
    number: u64,
    base: u64,
    records: &[Vec<u8>],
) -> io::Result<(SimFile, u64)> {
    let remove_old = || -> io::Result<()> {
        if lie == LogLie::PruneKeepsTheSpace {
            return Ok(());
        }
        for name in disk.list()?.iter().filter(|name| **name < name_of(number)) {
            disk.remove(name)?;
        }
        Ok(())
    };
    let file = disk.create_new(&name_of(number))?;
    let frame = frame(base, records);
    if lie == LogLie::OldGoesBeforeNewIsSynced {
        remove_old()?;
        disk.sync_dir()?;
    }
    file.write_all_at(0, &frame)?;
    if lie != LogLie::CarriesUnsynced {
        file.sync_data()?;
    }
    if lie != LogLie::NameIsNotSynced {
        disk.sync_dir()?;
    }
    remove_old()?;
    if lie == LogLie::CarriesUnsynced {
        disk.sync_dir()?;
    }
    Ok((file, frame.len() as u64))
}

fn name_of(number: u64) -> String {
    format!("log.{number:010}")
}

/// Length, sum, number of the record before, count; then length and bytes of each record.
fn frame(before: u64, records: &[Vec<u8>]) -> Vec<u8> {
    let mut body = before.to_le_bytes().to_vec();
    body.extend((records.len() as u64).to_le_bytes());
    for record in records {
        body.extend((record.len() as u64).to_le_bytes());
        body.extend(record);
    }
    let mut frame = (body.len() as u64).to_le_bytes().to_vec();
    frame.extend(sum(&body).to_le_bytes());
    frame.extend(body);
    frame
}

/// How many records are pruned, the records, and where the valid frames end; `None` where not even
/// the snapshot is whole.
fn parse(bytes: &[u8], lie: LogLie) -> Option<(u64, Vec<Vec<u8>>, usize)> {
    let (base, mut records, mut at) = parse_frame(bytes, lie)?;
    while at < bytes.len() {
        match parse_frame(&bytes[at..], lie) {
            Some((SEAL, _, length)) => at += length,
            Some((before, more, length)) if before == base + records.len() as u64 => {
                records.extend(more);
                at += length;
            }
            Some((_, more, length)) if lie == LogLie::RecoverySkipsDamage => {
                records.extend(more);
                at += length;
            }
            _ if lie == LogLie::RecoverySkipsDamage => at += 1,
            _ => break,
        }
    }
    Some((base, records, at))
}

/// Where the frames ended at the last close, by the seal, wherever that is.
fn sealed_end(bytes: &[u8], lie: LogLie) -> Option<u64> {
    let seal_at = |at: usize| {
        let (before, records, _) = parse_frame(&bytes[at..], lie)?;
        (before == SEAL).then(|| number(records.first()?, 0))?
    };
    let empty = frame(SEAL, &[vec![0; 8]]);
    let candidates = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&empty[..8]));
    candidates.filter_map(seal_at).max()
}

fn parse_frame(bytes: &[u8], lie: LogLie) -> Option<(u64, Vec<Vec<u8>>, usize)> {
    let length = number(bytes, 0)? as usize;
    let body = bytes.get(16..16_usize.checked_add(length)?)?;
    if sum(body) != number(bytes, 8)? && lie != LogLie::SumsAreNotChecked {
        return None;
    }
    let mut at = 16_usize;
    let mut records = Vec::new();
    for _ in 0..number(body, 8)? {
        let end = (at + 8).checked_add(number(body, at)? as usize)?;
        records.push(body.get(at + 8..end)?.to_vec());
        at = end;
    }
    let zeros = |record: &Vec<u8>| record.len() > 100 && record.iter().all(|&byte| byte == 0);
    if lie == LogLie::ZerosAreTheEnd && records.iter().any(zeros) {
        return None;
    }
    Some((number(body, 0)?, records, 16 + length))
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// FNV-1a.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
