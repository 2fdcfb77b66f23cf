//! Files that are used again: under which conditions they may be, and that what they held never shows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;

use common::StillEnv;
use wal::parts::core::{SegmentId, SegmentStore};
use wal::parts::segment::{FileStore, MemoryStore};
use wal::{Config, ErrorKind, Lsn, Reader, Recycling, Verdict, Wal};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Profile, SimDisk, SimFiles};

const ONE: SegmentId = SegmentId::FIRST;
const SIZE: u64 = 16 * 1024;

fn store(disk: &SimDisk, recycling: Recycling) -> FileStore {
    FileStore::over(Arc::new(SimFiles::new(disk.clone()))).recycling(recycling)
}

fn write(store: &FileStore, id: SegmentId, byte: u8) {
    let mut writer = store.create(id, SIZE).unwrap();
    writer.append(&[byte; 5000]).unwrap();
    writer.syncer().sync().unwrap();
}

/// The crash search's: a sync of the directory failed after a segment was removed, and dropped the
/// removal. The next process saw the file under the name it had got, had a sync of the directory
/// succeed, and made another segment of it. The power cut gave it its first name back, too, and the
/// one file was two segments.
#[test]
fn a_file_of_another_handle_is_never_used_again() {
    let disk = SimDisk::new(Profile::STRICT);
    let first = store(&disk, Recycling::Keep(2));
    let _held = first.lock().unwrap();
    write(&first, ONE, 1);
    disk.fail(FaultRule::next(Call::SyncDir, Fault::Dropped));
    first.remove(&[ONE]).unwrap_err();

    let disk = disk.kill();
    let second = store(&disk, Recycling::Keep(2));
    let _lock = second.lock().unwrap();
    write(&second, ONE.next(), 2);

    let third = store(&disk.power_cut(CutChoice::Nothing), Recycling::Keep(2));
    for id in third.list().unwrap() {
        let mut bytes = [0; 5000];
        third.open(id).unwrap().read_at(0, &mut bytes).unwrap();
        assert_eq!(bytes, [u8::try_from(id.get()).unwrap(); 5000], "segment {id}");
    }
}

fn open(disk: &SimDisk, recycling: Recycling) -> wal::Result<Wal> {
    let mut config = Config::default();
    config.segment_size = SIZE;
    let builder = Wal::with_store(Arc::new(store(disk, recycling))).config(config);
    Ok(builder.env(Arc::new(StillEnv::default())).open()?.0)
}

/// Segments of both kinds lie side by side, and a crash comes with each as the newest.
#[test]
fn recycling_may_be_turned_on_and_off() {
    let mut disk = SimDisk::new(Profile::STRICT);
    let mut last = Lsn::ZERO;
    for round in 0..12 {
        let recycling = if round % 3 == 1 { Recycling::Off } else { Recycling::Keep(2) };
        let wal = open(&disk, recycling).unwrap();
        assert_eq!(wal.last_lsn(), last, "round {round}");
        for record in 0..40 {
            last = wal.append(vec![u8::try_from(round).unwrap(); 700 + record]).unwrap();
            wal.wait_for_lsn(last).wait().unwrap();
            if record % 10 == 9 {
                wal.prune_before(Lsn::new(last.get() - 5)).unwrap();
            }
        }
        let entries = wal.read_from(wal.first_lsn()).unwrap();
        assert_eq!(entries.map(|entry| entry.unwrap().lsn).last(), Some(last));
        let choice = if round % 2 == 0 { CutChoice::Nothing } else { CutChoice::Everything };
        disk = disk.power_cut(choice);
        drop(wal);
        let found = Reader::with_store(Arc::new(store(&disk, recycling))).verify(|_| ()).unwrap();
        assert_ne!(found.verdict, Verdict::Corrupt, "round {round}: {:?}", found.findings);
    }
}

/// A reader of a segment whose file has become another segment is told that what it reads was
/// pruned, and gets no byte of the other life.
#[test]
fn a_reader_that_is_overtaken_is_told_so() {
    let disk = SimDisk::new(Profile::STRICT);
    let wal = open(&disk, Recycling::Keep(1)).unwrap();
    let commit = |byte: u8| {
        let lsn = wal.append(vec![byte; 3000]).unwrap();
        wal.wait_for_lsn(lsn).wait().unwrap();
        lsn
    };
    for _ in 0..20 {
        commit(1);
    }
    let mut reader = wal.read_from(Lsn::FIRST).unwrap().read_ahead(512);
    assert_eq!(reader.next().unwrap().unwrap().lsn, Lsn::FIRST);
    for _ in 0..20 {
        wal.prune_before(commit(2)).unwrap();
    }
    for entry in reader {
        match entry {
            Ok(entry) => assert_eq!(entry.payload, vec![1; 3000]),
            Err(error) => return assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
    }
    panic!("the reader came to the end of what is gone");
}

/// Without recycling the same store gives zeros, which is what the memory store always does.
#[test]
fn the_guarantee_says_what_unwritten_space_is() {
    use wal::parts::core::Unwritten;
    let disk = SimDisk::new(Profile::STRICT);
    assert_eq!(store(&disk, Recycling::Off).guarantees().unwritten, Unwritten::Zeros);
    assert_eq!(store(&disk, Recycling::Keep(1)).guarantees().unwritten, Unwritten::Anything);
    assert_eq!(MemoryStore::new().guarantees().unwritten, Unwritten::Zeros);
}

/// On a full disk, pruning has to give space back and not keep it for later.
#[test]
fn a_full_disk_gets_the_files_that_were_kept() {
    let disk = SimDisk::new(Profile::STRICT);
    let wal = open(&disk, Recycling::Keep(100)).unwrap();
    let commit = || {
        let lsn = wal.append(vec![7; 3000])?;
        wal.wait_for_lsn(lsn).wait().map(|()| lsn)
    };
    for _ in 0..30 {
        commit().unwrap();
    }
    disk.set_room(Some(SIZE / 2));
    let full = loop {
        if let Err(error) = commit() {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    wal.prune_before(wal.durable_lsn()).unwrap();
    for _ in 0..20 {
        commit().unwrap();
    }
    wal.close().unwrap();
}
