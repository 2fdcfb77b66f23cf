//! The file `ANCHOR`: a few bytes beside the segments, replaced whole.

use std::io;

use wal_core::format::{SLOT_LEN, Slots};

use super::life::Life;
use super::preparation::is_full;
use super::transfer::{read_full, uninterrupted, write_all};
use super::{Access, FileInfo, FileKind, Files, OpenFile, name};
use crate::sync::{self, Mutex};

const NAME: &str = "ANCHOR";

/// What the anchor holds; `None` where there is none.
pub(super) fn read(files: &dyn Files) -> io::Result<Option<Vec<u8>>> {
    let file = match files.open(NAME, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match files.look(NAME) {
                // A link that leads nowhere.
                Ok(info) => Err(not_an_anchor(&format!("it is {}", info.kind))),
                Err(_) => Ok(None),
            };
        }
        file => file?,
    };
    let slots = slots(&*file)?;
    // One that was never written has no file. To write to this one harms nobody, and heals it.
    let bytes = slots.bytes().ok_or_else(|| not_an_anchor("it is empty"))?;
    Ok(Some(bytes.to_vec()))
}

/// What this life knows of the anchor's file.
#[derive(Debug, Default)]
pub(super) enum Known {
    /// Nothing, before its first write.
    #[default]
    Nothing,
    /// These slots are durable. The next bytes go to the slot that does not hold the last of them. Which
    /// one that is cannot be told by reading: the cache also has what was written and never synced.
    Durable(Slots),
    /// Its first sync failed, or that of its name: what was found may be in the cache alone, and a later
    /// sync that succeeds does not say otherwise. This file is not written to any more.
    Doubtful,
}

pub(super) type Durable = Mutex<Known>;

/// Replaces what the anchor holds, durably. Needs space the first time only.
pub(super) fn write(life: &Life, bytes: &[u8]) -> io::Result<()> {
    let mut known = sync::lock(&life.anchor);
    let file = match life.files.open(NAME, Access::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Where it fails, the file may have its name by then, and the directory may have forgotten it.
            let made = make(life, bytes, Slots::default(), Old::None);
            *known = Known::Durable(made.inspect_err(|_| *known = Known::Doubtful)?);
            return Ok(());
        }
        file => file?,
    };
    let found = match slots(&*file) {
        // Both slots are rotten, and one has our mark still: it is no stranger's file, and says nothing.
        Err(_) if was_ours(&*file)? => Slots::default(),
        found => found?,
    };
    // Under its other name, or where the link leads to, it belongs to a copy of the log, which ends where
    // it ends.
    let is_link = life.files.look(NAME)?.kind == FileKind::Link;
    let shared = is_link || file.info()?.links > 1;
    if shared || matches!(*known, Known::Doubtful) {
        match make(life, bytes, found.clone(), Old::PutAside) {
            Err(error) if is_full(&error) && shared && !is_link => {}
            Err(error) => {
                *known = Known::Doubtful;
                return Err(error);
            }
            Ok(made) => {
                *known = Known::Durable(made);
                return Ok(());
            }
        }
    }
    let durable = if let Known::Durable(slots) = &*known {
        slots.clone()
    } else {
        // Written, maybe, by a process that died before its sync.
        file.sync_data().inspect_err(|_| *known = Known::Doubtful)?;
        found
    };
    let mut next = durable.clone();
    *known = Known::Durable(durable);
    let (at, slot) = next.replace(bytes);
    let mut before = vec![0; SLOT_LEN];
    read_full(&*file, at, &mut before)?;
    if let Err(error) = write_all(&*file, at, &slot).and_then(|()| file.sync_data()) {
        // So that no later process takes for durable what is not, and writes over what is.
        write_all(&*file, at, &before).ok();
        return Err(error);
    }
    *known = Known::Durable(next);
    Ok(())
}

/// What has the name of the anchor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Old {
    None,
    /// It is somebody else's too, having two names or being behind a link; or it may not be what it reads
    /// as.
    PutAside,
}

/// Makes the file under a spare's name, all of it durable, as the one that follows `found`, and renames
/// it. A crash in the middle leaves spares; where the old one had been put aside by then, the next lock
/// of the store [restores](restore) the name.
fn make(life: &Life, bytes: &[u8], found: Slots, old: Old) -> io::Result<Slots> {
    let (name, file) = life.spares.make_anchor()?;
    let mut slots = found;
    let (at, slot) = slots.replace(bytes);
    let aside = life.spares.anchor_name();
    let filled = || {
        // Both slots, so that the second has its space before the disk is full.
        write_all(&*file, at, &slot)?;
        write_all(&*file, SLOT_LEN as u64 - at, &[0; SLOT_LEN])?;
        file.sync_all()
    };
    filled().inspect_err(|_| {
        // Where its removal fails, too, it reads as an anchor that was put aside, which it is in the cache
        // alone.
        uninterrupted(|| file.set_len(0)).ok();
        life.spares.remove(&name);
    })?;
    let named = || {
        if old == Old::PutAside {
            life.files.rename(NAME, &aside)?;
        }
        life.files.rename(&name, NAME).inspect_err(|_| {
            if old == Old::PutAside {
                life.files.rename(&aside, NAME).ok();
            }
        })
    };
    named().inspect_err(|_| life.spares.remove(&name))?;
    life.sync_dir()?;
    if old == Old::PutAside {
        life.spares.remove(&aside);
    }
    Ok(slots)
}

/// Where a crash came between the putting aside of an anchor and the naming of its successor, one of
/// these spares is the anchor: the one of the highest turn gets the name again. Says which. Other spares
/// are not looked at: a mark of a pair is two slots as well.
pub(super) fn restore(files: &dyn Files, names: &[String]) -> io::Result<Option<String>> {
    if names.iter().any(|name| name == NAME) {
        return Ok(None);
    }
    let mut newest: Option<(Slots, &String)> = None;
    for name in names.iter().filter(|name| name::is_spare_anchor(name)) {
        let whole =
            |info: FileInfo| info.kind != FileKind::File || info.size == 2 * SLOT_LEN as u64;
        if !files.look(name).is_ok_and(whole) {
            continue;
        }
        let Some(found) = files.open(name, Access::Read).and_then(|file| slots(&*file)).ok() else {
            continue;
        };
        if found.bytes().is_some()
            && newest.as_ref().is_none_or(|(newest, _)| found.turn() > newest.turn())
        {
            newest = Some((found, name));
        }
    }
    let Some((_, name)) = newest else { return Ok(None) };
    files.rename(name, NAME)?;
    Ok(Some(name.clone()))
}

/// Whether one of the slots begins as a slot of ours does, in a file of the right length.
fn was_ours(file: &dyn OpenFile) -> io::Result<bool> {
    let info = file.info()?;
    if info.kind != FileKind::File || info.size != 2 * SLOT_LEN as u64 {
        return Ok(false);
    }
    let mut bytes = vec![0; 2 * SLOT_LEN];
    let read = read_full(file, 0, &mut bytes)?;
    Ok(Slots::marked(&bytes[..read]))
}

fn slots(file: &dyn OpenFile) -> io::Result<Slots> {
    let info = file.info()?;
    if info.kind != FileKind::File {
        return Err(not_an_anchor(&format!("it is {}", info.kind)));
    }
    let mut bytes = vec![0; 2 * SLOT_LEN];
    let read = read_full(file, 0, &mut bytes)?;
    Slots::decode(&bytes[..read]).ok_or_else(|| not_an_anchor("it is damaged"))
}

fn not_an_anchor(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the file {NAME} is none, and is left alone: {what}"),
    )
}
