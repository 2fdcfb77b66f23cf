//! Ways to keep an anchor wrong.

use std::io;

use crate::SimDisk;

const NAME: &str = "anchor";
const NEW: &str = "anchor.new";

/// Length, sum, bytes.
fn encoded(bytes: &[u8]) -> Vec<u8> {
    let sum = bytes.iter().fold(1_u64, |sum, &byte| sum.wrapping_mul(31) + u64::from(byte));
    let mut all = (bytes.len() as u64).to_le_bytes().to_vec();
    all.extend(sum.to_le_bytes());
    all.extend(bytes);
    all
}

pub(super) fn read(disk: &SimDisk) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(NAME) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut all = vec![0; usize::try_from(file.size()?).map_err(io::Error::other)?];
    file.read_all_at(0, &mut all)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the anchor is damaged");
    let length = all.first_chunk().copied().map(u64::from_le_bytes).ok_or_else(damaged)?;
    let end = usize::try_from(length).ok().and_then(|length| length.checked_add(16));
    let bytes = end.and_then(|end| all.get(16..end)).ok_or_else(damaged)?;
    if all.starts_with(&encoded(bytes)) { Ok(Some(bytes.to_vec())) } else { Err(damaged()) }
}

/// In place, and synced or not.
pub(super) fn write_in_place(disk: &SimDisk, bytes: &[u8], sync: bool) -> io::Result<()> {
    let file = match disk.open(NAME) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create_new(NAME)?,
        file => file?,
    };
    file.write_all_at(0, &encoded(bytes))?;
    if sync {
        file.sync_data()?;
        disk.sync_dir()?;
    }
    Ok(())
}

/// As a new file in place of the old: right, but for the room that it takes.
pub(super) fn write_anew(disk: &SimDisk, bytes: &[u8]) -> io::Result<()> {
    let _ = disk.remove(NEW);
    let file = disk.create_new(NEW)?;
    file.write_all_at(0, &encoded(bytes))?;
    file.sync_data()?;
    disk.rename(NEW, NAME)?;
    disk.sync_dir()
}
