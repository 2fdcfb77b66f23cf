//! The file `ANCHOR`: a few bytes beside the segments, replaced whole.

use std::io;

use wal_core::format::{SLOT_LEN, Slots};

use super::transfer::{read_full, write_all};
use super::{Access, Files};

const NAME: &str = "ANCHOR";
/// Until its first bytes are durable it has this name.
const UNFINISHED: &str = "ANCHOR.new";

/// What the anchor holds; `None` where there is none.
pub(super) fn read(files: &dyn Files) -> io::Result<Option<Vec<u8>>> {
    let file = match files.open(NAME, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    Ok(slots(&*file)?.bytes().map(<[u8]>::to_vec))
}

/// Replaces what the anchor holds, durably. Needs space the first time only.
pub(super) fn write(
    files: &dyn Files,
    bytes: &[u8],
    sync_dir: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    match files.open(NAME, Access::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        file => {
            let file = file?;
            let (at, slot) = slots(&*file)?.replace(bytes);
            write_all(&*file, at, &slot)?;
            return file.sync_data();
        }
    }
    match files.remove(UNFINISHED) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = files.create_new(UNFINISHED)?;
    let (_, slot) = Slots::default().replace(bytes);
    // Both slots, so that the second has its space before the disk is full.
    write_all(&*file, 0, &slot)?;
    write_all(&*file, SLOT_LEN as u64, &[0; SLOT_LEN])?;
    file.sync_all()?;
    files.rename(UNFINISHED, NAME)?;
    sync_dir()
}

fn slots(file: &dyn super::OpenFile) -> io::Result<Slots> {
    let mut bytes = vec![0; 2 * SLOT_LEN];
    let read = read_full(file, 0, &mut bytes)?;
    Slots::decode(&bytes[..read])
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the file ANCHOR is damaged"))
}
