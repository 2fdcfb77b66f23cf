//! A medium that loses sectors, and a restore that mixes files up: a closed log says so, or gives
//! the right records; never others, and never fewer without a word.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::sync::Arc;

use common::StillEnv;
use wal::{ErrorKind, Lsn, Wal};
use wal_testkit::{Profile, SimDisk, SimStore};

const RECORDS: u64 = 120;

fn record(lsn: u64) -> Vec<u8> {
    vec![lsn.to_le_bytes()[0]; 200 + usize::try_from(lsn * 37 % 700).unwrap()]
}

fn open(disk: &SimDisk) -> wal::Result<Wal> {
    let store = Arc::new(SimStore::new(disk.clone()));
    let builder = Wal::with_store(store).segment_size(16 * 1024);
    Ok(builder.env(Arc::new(StillEnv::default())).open()?.0)
}

/// A closed log of several segments.
fn written() -> SimDisk {
    let disk = SimDisk::new(Profile::STRICT);
    let wal = open(&disk).unwrap();
    for lsn in 1..=RECORDS {
        wal.append(record(lsn)).unwrap();
        if lsn % 3 == 0 {
            wal.sync().unwrap();
        }
    }
    wal.close().unwrap();
    assert!(disk.list().unwrap().len() >= 4, "several segments");
    disk
}

/// What an open and a read of everything meet; `None` where all is well.
fn met(disk: &SimDisk) -> Option<ErrorKind> {
    let wal = match open(disk) {
        Ok(wal) => wal,
        Err(error) => return Some(error.kind()),
    };
    let mut next = 1;
    for entry in match wal.read_from(Lsn::FIRST) {
        Ok(entries) => entries,
        Err(error) => return Some(error.kind()),
    } {
        match entry {
            Ok(entry) => assert_eq!((entry.lsn.get(), &entry.payload[..]), (next, &*record(next))),
            Err(error) => return Some(error.kind()),
        }
        next += 1;
    }
    assert_eq!(next, RECORDS + 1, "records are missing, and not a word");
    None
}

#[test]
fn segments_that_traded_places_are_damage() {
    let written = written();
    let names = written.list().unwrap();
    for (index, one) in names.iter().enumerate() {
        for other in &names[index + 1..] {
            let disk = written.kill();
            disk.swap(one, other).unwrap();
            assert_eq!(met(&disk), Some(ErrorKind::Corrupt), "{one} and {other}");
            disk.swap(one, other).unwrap();
            assert_eq!(met(&disk), None, "{one} and {other} put right again");
        }
    }
}

#[test]
fn a_copy_of_a_segment_in_place_of_another_is_damage() {
    let written = written();
    let names = written.list().unwrap();
    for from in &names {
        for to in names.iter().filter(|to| *to != from) {
            let disk = written.kill();
            disk.duplicate(from, to).unwrap();
            assert_eq!(met(&disk), Some(ErrorKind::Corrupt), "{from} in place of {to}");
        }
    }
}

/// Every sector of every segment in turn. What cannot be read is an error, and no reason to cut.
#[test]
fn a_lost_sector_is_an_error_and_loses_nothing_else() {
    let written = written();
    let mut errors = 0;
    for name in written.list().unwrap() {
        for at in (0..written.open(&name).unwrap().size().unwrap()).step_by(512) {
            let disk = written.kill();
            disk.lose(&name, at..at + 512).unwrap();
            let met_lost = met(&disk);
            assert!(matches!(met_lost, None | Some(ErrorKind::Io)), "{name} at {at}: {met_lost:?}");
            errors += u64::from(met_lost.is_some());
        }
    }
    assert!(errors > 100, "{errors} sectors were missed only");
}

/// Every seventh byte of the log in turn, one bit of it.
#[test]
fn a_bit_that_rots_is_damage_or_nothing_at_all() {
    let written = written();
    for name in written.list().unwrap() {
        for at in (0..written.open(&name).unwrap().size().unwrap()).step_by(7) {
            let disk = written.kill();
            disk.flip(&name, at, 1 << (at % 8)).unwrap();
            let kind = met(&disk);
            let loud = [None, Some(ErrorKind::Corrupt), Some(ErrorKind::Unsupported)];
            assert!(loud.contains(&kind), "{name} at {at}: {kind:?}");
        }
    }
}
