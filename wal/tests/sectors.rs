//! The rule that a block with acknowledged records is never written again, where the settings ask for
//! it: what a flush is padded to, and what becomes of a log that does not pad, on a disk that garbles
//! the whole block it was writing when the power went.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;

use common::StillEnv;
use wal::parts::segment::{FileStore, MemoryStore};
use wal::{Config, Lsn, Reader, Retention, Wal};
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

/// A log was written with an alignment of 4096, for a disk that garbles the block it rewrites. Then the
/// tool pruned it: it opened the log with its own settings, which know of no alignment, and its frame
/// that records the new start went into the block of acknowledged records. 19 of 20 power cuts in that
/// write lost one. What protects a log is in its headers now, and whatever opens it keeps to it.
#[test]
fn tool_forgets_alignment() {
    let disk = SimDisk::new(Profile::STRICT.atom(Atom::Page).damage(Damage::Atom));
    let wal = open(&disk, 4096).unwrap();
    for _ in 0..100 {
        commit(&wal, 3000).unwrap();
    }
    let acknowledged = wal.durable_lsn();
    let before = disk.kill();
    let calls = {
        let disk = before.kill();
        prune(&disk);
        disk.operations()
    };
    for at in 1..=calls {
        let disk = before.kill();
        disk.crash_at(at);
        prune(&disk);
        for seed in 0..20 {
            let wal = open(&disk.power_cut(CutChoice::Seed(seed)), 8).unwrap();
            assert!(wal.last_lsn() >= acknowledged, "call {at}, seed {seed}: {}", wal.last_lsn());
        }
    }
}

/// As `wal prune` does it; as far as it comes.
fn prune(disk: &SimDisk) {
    if let Ok(tool) = open(disk, 8) {
        tool.retain(&Retention::all().at_most_segments(1)).ok();
        tool.append("one more").ok();
        tool.close().ok();
    }
}

/// The larger of the two counts: what the settings ask for, or what the log was written with. Each
/// segment names its own, also one of a recovery and of a truncation, and those of a copy.
#[test]
fn a_log_keeps_the_largest_alignment_it_had() {
    let disk = SimDisk::new(Profile::STRICT);
    let newest = |disk: &SimDisk| {
        let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())));
        Reader::with_store(Arc::new(store)).survey().unwrap().unwrap().newest.alignment
    };
    for (asked, kept) in [(8, 8), (512, 512), (8, 512), (4096, 4096), (64, 4096)] {
        let wal = open(&disk, asked).unwrap();
        commit(&wal, 100).unwrap();
        assert_eq!(newest(&disk), kept, "asked for {asked}");
        let last = commit(&wal, 100).unwrap();
        wal.truncate_after(last.previous()).unwrap();
        assert_eq!(newest(&disk), kept, "asked for {asked}, truncated");
        let (live, offline) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
        wal.backup_to(live.clone()).unwrap();
        wal.close().unwrap();
        let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())));
        Reader::with_store(Arc::new(store)).backup_to(offline.clone()).unwrap();
        for copy in [live, offline] {
            let survey = Reader::with_store(copy).survey().unwrap().unwrap();
            assert_eq!(survey.newest.alignment, kept, "asked for {asked}, copied");
        }
    }
    // In doubt: a recovery makes the next segment.
    let wal = open(&disk, 8).unwrap();
    commit(&wal, 100).unwrap();
    let disk = disk.kill();
    open(&disk, 8).unwrap();
    assert_eq!(newest(&disk), 4096);
}
