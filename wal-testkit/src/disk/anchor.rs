//! A few bytes that are replaced whole, for the plain stores of the kit.

use std::io;

use wal_core::format::{SLOT_LEN, Slots};

use super::{SimDisk, SimFile};

const NAME: &str = "ANCHOR";
const UNFINISHED: &str = "ANCHOR.new";

impl SimDisk {
    /// What [`set_anchor`](Self::set_anchor) wrote last.
    pub(crate) fn anchor(&self) -> io::Result<Option<Vec<u8>>> {
        match self.open(NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => Ok(slots(&file?)?.bytes().map(<[u8]>::to_vec)),
        }
    }

    /// Replaces these bytes, durably.
    pub(crate) fn set_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        match self.open(NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            file => {
                let file = file?;
                // Written, maybe, and never synced, by a process that died in between: the slot that goes
                // next is then the only one that is on the disk.
                if file.is_dirty() {
                    file.sync_data()?;
                }
                let (at, slot) = slots(&file)?.replace(bytes);
                file.write_all_at(at, &slot)?;
                return file.sync_data();
            }
        }
        let _ = self.remove(UNFINISHED);
        let file = self.create_new(UNFINISHED)?;
        let (_, slot) = Slots::default().replace(bytes);
        file.write_all_at(0, &slot)?;
        file.write_all_at(SLOT_LEN as u64, &[0; SLOT_LEN])?;
        file.sync_data()?;
        self.rename(UNFINISHED, NAME)?;
        self.sync_dir()
    }
}

fn slots(file: &SimFile) -> io::Result<Slots> {
    let mut bytes = vec![0; 2 * SLOT_LEN];
    let read = file.read_all_at(0, &mut bytes)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the anchor is damaged");
    Slots::decode(&bytes[..read]).ok_or_else(damaged)
}
