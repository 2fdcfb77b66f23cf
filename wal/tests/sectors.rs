//! The rule that a block with acknowledged records is never written again, where the settings ask for
//! it: what a flush is padded to, and what becomes of a log that does not pad, on a disk that garbles
//! the whole block it was writing when the power went.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;

use common::StillEnv;
use wal::parts::segment::{FileStore, MemoryStore};
use wal::{Config, Lsn, Wal};
use wal_testkit::{Atom, CutChoice, Damage, Profile, SimDisk, SimFiles};

/// Bytes of a frame header, and of the length before a record of 128 to 16383 bytes.
const AROUND: usize = 48 + 2;

fn open(disk: &SimDisk, alignment: u32) -> wal::Result<Wal> {
    let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())));
    let mut config = Config::default();
    config.segment_size = 256 * 1024;
    config.alignment = alignment;
    let builder = Wal::with_store(Arc::new(store)).config(config);
    Ok(builder.env(Arc::new(StillEnv::default())).open()?.0)
}

fn commit(wal: &Wal, len: usize) -> wal::Result<Lsn> {
    let lsn = wal.append(vec![7; len])?;
    wal.wait_for_lsn(lsn).wait().map(|()| lsn)
}

/// A frame of 1028 bytes takes a block of 4096. One that leaves less of a block than the header of a
/// padding frame takes two; one of 4095 bytes, which count as 4096, leaves nothing and takes one.
#[test]
fn a_flush_ends_where_a_block_ends() {
    let mut config = Config::default();
    config.alignment = 4096;
    let store = Arc::new(MemoryStore::new());
    let wal = Wal::with_store(store).config(config).open().unwrap().0;
    commit(&wal, 1).unwrap();
    for (frame, flush) in [
        (1028, 4096),
        (4040, 4096),
        (4048, 4096),
        (4049, 8192),
        (4088, 8192),
        (4095, 4096),
        (4097, 8192),
    ] {
        let before = wal.current_segment_size();
        commit(&wal, frame - AROUND).unwrap();
        let took = wal.current_segment_size() - before;
        assert_eq!(took, flush, "a frame of {frame} bytes");
    }
}

/// How many power cuts, of those in the middle of a later flush, cost an acknowledged record or make
/// the log refuse to open.
fn harmed(alignment: u32) -> usize {
    let profile = Profile::STRICT.atom(Atom::Page).damage(Damage::Atom);
    let mut harmed = 0;
    for (first, second) in [(100, 100), (978, 3000), (3990, 10), (5000, 5000)] {
        for later in 0..4 {
            let disk = SimDisk::new(profile);
            let wal = open(&disk, alignment).unwrap();
            let acknowledged = commit(&wal, first).unwrap();
            disk.crash_at(disk.operations() + later);
            // The write, the sync, or both are the last things that happen.
            commit(&wal, second).ok();
            drop(wal);
            let seeds = (0..40).map(|seed| format!("seed:{seed}").parse().unwrap());
            let choices: Vec<CutChoice> = disk.extremes().into_iter().chain(seeds).collect();
            for choice in choices {
                let kept = open(&disk.power_cut(choice), alignment)
                    .map(|wal| wal.last_lsn() >= acknowledged);
                harmed += usize::from(!kept.unwrap_or(false));
            }
        }
    }
    harmed
}

#[test]
fn a_block_with_acknowledged_records_is_never_at_risk() {
    assert_eq!(harmed(4096), 0);
    assert!(harmed(8) > 0, "without padding this disk does garble what was acknowledged");
}
