//! The file `ANCHOR`: a few bytes beside the segments, replaced whole.

use std::io;

use wal_core::format::{SLOT_LEN, Slots};

use super::life::Life;
use super::preparation::is_full;
use super::transfer::{read_full, write_all};
use super::{Access, FileKind, Files, OpenFile};
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

/// What this life knows to be durable of the slots; `None` before its first write.
///
/// The next bytes go to the slot that does not hold the last durable ones. Which one that is cannot be
/// told by reading: the cache also has what was written and never synced.
pub(super) type Durable = Mutex<Option<Slots>>;

/// Replaces what the anchor holds, durably. Needs space the first time only.
pub(super) fn write(life: &Life, bytes: &[u8]) -> io::Result<()> {
    let mut durable = sync::lock(&life.anchor);
    let file = match life.files.open(NAME, Access::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            *durable = Some(make(life, bytes, Old::None)?);
            return Ok(());
        }
        file => file?,
    };
    let mut next = slots(&*file)?;
    // Under its other name, or where the link leads to, it belongs to a copy of the log, which ends where
    // it ends.
    let is_link = life.files.look(NAME)?.kind == FileKind::Link;
    if is_link || file.info()?.links > 1 {
        match make(life, bytes, Old::Shared) {
            Err(error) if is_full(&error) && !is_link => {}
            made => {
                *durable = made.as_ref().ok().cloned();
                return made.map(drop);
            }
        }
    }
    match &*durable {
        Some(slots) => next.clone_from(slots),
        // Written, maybe, by a process that died before its sync.
        None => file.sync_data()?,
    }
    *durable = Some(next.clone());
    let (at, slot) = next.replace(bytes);
    let mut before = vec![0; SLOT_LEN];
    read_full(&*file, at, &mut before)?;
    if let Err(error) = write_all(&*file, at, &slot).and_then(|()| file.sync_data()) {
        // So that no later process takes for durable what is not, and writes over what is.
        write_all(&*file, at, &before).ok();
        return Err(error);
    }
    *durable = Some(next);
    Ok(())
}

/// What has the name of the anchor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Old {
    None,
    /// Somebody else's too: it has two names, or is behind a link.
    Shared,
}

/// Makes the file under a spare's name, all of it durable, and renames it. A crash in the middle
/// leaves a spare. Where there was one that is shared, it may also leave no anchor at all, which
/// says nothing and denies nothing.
fn make(life: &Life, bytes: &[u8], old: Old) -> io::Result<Slots> {
    let (name, file) = life.spares.make()?;
    let mut slots = Slots::default();
    let (_, slot) = slots.replace(bytes);
    let filled = || {
        // Both slots, so that the second has its space before the disk is full.
        write_all(&*file, 0, &slot)?;
        write_all(&*file, SLOT_LEN as u64, &[0; SLOT_LEN])?;
        file.sync_all()?;
        if old == Old::Shared {
            life.files.remove(NAME)?;
        }
        life.files.rename(&name, NAME)
    };
    filled().inspect_err(|_| life.spares.remove(&name))?;
    life.sync_dir()?;
    Ok(slots)
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
    io::Error::new(io::ErrorKind::InvalidData, format!("the file {NAME} is none: {what}"))
}
