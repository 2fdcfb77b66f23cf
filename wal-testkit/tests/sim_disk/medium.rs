//! The medium: its room, its speed, and what goes wrong with it.

use std::io::ErrorKind;
use std::time::Duration;

use wal_testkit::{Call, CutChoice, Profile, SimDisk, SimFile, Space};

use crate::{content, durable};

#[test]
fn allocated_space_reads_as_zeros_and_takes_room() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"x");
    disk.set_room(Some(1000));
    file.allocate(0, 801).unwrap();
    assert_eq!(content(&disk, "a").unwrap(), [&b"x"[..], &[0; 800]].concat());
    let full = disk.create_new("b").unwrap();
    assert_eq!(full.allocate(0, 201).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(full.write_at(0, &[1; 300]).unwrap(), 200, "what fits is written");
    assert_eq!(full.write_at(200, &[1]).unwrap_err().kind(), ErrorKind::StorageFull);
    file.write_all_at(1, &[2; 800]).unwrap();
    disk.remove("b").unwrap();
    disk.create_new("c").unwrap().allocate(0, 200).unwrap();
}

/// Delayed allocation, and thin volumes: every write succeeds, and the sync is too late.
#[test]
fn a_disk_may_be_full_at_the_sync_only() {
    let disk = SimDisk::new(Profile::STRICT.space(Space::AtSync));
    let file = durable(&disk, "a", b"old");
    disk.set_room(Some(10));
    file.write_all_at(0, &[1; 100]).unwrap();
    assert_eq!(file.sync_data().unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), b"old");
    let ahead = disk.create_new("b").unwrap().allocate(0, 1);
    assert_eq!(ahead.unwrap_err().kind(), ErrorKind::StorageFull);
    disk.set_room(None);
    file.sync_data().unwrap();
    assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), [1; 100]);
}

#[test]
fn a_slow_disk_moves_its_clock_and_nothing_else() {
    let disk = SimDisk::new(Profile::STRICT);
    disk.set_latency(Call::Sync, Duration::from_millis(10));
    disk.set_latency(Call::Read, Duration::from_micros(100));
    let file = durable(&disk, "a", b"abc");
    assert_eq!(disk.clock().now(), Duration::from_millis(10));
    content(&disk, "a").unwrap();
    assert_eq!(disk.clock().now(), Duration::from_micros(10_100));
    disk.clock().advance(Duration::from_secs(1));
    let cut = disk.power_cut(CutChoice::Everything);
    file.sync_data().unwrap();
    assert_eq!(cut.clock().now(), Duration::from_micros(1_020_100), "time goes on over a cut");
    assert_eq!(disk.counts().reads, 1);
}

#[test]
fn the_medium_rots_for_good() {
    let disk = SimDisk::new(Profile::STRICT);
    durable(&disk, "a", b"abc");
    disk.flip("a", 1, 0x01).unwrap();
    assert_eq!(content(&disk, "a").unwrap(), b"acc");
    assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), b"acc");
}

#[test]
fn a_lost_sector_is_an_error_until_it_is_written() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"abcdef");
    disk.lose("a", 2..4).unwrap();
    let read = |file: &SimFile, at, length| file.read_at(at, &mut vec![0; length]).is_ok();
    assert!(read(&file, 0, 2) && read(&file, 4, 2));
    assert!(!read(&file, 0, 3) && !read(&file, 3, 1));
    let cut = disk.power_cut(CutChoice::Everything).open("a").unwrap();
    assert!(!read(&cut, 0, 6), "it is the medium that is bad");
    file.write_all_at(3, b"D").unwrap();
    assert!(read(&file, 3, 3) && !read(&file, 2, 1));
    file.write_all_at(0, b"ABC").unwrap();
    assert_eq!(content(&disk, "a").unwrap(), b"ABCDef");
}

#[test]
fn files_trade_places_and_are_copied_for_good() {
    let disk = SimDisk::new(Profile::STRICT);
    let (a, _) = (durable(&disk, "a", b"aaa"), durable(&disk, "b", b"b"));
    disk.swap("a", "b").unwrap();
    assert!(disk.swap("a", "c").is_err());
    for disk in [disk.clone(), disk.power_cut(CutChoice::Nothing)] {
        assert_eq!(content(&disk, "a").unwrap(), b"b");
        assert_eq!(content(&disk, "b").unwrap(), b"aaa");
    }
    disk.duplicate("b", "a").unwrap();
    a.write_all_at(0, b"x").unwrap();
    assert_eq!(content(&disk, "b").unwrap(), b"xaa");
    assert_eq!(content(&disk, "a").unwrap(), b"aaa");
    assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), b"aaa");
}
