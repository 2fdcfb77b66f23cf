//! The files of the log: what opening finds in them, and how one takes the place of another.

use std::io;

use super::frame::{frame, parse, sealed_end};
use super::{LogLie, State};
use crate::{SimDisk, SimFile};

pub(super) fn recover(disk: &SimDisk, lie: LogLie) -> io::Result<State> {
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

pub(super) fn write_new(
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
