//! Where a log ends, and what is damage.

use wal::parts::core::format::SegmentHeader;
use wal::{ErrorKind, Strategy, Verdict};
use wal_testkit::{CutChoice, SimDisk};

use super::{commit, commit_numbered, cuts, disk, open, reader, record, recovered, try_open};

const FIRST: &str = "00000000000000000001.wal";

/// The bytes of a file, zeros at the end left out.
fn written(disk: &SimDisk, name: &str) -> Vec<u8> {
    let file = disk.open(name).unwrap();
    let mut bytes = vec![0; usize::try_from(file.size().unwrap()).unwrap()];
    let read = file.read_at(0, &mut bytes).unwrap();
    bytes.truncate(read);
    bytes.truncate(bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1));
    bytes
}

/// A killed process's disk with this many records committed in its first segment.
fn killed_with(records: u64) -> SimDisk {
    let disk = disk();
    let wal = open(&disk);
    commit_numbered(&wal, 1..=records);
    let killed = disk.kill();
    drop(wal);
    killed
}

/// Damages the disk: the file has these bytes from `offset` on.
fn overwrite(disk: &SimDisk, offset: usize, bytes: &[u8]) {
    disk.open(FIRST).unwrap().write_all_at(offset as u64, bytes).unwrap();
}

/// Old bytes behind a cut tail came back when the next append did not cover all of them.
/// etcd f1ead43 and bfe3a3d.
#[test]
fn torn_tail_is_zeroed_or_sealed_before_append() {
    let disk = killed_with(12);
    let end = written(&disk, FIRST).len();
    overwrite(&disk, end - 200, &[0xaa; 60]);
    let mut left = recovered(&disk);
    assert!(left < 12);
    for round in 0..4 {
        let wal = open(&disk);
        commit(&wal, &record(left + 1));
        left += 1;
        drop(wal);
        for (choice, after) in cuts(&disk.kill()) {
            assert_eq!(recovered(&after), left, "round {round}, {choice}");
        }
    }
}

/// Half a header at the end stayed there, and the next records were appended behind it.
/// `SpacetimeDB` 2af138f; Neo4j 8726.
#[test]
fn trailing_partial_header_truncated_before_resume() {
    for half in 1..48 {
        let disk = killed_with(3);
        let end = written(&disk, FIRST).len().next_multiple_of(8);
        overwrite(&disk, end, &vec![0x55; half]);
        assert_eq!(recovered(&disk), 3, "{half}");
        let wal = open(&disk);
        commit_numbered(&wal, 4..=5);
        drop(wal);
        assert_eq!(recovered(&disk), 5, "{half}");
        assert_eq!(reader(&disk).verify(|_| ()).unwrap().verdict, Verdict::Clean, "{half}");
    }
}

/// A damaged byte in the middle read as the end of the log, and everything behind it was dropped.
/// `RocksDB`; Pebble 9a86078; open-wal #26; NATS, where one bit took 679,153 messages.
#[test]
fn interior_corruption_is_not_end_of_log() {
    let clean = killed_with(20);
    let bytes = written(&clean, FIRST);
    // All but the last commit, which nothing vouches for yet: a frame header and 21 times the name.
    let vouched = bytes.len() - 48 - record(20).len() - 8;
    for at in (4096..vouched).step_by(37) {
        let disk = clean.kill();
        overwrite(&disk, at, &[!bytes[at]]);
        let refused = try_open(&disk, Strategy::GroupCommit).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{at}: {refused:?}");
        assert_eq!(written(&disk, FIRST).len(), bytes.len(), "the evidence was cut");
    }
}

/// A record with a sector of zeros in it rotted, and the zeros made it a torn write.
/// etcd, `isTornEntry`.
#[test]
fn all_zero_sector_in_payload_is_not_a_tear() {
    let disk = disk();
    let wal = open(&disk);
    commit(&wal, &[0; 4000]);
    commit(&wal, b"behind it");
    let disk = disk.kill();
    drop(wal);
    overwrite(&disk, 4096 + 60, &[1]);
    let refused = try_open(&disk, Strategy::GroupCommit).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
}

/// Of two unsynced writes the disk kept the second: the log came back with a hole, or refused.
/// `ZooKeeper` ZOOKEEPER-2560 and -2561.
#[test]
fn reordered_unsynced_writes() {
    let disk = disk();
    let wal = try_open(&disk, Strategy::Os).unwrap();
    for n in 1..=3 {
        wal.append(record(n)).unwrap();
    }
    wal.sync().unwrap();
    for n in 4..=9 {
        wal.append(record(n)).unwrap();
    }
    let (mut least, mut most) = (u64::MAX, 0);
    for (choice, after) in cuts(&disk) {
        let left = recovered(&after);
        assert!((3..=9).contains(&left), "{choice}: {left}");
        (least, most) = (least.min(left), most.max(left));
    }
    assert_eq!((least, most), (3, 9), "the cuts tried nothing");
}

/// Several writes were in flight and each was torn its own way; recovery expected one tear.
/// `TigerBeetle` 87cb2cb, 190f8bf.
#[test]
fn multiple_torn_writes_in_flight() {
    let disk = disk();
    let wal = try_open(&disk, Strategy::Os).unwrap();
    for n in 1..=25 {
        wal.append(record(n)).unwrap();
    }
    for seed in 0..200 {
        let after = disk.power_cut(CutChoice::Seed(seed));
        let left = recovered(&after);
        let wal = open(&after);
        commit(&wal, &record(left + 1));
        drop(wal);
        assert_eq!(recovered(&after), left + 1, "seed {seed}");
    }
}

/// Part of an atomic batch was visible after a crash. raft-engine 3353011 (#288), 2c76690.
#[test]
fn partial_atomic_group_is_invisible() {
    let disk = disk();
    let wal = try_open(&disk, Strategy::Os).unwrap();
    wal.append(record(1)).unwrap();
    wal.sync().unwrap();
    let batch: Vec<_> = (2..=30).map(record).collect();
    wal.append_batch(&batch).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for (choice, after) in cuts(&disk) {
        let left = recovered(&after);
        assert!(left == 1 || left == 30, "{choice}: {} of a batch", left - 1);
        seen.insert(left);
    }
    assert_eq!(seen.len(), 2, "the cuts tried one case only");
}

/// The last record of a file that ends in the middle of it was returned, shortened.
/// Pebble 8a4e702, 223327f.
#[test]
fn dont_return_partial_record_at_eof() {
    let clean = killed_with(4);
    let bytes = written(&clean, FIRST);
    let mut frames = Vec::new();
    reader(&clean).verify(|note| frames.push(note.position.offset)).unwrap();
    let last = usize::try_from(frames[3]).unwrap();
    let mut header = SegmentHeader::decode(&bytes).unwrap();
    assert!(header.space > 0);
    header.space = 0;
    // What ends the file may be padding, which is part of the frame.
    for len in last..bytes.len().next_multiple_of(8) {
        let disk = clean.kill();
        disk.open(FIRST).unwrap().set_len(len as u64).unwrap();
        // No crash takes away space that was durable before the file had its name.
        let refused = try_open(&disk, Strategy::GroupCommit).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{len}");
        // Where none was promised, it is a torn tail.
        disk.open(FIRST).unwrap().write_all_at(0, &header.encode()).unwrap();
        assert_eq!(recovered(&disk), 3, "{len}");
    }
}

/// A reader of a recycled file met a record of the file's former life behind the last of its own.
/// `RocksDB`, `recycle_log_file_num`; Pebble f3bd334, dabdaa1.
#[test]
fn no_stale_record_from_recycled_segment() {
    let former = killed_with(30);
    let stale = written(&former, FIRST);
    for records in [1, 2, 7, 20] {
        let disk = disk();
        let wal = open(&disk);
        // Another life: other chance, so another salt.
        commit_numbered(&wal, 1..=records);
        let disk = disk.kill();
        drop(wal);
        let mut bytes = written(&disk, FIRST);
        let header = &mut bytes[..4096];
        let mut own = SegmentHeader::decode(header).unwrap();
        let end = bytes.len().next_multiple_of(8);
        // The former life's frames lie on from where this one's end, in place.
        overwrite(&disk, end, &stale[end..]);
        own.salt ^= 1;
        let with_other_salt = killed_with(30);
        overwrite(&with_other_salt, 0, &own.encode());
        // Frames of the salt before never read as this segment's, wherever they are.
        let found = reader(&with_other_salt).read_from(wal::Lsn::FIRST).map(Iterator::count);
        assert!(matches!(found, Ok(0)), "{found:?}");
    }
}
