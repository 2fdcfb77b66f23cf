//! Bugs that logs of others have had, each as a test of its name. The doc of each tells the story
//! in two lines and whose it was.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod acknowledging;
mod ending;
mod failing;
mod rotating;
#[cfg(unix)]
mod strangers;

use std::sync::Arc;

use common::StillEnv;
use wal::parts::segment::{FileStore, Preparation};
use wal::{Lsn, Reader, Result, Strategy, Wal};
use wal_testkit::{CutChoice, Profile, SimDisk, SimFiles};

fn disk() -> SimDisk {
    SimDisk::new(Profile::STRICT)
}

/// The file store's own code, on the simulated disk.
fn files(disk: &SimDisk) -> Arc<FileStore> {
    let files = Arc::new(SimFiles::new(disk.clone()));
    Arc::new(FileStore::over(files).preparation(Preparation::Whole))
}

fn try_open(disk: &SimDisk, strategy: Strategy) -> Result<Wal> {
    let builder = Wal::with_store(files(disk)).segment_size(16 * 1024).strategy(strategy);
    builder.env(Arc::new(StillEnv::default())).open().map(|(wal, _)| wal)
}

fn open(disk: &SimDisk) -> Wal {
    try_open(disk, Strategy::GroupCommit).unwrap()
}

fn commit(wal: &Wal, record: &[u8]) -> Lsn {
    let lsn = wal.append(record).unwrap();
    wal.wait_for_lsn(lsn).wait().unwrap();
    lsn
}

/// The record of this number, told from all others.
fn record(n: u64) -> Vec<u8> {
    format!("record {n} ").into_bytes().repeat(1 + usize::try_from(n % 50).unwrap())
}

fn commit_numbered(wal: &Wal, numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        assert_eq!(commit(wal, &record(n)).get(), n);
    }
}

/// Opens what the disk holds and reads all of it: records 1 to n, each as it was written.
fn recovered(disk: &SimDisk) -> u64 {
    let wal = open(disk);
    let entries: Vec<_> =
        wal.read_from(wal.first_lsn()).unwrap().map(|entry| entry.unwrap()).collect();
    let mut next = wal.first_lsn();
    for entry in &entries {
        assert_eq!(entry.lsn, next);
        assert_eq!(entry.payload, record(entry.lsn.get()), "record {}", entry.lsn);
        next = next.next();
    }
    assert_eq!(wal.last_lsn().next(), next, "the log has records that it does not show");
    next.previous().get()
}

/// What every kind of power cut, the extremes and some by chance, leaves of the disk.
fn cuts(disk: &SimDisk) -> impl Iterator<Item = (CutChoice, SimDisk)> {
    let choices = disk.extremes().into_iter().chain((0..24).map(CutChoice::Seed));
    choices.map(|choice| (choice, disk.power_cut(choice)))
}

fn reader(disk: &SimDisk) -> Reader {
    Reader::with_store(files(disk))
}
