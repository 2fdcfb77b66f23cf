//! What becomes of written bytes at a cut.

use std::collections::BTreeSet;

use wal_testkit::{Atom, CutChoice, Damage, Profile, SimDisk, Tail};

use crate::{content, durable, outcomes};

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
