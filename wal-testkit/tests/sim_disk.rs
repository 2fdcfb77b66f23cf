//! What the simulated disk keeps, and what it may lose.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::collections::BTreeSet;
use std::io::{ErrorKind, Result};
use std::time::Duration;

use wal_testkit::{
    Atom, Call, CutChoice, Damage, DirectoryOrder, EntrySync, Fault, FaultRule, Profile, SimDisk,
    SimFile, Space, Tail, Tape,
};

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

#[test]
fn synced_bytes_under_a_synced_name_survive_every_cut() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"kept");
    file.write_all_at(4, b" or not").unwrap();
    for choice in disk.extremes().into_iter().chain((0..500).map(CutChoice::Seed)) {
        let found = content(&disk.power_cut(choice), "a").unwrap();
        assert!(found.starts_with(b"kept"), "{choice}: {found:?}");
    }
}

#[test]
fn a_synced_file_without_a_synced_name_may_be_gone() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = disk.create_new("a").unwrap();
    file.write_all_at(0, b"bytes").unwrap();
    file.sync_data().unwrap();
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from([None, Some(b"bytes".to_vec())]));
    let with_file = SimDisk::new(Profile::STRICT.entry(EntrySync::WithFile));
    with_file.create_new("a").unwrap().sync_data().unwrap();
    assert!(with_file.power_cut(CutChoice::Nothing).open("a").is_ok());
}

/// The name without the bytes is what zero-length files after a crash are made of.
#[test]
fn a_name_may_survive_without_its_bytes() {
    let disk = SimDisk::new(Profile::STRICT.damage(Damage::None));
    disk.create_new("a").unwrap().write_all_at(0, b"xy").unwrap();
    disk.sync_dir().unwrap();
    let both = [vec![], vec![0, 0], b"xy".to_vec()].map(Some);
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from(both), "the size comes apart from the data");
}

#[test]
fn an_atom_comes_back_as_one_of_its_states() {
    let disk = SimDisk::new(Profile::STRICT.damage(Damage::None).atom(Atom::Sector));
    let file = durable(&disk, "a", &[1; 1024]);
    file.write_all_at(0, &[2; 1024]).unwrap();
    file.write_all_at(100, &[3; 10]).unwrap();
    let state = |fill, patch: Option<u8>| {
        let mut sector = vec![fill; 512];
        sector[100..110].fill(patch.unwrap_or(fill));
        sector
    };
    let first = [state(1, None), state(2, None), state(2, Some(3))];
    let second = [vec![1; 512], vec![2; 512]];
    let all = first.iter().flat_map(|first| second.iter().map(|second| [&first[..], second]));
    let wanted: BTreeSet<_> = all.map(|sectors| Some(sectors.concat())).collect();
    assert_eq!(outcomes(&disk, "a"), wanted);
}

#[test]
fn writes_keep_no_order_among_files() {
    let disk = SimDisk::new(Profile::STRICT.damage(Damage::None));
    let (first, second) = (durable(&disk, "1", b"old"), durable(&disk, "2", b"old"));
    first.write_all_at(0, b"new").unwrap();
    second.write_all_at(0, b"new").unwrap();
    let found: BTreeSet<_> = (0..200)
        .map(|seed| disk.power_cut(CutChoice::Seed(seed)))
        .map(|disk| [content(&disk, "1").unwrap()[0], content(&disk, "2").unwrap()[0]])
        .collect();
    assert_eq!(found, [*b"oo", *b"on", *b"no", *b"nn"].into());
}

#[test]
fn bytes_may_tear_anywhere_where_an_atom_is_a_byte() {
    let disk = SimDisk::new(Profile::STRICT.damage(Damage::None).atom(Atom::Byte));
    durable(&disk, "a", b"aaa").write_all_at(0, b"bbb").unwrap();
    let found = outcomes(&disk, "a");
    let all = (0..8).map(|bits| (0..3).map(|at| b'a' + (bits >> at & 1)).collect());
    assert_eq!(found, all.map(Some).collect());
}

/// A write in flight may leave garbage; what it does not touch it does not hurt, unless the disk
/// has no powersafe overwrite.
#[test]
fn garbage_stays_within_the_bytes_being_written() {
    let around = |damage| {
        let disk = SimDisk::new(Profile::STRICT.damage(damage));
        durable(&disk, "a", &[1; 512]).write_all_at(200, &[2; 100]).unwrap();
        let found = outcomes(&disk, "a").into_iter().flatten();
        found.fold((false, false), |(inside, outside), bytes| {
            let odd = |byte: &u8| !matches!(byte, 1 | 2);
            (
                inside || bytes[200..300].iter().any(odd),
                outside || bytes[..200].iter().chain(&bytes[300..]).any(odd),
            )
        })
    };
    assert_eq!(around(Damage::None), (false, false));
    assert_eq!(around(Damage::Written), (true, false));
    assert_eq!(around(Damage::Atom), (true, true));
}

#[test]
fn a_stale_tail_shows_what_the_blocks_held_before() {
    let stale = |tail| {
        let disk = SimDisk::new(Profile::STRICT.damage(Damage::None).tail(tail));
        let file = durable(&disk, "a", b"");
        file.write_all_at(0, &[7; 64]).unwrap();
        let odd = |byte: &u8| !matches!(byte, 0 | 7);
        outcomes(&disk, "a").into_iter().flatten().any(|bytes| bytes.iter().any(odd))
    };
    assert!(stale(Tail::Stale));
    assert!(!stale(Tail::Zeros));
}

#[test]
fn a_cut_file_may_come_back_long() {
    let disk = SimDisk::new(Profile::STRICT.damage(Damage::None));
    let file = durable(&disk, "a", b"long");
    file.set_len(1).unwrap();
    file.set_len(3).unwrap();
    assert_eq!(content(&disk, "a").unwrap(), b"l\0\0");
    let found = outcomes(&disk, "a");
    for wanted in [&b"long"[..], b"l", b"l\0\0", b"lon"] {
        assert!(found.contains(&Some(wanted.to_vec())), "{wanted:?}");
    }
    file.sync_data().unwrap();
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from([Some(b"l\0\0".to_vec())]));
}

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

/// Unlinked and linked again by the cut, with the bytes of the platter.
#[test]
fn a_removed_name_may_come_back() {
    let disk = SimDisk::new(Profile::STRICT.damage(Damage::None));
    durable(&disk, "a", b"old").write_all_at(0, b"new").unwrap();
    disk.remove("a").unwrap();
    assert!(disk.open("a").is_err());
    let wanted = [None, Some(b"old".to_vec()), Some(b"new".to_vec())];
    assert_eq!(outcomes(&disk, "a"), wanted.into());
    disk.sync_dir().unwrap();
    assert_eq!(outcomes(&disk, "a"), [None].into());
}

/// etcd bd7107b: a log file renamed into place, and no sync of the directory.
#[test]
fn a_rename_is_done_or_not_and_never_half() {
    let disk = SimDisk::new(Profile::STRICT);
    durable(&disk, "new", b"n");
    durable(&disk, "target", b"t");
    disk.rename("new", "target").unwrap();
    assert_eq!(disk.list().unwrap(), ["target"]);
    assert_eq!(content(&disk, "target").unwrap(), b"n");
    for seed in 0..100 {
        let cut = disk.power_cut(CutChoice::Seed(seed));
        let names = cut.list().unwrap();
        let bytes = content(&cut, "target").unwrap();
        let whole = (names.len() == 2 && bytes == b"t") || (names.len() == 1 && bytes == b"n");
        assert!(whole, "seed {seed}: {names:?} {bytes:?}");
    }
    assert_eq!(outcomes(&disk, "new").len(), 2);
}

#[test]
fn a_journal_keeps_the_order_of_names() {
    let kept = |order| {
        let disk = SimDisk::new(Profile::STRICT.order(order));
        for name in ["a", "b", "c"] {
            disk.create_new(name).unwrap();
        }
        let cuts = disk.extremes().into_iter().chain((0..200).map(CutChoice::Seed));
        cuts.map(|cut| disk.power_cut(cut).list().unwrap().concat()).collect::<BTreeSet<_>>()
    };
    let prefixes = ["", "a", "ab", "abc"].map(String::from);
    assert_eq!(kept(DirectoryOrder::Prefix), prefixes.into());
    assert_eq!(kept(DirectoryOrder::Subset).len(), 8);
}

/// fsyncgate. The reader sees the new bytes, the second sync succeeds, the platter has the old.
#[test]
fn a_dropped_sync_is_never_made_good() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"old");
    file.write_all_at(0, b"new").unwrap();
    disk.fail(FaultRule::next(Call::Sync, Fault::Dropped));
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    assert_eq!(content(&disk, "a").unwrap(), b"new");
    assert_eq!(content(&disk.kill(), "a").unwrap(), b"new", "nor does reopening tell");
    let left = disk.power_cut(CutChoice::Everything);
    assert_eq!(content(&left, "a").unwrap(), b"old");
}

#[test]
fn a_failed_sync_has_kept_or_done_its_work() {
    for (fault, after) in [(Fault::Io, b"old"), (Fault::AfterEffect, b"new")] {
        let disk = SimDisk::new(Profile::STRICT);
        let file = durable(&disk, "a", b"old");
        file.write_all_at(0, b"new").unwrap();
        disk.fail(FaultRule::next(Call::Sync, fault));
        assert!(file.sync_data().is_err());
        assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), after);
        file.sync_data().unwrap();
        assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), b"new");
    }
}

#[test]
fn faults_strike_the_calls_they_name() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"");
    disk.fail(FaultRule::next(Call::Write, Fault::Short(2)).after(1));
    disk.fail(FaultRule::next(Call::Write, Fault::Interrupted).after(2));
    disk.fail(FaultRule::next(Call::Write, Fault::Partial(1)).after(4));
    assert_eq!(file.write_at(0, b"abc").unwrap(), 3);
    assert_eq!(file.write_at(0, b"def").unwrap(), 2);
    assert_eq!(file.write_at(2, b"f").unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(file.write_at(0, b"xyz").unwrap(), 3, "each rule counts every call");
    assert!(file.write_at(0, b"XYZ").is_err());
    assert_eq!(content(&disk, "a").unwrap(), b"Xyz");
    disk.fail(FaultRule::next(Call::Create, Fault::StorageFull).forever());
    disk.fail(FaultRule::next(Call::Remove, Fault::AfterEffect));
    disk.fail(FaultRule::next(Call::SyncDir, Fault::Io));
    assert_eq!(disk.create_new("b").unwrap_err().kind(), ErrorKind::StorageFull);
    assert!(disk.sync_dir().is_err());
    assert!(disk.remove("a").is_err());
    assert!(disk.open("a").is_err(), "it was removed all the same");
    disk.heal();
    disk.create_new("b").unwrap();
}

#[test]
#[should_panic(expected = "a create cannot fail as Dropped")]
fn a_fault_that_no_such_call_can_have_is_refused() {
    let _ = FaultRule::next(Call::Create, Fault::Dropped);
}

#[test]
fn from_the_crash_point_on_every_call_fails() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"bytes");
    disk.crash_at(disk.operations() + 1);
    file.write_all_at(0, b"B").unwrap();
    assert_eq!(content(&disk, "a").unwrap(), b"Bytes");
    assert!(file.sync_data().is_err());
    let mut buffer = [0];
    assert!(file.read_at(0, &mut buffer).is_err() && file.size().is_err());
    assert!(disk.list().is_err() && disk.open("a").is_err() && disk.lock("l").is_err());
    assert!(disk.create_new("b").is_err() && disk.sync_dir().is_err());
    let left = disk.power_cut(CutChoice::Everything);
    assert_eq!(content(&left, "a").unwrap(), b"Bytes");
    left.create_new("b").unwrap();
}

/// The old process may still be writing when the new one has started on the cut disk.
#[test]
fn the_old_disk_cannot_touch_the_new_one() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"old");
    let _lock = disk.lock("LOCK").unwrap();
    for new in [disk.power_cut(CutChoice::Everything), disk.kill()] {
        file.write_all_at(0, b"new").unwrap();
        file.sync_data().unwrap();
        assert_eq!(content(&new, "a").unwrap(), b"old");
        drop(new.lock("LOCK").unwrap());
        file.write_all_at(0, b"old").unwrap();
    }
    assert_eq!(disk.lock("LOCK").unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_kill_loses_nothing_that_a_power_cut_still_may() {
    let disk = SimDisk::new(Profile::STRICT);
    durable(&disk, "a", b"old").write_all_at(0, b"new").unwrap();
    let killed = disk.kill();
    assert_eq!(content(&killed, "a").unwrap(), b"new");
    assert_eq!(content(&killed.power_cut(CutChoice::Nothing), "a").unwrap(), b"old");
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
fn extremes_are_each_operation_dropped_kept_and_torn() {
    let disk = SimDisk::new(Profile::STRICT.damage(Damage::None));
    let file = durable(&disk, "a", &[1; 1536]);
    file.write_all_at(0, &[2; 1536]).unwrap();
    disk.create_new("b").unwrap();
    let extremes: Vec<_> = disk.extremes().iter().map(ToString::to_string).collect();
    let wanted =
        ["nothing", "everything", "drop:0", "only:0", "drop:1", "only:1", "tear:1", "tear:2"];
    assert_eq!(extremes, wanted);
    let left = |choice| {
        let disk = disk.power_cut(choice);
        let new = content(&disk, "a").unwrap().into_iter().filter(|byte| *byte == 2).count();
        (new, disk.list().unwrap().len())
    };
    assert_eq!(left(CutChoice::Nothing), (0, 1));
    assert_eq!(left(CutChoice::Everything), (1536, 2));
    assert_eq!(left(CutChoice::Drop(0)), (0, 2));
    assert_eq!(left(CutChoice::Only(0)), (1536, 1));
    assert_eq!(left(CutChoice::TearLast(2)), (1024, 2));
    assert_eq!(left(CutChoice::Drop(9)), (1536, 2), "there are not so many");
    assert_eq!(left(CutChoice::Only(9)), (0, 1));
}

#[test]
fn the_same_choices_leave_the_same_bytes() {
    let disk = SimDisk::new(Profile::STRICT.atom(Atom::Byte));
    let file = durable(&disk, "a", &[1; 100]);
    for at in 0..50 {
        file.write_all_at(at * 7, &[9; 40]).unwrap();
    }
    for seed in 0..50 {
        let mut tape = Tape::random(seed);
        let first = content(&disk.power_cut_by(&mut tape), "a").unwrap();
        assert_eq!(first, content(&disk.power_cut(CutChoice::Seed(seed)), "a").unwrap());
        let mut replay = Tape::replay(tape.choices());
        assert_eq!(first, content(&disk.power_cut_by(&mut replay), "a").unwrap(), "seed {seed}");
    }
    let benign = disk.power_cut_by(&mut Tape::replay(&[]));
    assert_eq!(content(&benign, "a").unwrap(), content(&disk, "a").unwrap());
}

#[test]
fn a_trace_tells_the_whole_story() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"abc");
    disk.fail(FaultRule::next(Call::Sync, Fault::Io));
    assert!(file.sync_data().is_err());
    let disk = disk.power_cut(CutChoice::Nothing);
    disk.remove("a").unwrap();
    let told = "    0. create a\n    1. write a 0..3\n    2. sync a\n    3. sync directory \n    \
                4. sync a -> simulated EIO at sync\n   -- power cut, nothing\n    5. remove a\n";
    assert_eq!(disk.trace().to_string(), told);
    let counts = disk.counts();
    assert_eq!((counts.removes, counts.syncs), (1, 0), "counted anew after the cut");
}

#[test]
fn a_rule_may_be_about_some_files_only() {
    let disk = SimDisk::new(Profile::STRICT);
    let (a, b) = (durable(&disk, "a.seg", b"old"), durable(&disk, "b.idx", b"old"));
    disk.fail(FaultRule::next(Call::Write, Fault::Io).named(".seg").after(1).forever());
    b.write_all_at(0, b"new").unwrap();
    a.write_all_at(0, b"new").unwrap();
    b.write_all_at(0, b"NEW").unwrap();
    assert!(a.write_at(0, b"NEW").is_err() && a.write_at(0, b"NEW").is_err());
    b.write_all_at(0, b"new").unwrap();
}

#[test]
fn a_read_fails_as_it_is_told() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"abcdef");
    let read = |fault| {
        disk.fail(FaultRule::next(Call::Read, fault));
        let mut buffer = [0; 6];
        file.read_at(0, &mut buffer).map(|count| (count, buffer))
    };
    assert!(read(Fault::Io).is_err() && read(Fault::AfterEffect).is_err());
    assert_eq!(read(Fault::Interrupted).unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(read(Fault::Short(2)).unwrap(), (2, *b"ab\0\0\0\0"));
    assert_eq!(read(Fault::WrongBit(8)).unwrap(), (6, *b"accdef"));
    assert_eq!(content(&disk, "a").unwrap(), b"abcdef", "the next read is right");
    disk.fail(FaultRule::next(Call::Read, Fault::Short(1)));
    disk.fail(FaultRule::next(Call::Read, Fault::Interrupted).after(1));
    let mut buffer = [0; 6];
    assert_eq!(file.read_all_at(0, &mut buffer).unwrap(), 6);
    assert_eq!(&buffer, b"abcdef");
}

#[test]
fn a_write_that_lies_says_that_it_is_done() {
    let after = |fault| {
        let disk = SimDisk::new(Profile::STRICT);
        let file = durable(&disk, "a", b"abcdef");
        disk.fail(FaultRule::next(Call::Write, fault));
        assert_eq!(file.write_at(1, b"XY").unwrap(), 2, "{fault:?}");
        file.sync_data().unwrap();
        let seen = content(&disk, "a").unwrap();
        assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), seen, "{fault:?}");
        seen
    };
    assert_eq!(after(Fault::Ignored), b"abcdef");
    assert_eq!(after(Fault::Misdirected(3)), b"abcdXY");
    assert_eq!(after(Fault::WrongBit(0)), b"aYYdef");
}

#[test]
fn a_sync_that_lies_has_made_nothing_durable() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"old");
    file.write_all_at(0, b"new").unwrap();
    disk.create_new("b").unwrap();
    disk.fail(FaultRule::next(Call::Sync, Fault::Ignored));
    disk.fail(FaultRule::next(Call::SyncDir, Fault::Ignored));
    file.sync_data().unwrap();
    disk.sync_dir().unwrap();
    let cut = disk.power_cut(CutChoice::Nothing);
    assert_eq!((content(&cut, "a").unwrap(), cut.list().unwrap().len()), (b"old".to_vec(), 1));
    file.sync_data().unwrap();
    disk.sync_dir().unwrap();
    let cut = disk.power_cut(CutChoice::Nothing);
    assert_eq!((content(&cut, "a").unwrap(), cut.list().unwrap().len()), (b"new".to_vec(), 2));
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

/// Every call of the model can fail after it was done, and has been done then.
#[test]
fn every_call_can_fail_after_its_effect() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = durable(&disk, "a", b"abc");
    let strike = |call| disk.fail(FaultRule::next(call, Fault::AfterEffect));
    strike(Call::Create);
    assert!(disk.create_new("b").is_err() && disk.open("b").is_ok());
    strike(Call::Write);
    assert!(file.write_at(0, b"X").is_err());
    strike(Call::SetLen);
    assert!(file.set_len(2).is_err());
    assert_eq!(content(&disk, "a").unwrap(), b"Xb");
    strike(Call::Allocate);
    assert!(file.allocate(0, 4).is_err() && file.size().unwrap() == 4);
    strike(Call::Sync);
    assert!(file.sync_data().is_err());
    assert_eq!(content(&disk.power_cut(CutChoice::Nothing), "a").unwrap(), b"Xb\0\0");
    strike(Call::Rename);
    assert!(disk.rename("b", "c").is_err() && disk.open("c").is_ok());
    strike(Call::SyncDir);
    assert!(disk.sync_dir().is_err());
    strike(Call::Remove);
    assert!(disk.remove("c").is_err() && disk.open("c").is_err());
    assert!(disk.power_cut(CutChoice::Nothing).open("c").is_ok());
}
