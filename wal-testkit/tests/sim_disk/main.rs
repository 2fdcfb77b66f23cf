//! What the simulated disk keeps, and what it may lose.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod bytes;
mod cuts;
mod faults;
mod medium;
mod names;
mod owners;

use std::collections::BTreeSet;
use std::io::Result;

use wal_testkit::{CutChoice, SimDisk, SimFile};

fn content(disk: &SimDisk, name: &str) -> Result<Vec<u8>> {
    let file = disk.open(name)?;
    let mut bytes = vec![0xaa; usize::try_from(file.size()?).unwrap()];
    assert_eq!(file.read_at(0, &mut bytes)?, bytes.len());
    Ok(bytes)
}

/// A file whose name and bytes are durable.
fn durable(disk: &SimDisk, name: &str, bytes: &[u8]) -> SimFile {
    let file = disk.create_new(name).unwrap();
    file.write_all_at(0, bytes).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir().unwrap();
    file
}

/// Every content that a power cut by a seed may leave.
fn outcomes(disk: &SimDisk, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    (0..2000).map(|seed| content(&disk.power_cut(CutChoice::Seed(seed)), name).ok()).collect()
}
