//! The files of the log: what opening finds in them, and how one takes the place of another.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::frame::{HEAD, frame, head, id_of, parse, sealed_end};
use super::{LogLie, State};
use crate::{SimDisk, SimFile};

/// What a file is called before it is whole. No person calls one so.
const UNFINISHED: &str = "unfinished.of-a-lying-log";

pub(super) fn recover(disk: &SimDisk, lie: LogLie) -> io::Result<State> {
    let mut numbers: Vec<u64> =
        disk.list()?.iter().filter_map(|name| name.strip_prefix("log.")?.parse().ok()).collect();
    numbers.sort_unstable();
    let last = numbers.last().copied().unwrap_or(0);
    let anchor = anchor(disk, lie)?;
    if anchor.as_ref().is_some_and(|anchor| last < anchor.number) {
        return Err(damaged("the newest file is gone"));
    }
    let mut id = anchor.as_ref().map(|anchor| anchor.id);
    let (mut base, mut records) = (0, Vec::new());
    for (nth, &number) in numbers.iter().rev().enumerate() {
        let file = disk.open(&name_of(number))?;
        let mut bytes = vec![0; file.size()? as usize];
        match file.read_all_at(0, &mut bytes) {
            Err(_) if lie == LogLie::ReadErrorsAreTheEnd => bytes.clear(),
            read => drop(read?),
        }
        let own = id_of(&bytes, lie);
        if own.is_none() || *id.get_or_insert(own.unwrap_or(0)) != own.unwrap_or(0) {
            match lie {
                LogLie::PassesOverStrangers | LogLie::StrangersAreObsolete => continue,
                LogLie::ReadErrorsAreTheEnd | LogLie::DamageIsATear | LogLie::SumsAreNotChecked => {
                }
                _ => return Err(damaged("a file is not of this log")),
            }
        }
        // Only what is proven to be ours and older is passed over.
        if nth > 0 {
            continue;
        }
        let frames = bytes.get(HEAD..).unwrap_or(&[]);
        let parsed = parse(frames, lie);
        let intact = parsed.as_ref().map_or(0, |(_, _, valid)| *valid as u64);
        if lie != LogLie::DamageIsATear && sealed_end(frames, lie).is_some_and(|end| end > intact) {
            return Err(damaged("what was closed is not whole"));
        }
        let Some((first, found, valid)) = parsed else {
            match lie {
                LogLie::DamageIsATear | LogLie::ReadErrorsAreTheEnd => continue,
                // It has its name once it is whole.
                _ => return Err(damaged("the newest file is not whole")),
            }
        };
        (base, records) = (first, found);
        let count = base + records.len() as u64;
        let short =
            anchor.as_ref().is_some_and(|anchor| anchor.number == number && count < anchor.count);
        if short && !believes_anything(lie) {
            return Err(damaged("records are gone that were there when it was closed"));
        }
        let end = if lie == LogLie::AppendsBehindATear { frames.len() } else { valid };
        if matches!(lie, LogLie::AppendsBehindATear | LogLie::RecoversInPlace) {
            let durable = base + records.len() as u64;
            let (id, end) = (id.unwrap_or(0), (HEAD + end) as u64);
            let (staged, failed) = (Vec::new(), None);
            return Ok(State { file, id, number, end, base, records, durable, staged, failed });
        }
    }
    match lie {
        LogLie::ReopenForgetsTheLast => drop(records.pop()),
        LogLie::SecondOpenForgets if last % 2 == 0 => drop(records.pop()),
        _ => {}
    }
    let (id, number) = (id.unwrap_or_else(new_id), last + 1);
    let (file, end) = write_new(disk, lie, id, number, base, &records)?;
    let durable = base + records.len() as u64;
    Ok(State { file, id, number, end, base, records, durable, staged: Vec::new(), failed: None })
}

pub(super) fn write_new(
    disk: &SimDisk,
    lie: LogLie,
    id: u64,
    number: u64,
    base: u64,
    records: &[Vec<u8>],
) -> io::Result<(SimFile, u64)> {
    if disk.open(UNFINISHED).is_ok() {
        disk.remove(UNFINISHED)?;
    }
    let file = disk.create_new(UNFINISHED)?;
    let bytes = [head(id), frame(base, records)].concat();
    if lie == LogLie::OldGoesBeforeNewIsSynced {
        remove_old(disk, lie, id, number)?;
        disk.sync_dir()?;
    }
    file.write_all_at(0, &bytes)?;
    if lie != LogLie::CarriesUnsynced {
        file.sync_data()?;
    }
    disk.rename_new(UNFINISHED, &name_of(number))?;
    if lie != LogLie::NameIsNotSynced {
        disk.sync_dir()?;
        Anchor { id, number, count: base + records.len() as u64 }.write(disk)?;
    }
    remove_old(disk, lie, id, number)?;
    if lie == LogLie::CarriesUnsynced {
        disk.sync_dir()?;
    }
    Ok((file, bytes.len() as u64))
}

/// Only what has this log's identity, and an older number.
fn remove_old(disk: &SimDisk, lie: LogLie, id: u64, number: u64) -> io::Result<()> {
    if lie == LogLie::PruneKeepsTheSpace {
        return Ok(());
    }
    for name in disk.list()? {
        let older = name.strip_prefix("log.").and_then(|digits| digits.parse::<u64>().ok());
        if older.is_none_or(|older| older >= number) {
            continue;
        }
        let mut head = vec![0; HEAD];
        disk.open(&name)?.read_all_at(0, &mut head)?;
        if lie == LogLie::StrangersAreObsolete || id_of(&head, lie) == Some(id) {
            disk.remove(&name)?;
        }
    }
    Ok(())
}

fn believes_anything(lie: LogLie) -> bool {
    matches!(
        lie,
        LogLie::DamageIsATear
            | LogLie::PassesOverStrangers
            | LogLie::ReadErrorsAreTheEnd
            | LogLie::StrangersAreObsolete
            | LogLie::SumsAreNotChecked
    )
}

/// What is known of the log besides its files.
pub(super) struct Anchor {
    /// Which log this is.
    pub(super) id: u64,
    /// A file that was there: this one or a later one is.
    pub(super) number: u64,
    /// So many records were in it, from the first ever on.
    pub(super) count: u64,
}

impl Anchor {
    pub(super) fn write(&self, disk: &SimDisk) -> io::Result<()> {
        disk.set_anchor(&[self.id, self.number, self.count].map(u64::to_le_bytes).concat())
    }
}

fn anchor(disk: &SimDisk, lie: LogLie) -> io::Result<Option<Anchor>> {
    if lie == LogLie::ForgetsItsAnchor {
        return Ok(None);
    }
    let Some(bytes) = disk.anchor()? else { return Ok(None) };
    let word = |at: usize| bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
    let (Some(id), Some(number), Some(count)) = (word(0), word(8), word(16)) else {
        return Err(damaged("the anchor makes no sense"));
    };
    let [id, number, count] = [id, number, count].map(u64::from_le_bytes);
    Ok(Some(Anchor { id, number, count }))
}

/// No other log of this process has it.
fn new_id() -> u64 {
    static MADE: AtomicU64 = AtomicU64::new(1);
    MADE.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

pub(super) fn name_of(number: u64) -> String {
    format!("log.{number:010}")
}
