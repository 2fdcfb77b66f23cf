//! A small log that is right, or lies in one way.
//!
//! Its one file begins with a snapshot of all records and goes on with a frame for every batch.
//! Opening, pruning and truncating write a new file of the next number, sync it and its name, and
//! then remove the old one: slow, and nothing can go wrong with it.

use std::io;
use std::sync::Mutex;

use wal_core::{Error, ErrorKind, Lsn, Result};
use wal_testkit::{LogUnderTest, SimDisk, SimFile, SimLock};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    AppendsBehindATear,
    BatchIsSplit,
    CarriesUnsynced,
    CloseForgets,
    DurableIsNothing,
    DurableIsStaged,
    FirstLsnIsZero,
    FullIsAcknowledged,
    NameIsNotSynced,
    NothingIsSynced,
    OldGoesBeforeNewIsSynced,
    OpeningAppends,
    PruneForgets,
    PrunesTooMuch,
    ReadsBackwards,
    ReadsFromTheStart,
    ReadsOneSegment,
    RecoversInPlace,
    RecoverySkipsDamage,
    ReopenForgetsTheLast,
    SecondOpenForgets,
    SyncIsTriedAgain,
    TruncateDoesNothing,
    TruncateForgets,
    TwoMayWrite,
    WaitsForAnything,
    WriteErrorsLeaveAHole,
    ZerosAreTheEnd,
}

#[derive(Debug)]
pub(crate) struct ModelLog {
    disk: SimDisk,
    lie: Lie,
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

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "State {{ base: {}, records: {}, .. }}", self.base, self.records.len())
    }
}

impl ModelLog {
    pub(crate) fn open(disk: SimDisk, lie: Lie) -> Result<Self> {
        let lock = match disk.lock("LOCK") {
            Err(_) if lie == Lie::TwoMayWrite => None,
            Err(_) => return Err(Error::new(ErrorKind::Locked, "the log is open")),
            Ok(lock) => Some(lock),
        };
        let state = recover(&disk, lie).map_err(|error| Error::io("recovery failed", error))?;
        let log = Self { disk, lie, state: Mutex::new(state), _lock: lock };
        if lie == Lie::OpeningAppends {
            log.append(b"opened")?;
            log.sync()?;
        }
        Ok(log)
    }

    fn write_staged(&self, state: &mut State) -> Result<()> {
        if let Some(failed) = &state.failed {
            return Err(Error::new(ErrorKind::Poisoned, "the log failed").because(failed.clone()));
        }
        let done = self.try_write_staged(state);
        done.map_err(|error| {
            let error = Error::io("the log could not write", error);
            if self.lie != Lie::SyncIsTriedAgain && self.lie != Lie::WriteErrorsLeaveAHole {
                state.failed = Some(error.clone());
            }
            error
        })
    }

    fn try_write_staged(&self, state: &mut State) -> io::Result<()> {
        let mut next = state.durable;
        for batch in std::mem::take(&mut state.staged) {
            let frames = match self.lie {
                Lie::BatchIsSplit => batch.chunks(1).map(<[_]>::to_vec).collect(),
                _ => vec![batch],
            };
            for records in frames {
                let frame = frame(next, &records);
                next += records.len() as u64;
                let at = state.end;
                if self.lie == Lie::WriteErrorsLeaveAHole {
                    state.end += frame.len() as u64;
                }
                match state.file.write_all_at(at, &frame) {
                    Err(error)
                        if self.lie == Lie::FullIsAcknowledged
                            && error.kind() == io::ErrorKind::StorageFull => {}
                    written => written?,
                }
                state.end = at + frame.len() as u64;
            }
        }
        if self.lie == Lie::SyncIsTriedAgain {
            state.durable = next;
        }
        if self.lie != Lie::NothingIsSynced {
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

impl LogUnderTest for ModelLog {
    fn append(&self, payload: &[u8]) -> Result<Lsn> {
        self.append_batch(&[payload.to_vec()])
    }

    fn append_batch(&self, payloads: &[Vec<u8>]) -> Result<Lsn> {
        let mut state = self.state.lock().unwrap();
        if state.failed.is_some() {
            self.write_staged(&mut state)?;
        }
        state.records.extend_from_slice(payloads);
        state.staged.push(payloads.to_vec());
        let last = state.base + state.records.len() as u64;
        Ok(Lsn::new(if self.lie == Lie::FirstLsnIsZero { last - 1 } else { last }))
    }

    fn wait(&self, lsn: Lsn) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        let last = state.base + state.records.len() as u64;
        if lsn.get() > last && self.lie != Lie::WaitsForAnything {
            return Err(Error::new(ErrorKind::Invalid, "never issued").lsn(lsn));
        }
        if lsn.get() <= state.durable { Ok(()) } else { self.write_staged(&mut state) }
    }

    fn sync(&self) -> Result<()> {
        self.write_staged(&mut self.state.lock().unwrap())
    }

    fn durable_lsn(&self) -> Lsn {
        let state = self.state.lock().unwrap();
        match self.lie {
            Lie::DurableIsNothing => Lsn::ZERO,
            Lie::DurableIsStaged => Lsn::new(state.base + state.records.len() as u64),
            _ => Lsn::new(state.durable),
        }
    }

    fn entries(&self, from: Lsn) -> Result<Vec<(Lsn, Vec<u8>)>> {
        let state = self.state.lock().unwrap();
        let from = if self.lie == Lie::ReadsFromTheStart { Lsn::FIRST } else { from };
        let numbered = (state.base + 1..=state.durable).zip(&state.records);
        let mut entries: Vec<_> = numbered
            .filter(|(number, _)| *number >= from.get())
            .map(|(number, payload)| (Lsn::new(number), payload.clone()))
            .collect();
        match self.lie {
            Lie::ReadsBackwards => entries.reverse(),
            Lie::ReadsOneSegment => entries.truncate(100),
            _ => {}
        }
        Ok(entries)
    }

    fn prune_before(&self, lsn: Lsn) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        self.write_staged(&mut state)?;
        let base = lsn.get() - u64::from(self.lie != Lie::PrunesTooMuch);
        let base = base.clamp(state.base, state.durable);
        let records = state.records[(base - state.base) as usize..].to_vec();
        if self.lie == Lie::PruneForgets {
            (state.base, state.records) = (base, records);
            return Ok(());
        }
        self.replace(&mut state, base, records)
    }

    fn truncate_after(&self, lsn: Lsn) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        self.write_staged(&mut state)?;
        if self.lie == Lie::TruncateDoesNothing {
            return Ok(());
        }
        let (base, mut records) = (state.base, state.records.clone());
        records.truncate((lsn.get() - base) as usize);
        if self.lie == Lie::TruncateForgets {
            state.durable = base + records.len() as u64;
            state.records = records;
            return Ok(());
        }
        self.replace(&mut state, base, records)
    }

    fn close(self: Box<Self>) -> Result<()> {
        if self.lie == Lie::CloseForgets { Ok(()) } else { self.sync() }
    }
}

fn recover(disk: &SimDisk, lie: Lie) -> io::Result<State> {
    let mut numbers: Vec<u64> =
        disk.list()?.iter().filter_map(|name| name.strip_prefix("log.")?.parse().ok()).collect();
    numbers.sort_unstable();
    let last = numbers.last().copied().unwrap_or(0);
    let (mut base, mut records) = (0, Vec::new());
    for &number in numbers.iter().rev() {
        let file = disk.open(&name_of(number))?;
        let mut bytes = vec![0; file.size()? as usize];
        file.read_at(0, &mut bytes)?;
        if let Some((first, found, valid)) = parse(&bytes, lie) {
            (base, records) = (first, found);
            let end = if lie == Lie::AppendsBehindATear { bytes.len() } else { valid } as u64;
            if matches!(lie, Lie::AppendsBehindATear | Lie::RecoversInPlace) {
                let durable = base + records.len() as u64;
                let (staged, failed) = (Vec::new(), None);
                return Ok(State { file, number, end, base, records, durable, staged, failed });
            }
            break;
        }
    }
    match lie {
        Lie::ReopenForgetsTheLast => drop(records.pop()),
        Lie::SecondOpenForgets if last % 2 == 0 => drop(records.pop()),
        _ => {}
    }
    let number = last + 1;
    let (file, end) = write_new(disk, lie, number, base, &records)?;
    let durable = base + records.len() as u64;
    Ok(State { file, number, end, base, records, durable, staged: Vec::new(), failed: None })
}

fn write_new(
    disk: &SimDisk,
    lie: Lie,
    number: u64,
    base: u64,
    records: &[Vec<u8>],
) -> io::Result<(SimFile, u64)> {
    let remove_old = || -> io::Result<()> {
        for name in disk.list()?.iter().filter(|name| **name < name_of(number)) {
            disk.remove(name)?;
        }
        Ok(())
    };
    let file = disk.create_new(&name_of(number))?;
    let frame = frame(base, records);
    if lie == Lie::OldGoesBeforeNewIsSynced {
        remove_old()?;
        disk.sync_dir()?;
    }
    file.write_all_at(0, &frame)?;
    if lie != Lie::CarriesUnsynced {
        file.sync_data()?;
    }
    if lie != Lie::NameIsNotSynced {
        disk.sync_dir()?;
    }
    remove_old()?;
    if lie == Lie::CarriesUnsynced {
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
fn parse(bytes: &[u8], lie: Lie) -> Option<(u64, Vec<Vec<u8>>, usize)> {
    let (base, mut records, mut at) = parse_frame(bytes, lie)?;
    while at < bytes.len() {
        match parse_frame(&bytes[at..], lie) {
            Some((before, more, length)) if before == base + records.len() as u64 => {
                records.extend(more);
                at += length;
            }
            Some((_, more, length)) if lie == Lie::RecoverySkipsDamage => {
                records.extend(more);
                at += length;
            }
            _ if lie == Lie::RecoverySkipsDamage => at += 1,
            _ => break,
        }
    }
    Some((base, records, at))
}

fn parse_frame(bytes: &[u8], lie: Lie) -> Option<(u64, Vec<Vec<u8>>, usize)> {
    let length = number(bytes, 0)? as usize;
    let body = bytes.get(16..16_usize.checked_add(length)?)?;
    if sum(body) != number(bytes, 8)? {
        return None;
    }
    let mut at = 16;
    let mut records = Vec::new();
    for _ in 0..number(body, 8)? {
        let length = number(body, at)? as usize;
        records.push(body.get(at + 8..at + 8 + length)?.to_vec());
        at += 8 + length;
    }
    let zeros = |record: &Vec<u8>| record.len() > 100 && record.iter().all(|&byte| byte == 0);
    if lie == Lie::ZerosAreTheEnd && records.iter().any(zeros) {
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
